"""Chooses on validation reviews how the parts of a score are added up."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.histories import spans
from engine.rating_head import RatingHead
from engine.scorer import ALL, Blend, Model
from pipelines import metrics
from pipelines.dataset import Reviews

logger = logging.getLogger(__name__)

NEIGHBOUR_SHARES = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.5, 5.0, 20.0)
"""Neighbour weights tried; at 1 neighbours move a score as much as the relevance does."""
LIKE_WEIGHTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Like weights tried."""
_MAX_REVIEWERS = 2000
_MAX_PAIRS = 50_000
_MAX_SCORES = 2**24
"""Scores of a batch at once, 64 MiB of them."""
_NUM_CANDIDATES = 200
_DEPTHS = (10, 20)
_PRIOR = 20.0
"""Reviews' worth of belief that the network is right as it is."""


class _Parts(NamedTuple):
    """The parts of the scores of each reviewer's candidates; rows are padded with minus infinity."""

    relevance: NDArray[np.float64]
    near: NDArray[np.float64]
    log_like: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    num_relevant: NDArray[np.int64]


def choose_blend(model: Model, held_out: Reviews, seed: int) -> Model:
    """Gives the model with the blend that suits held-out reviews best.

    The weights of a rating's parts and its temperature minimize the log loss; then the weights of the ranking
    maximize the mean of NDCG@10 and NDCG@20 over a grid, smoothed. Equal figures go to the smaller weights.

    Args:
        model: trained without `held_out`; its blend says what a like is.
        held_out: later reviews of the same reviewers.
        seed: of the samples that are taken of much data.
    """
    generator = np.random.default_rng(seed)
    if model.rating is not None and len(held_out):
        model = _fit_ratings(model, model.rating, held_out, generator)
    liked = held_out.select(held_out.likes(model.blend.like_rating))
    if len(liked) == 0:
        return model
    parts = _collect(model, liked, generator)
    scale = _spread(parts.relevance) / max(_spread(parts.near), 1e-9)
    like_weights = LIKE_WEIGHTS if model.rating is not None else (0.0,)
    grid = [(share * scale, weight) for share in NEIGHBOUR_SHARES for weight in like_weights]
    figures = np.array([_figure(parts, *weights) for weights in grid])
    best = int(np.argmax(_smoothed(figures.reshape(-1, len(like_weights)))))
    neighbour_weight, like_weight = grid[best]
    logger.info(
        "Chose neighbour weight %.3g and like weight %.3g: %.4f, against %.4f without",
        neighbour_weight, like_weight, figures[best], figures[0],
    )  # fmt: skip
    blend = replace(model.blend, neighbour_weight=float(neighbour_weight), like_weight=float(like_weight))
    return replace(model, blend=blend)


def _fit_ratings(model: Model, head: RatingHead, held_out: Reviews, generator: np.random.Generator) -> Model:
    from scipy.optimize import minimize

    chosen = generator.permutation(len(held_out))[:_MAX_PAIRS]
    biases, interaction, log_scale, near = _rating_parts(model, head, held_out, np.sort(chosen))
    level_rows = held_out.level_rows[np.sort(chosen)].astype(np.int64)

    def loss(weights: NDArray[np.float64]) -> float:
        location = biases + weights[0] * interaction + weights[1] * near + weights[3]
        probabilities = head.probabilities(location.astype(np.float32), log_scale + np.float32(weights[2]))
        chances = np.take_along_axis(probabilities, level_rows[:, None], axis=1)
        distance = (weights[0] - 1) ** 2 + weights[1] ** 2 / 4 + weights[2] ** 2 + weights[3] ** 2
        return float(-np.log(chances + 1e-7).sum() + _PRIOR * distance)

    # The simplex must be wide from the start: around a weight of zero the default one is tiny.
    start = np.array([1.0, 0.0, 0.0, 0.0])
    simplex = np.stack([start, *(start + np.diag([-0.3, 1.0, -0.3, 0.2]))])
    bounds = [(0.0, 2.0), (0.0, 5.0), (-2.0, 2.0), (-1.0, 1.0)]
    options = {"xatol": 1e-3, "fatol": 1e-2, "initial_simplex": simplex}
    found = minimize(loss, start, method="Nelder-Mead", bounds=bounds, options=options).x
    logger.info(
        "Chose interaction weight %.3f, rating neighbour weight %.3f, log temperature %.3f, offset %.3f",
        *found,
    )
    names = ("interaction_weight", "rating_neighbour_weight", "log_temperature", "location_offset")
    blend = replace(model.blend, **dict(zip(names, map(float, found), strict=True)))
    return replace(model, blend=blend, rating=with_offset(head, blend))


def with_offset(head: RatingHead, blend: Blend) -> RatingHead:
    """The head with the offset of the blend in its thresholds: what moves all of them moves no location."""
    return replace(head, thresholds=head.thresholds - np.float32(blend.location_offset))


def _rating_parts(
    model: Model, head: RatingHead, held_out: Reviews, chosen: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Biases, interaction, log scale and neighbours' ratings of the chosen reviews, which go by reviewer."""
    rows, places = np.unique(held_out.reviewer_rows[chosen], return_inverse=True)
    movie_rows = held_out.movie_rows[chosen]
    parts = []
    for begin, end in model.batches(rows):
        within = slice(*np.searchsorted(places, [begin, end]))
        reviewers = model.reviewers(rows[begin:end])
        assert reviewers.tastes is not None
        own_places, movies = places[within] - begin, movie_rows[within]
        tastes = reviewers.tastes.take(own_places)
        location, log_scale = head.locate(tastes, movies)
        biases, _ = head.locate(tastes, movies, 0.0)
        ratings = reviewers.neighbour_ratings
        near = np.zeros(len(movies)) if ratings is None else ratings.at(model.keys(own_places, movies))
        parts.append((biases, location - biases, log_scale, near))
    biases, interaction, log_scale, near = (np.concatenate(column) for column in zip(*parts, strict=True))
    return biases, interaction, log_scale, near


def _collect(model: Model, liked: Reviews, generator: np.random.Generator) -> _Parts:
    """The parts of each reviewer's best unseen candidates by either source, and of what they liked."""
    rows = np.unique(liked.reviewer_rows)
    if len(rows) > _MAX_REVIEWERS:
        rows = np.sort(generator.choice(rows, _MAX_REVIEWERS, replace=False))
    at_once = max(1, _MAX_SCORES // model.num_movies)
    batches = [
        _collect_batch(model, liked, rows[begin : min(begin + at_once, last)])
        for first, last in model.batches(rows)
        for begin in range(first, last, at_once)
    ]
    width = max(part.relevance.shape[1] for part in batches)
    fills = (-np.inf, 0.0, 0.0, False)
    padded = [
        np.concatenate([_widened(values, width, fill) for values in column])
        for column, fill in zip(zip(*(part[:4] for part in batches), strict=True), fills, strict=True)
    ]
    relevance, near, log_like, relevant = padded
    num_relevant = np.concatenate([part.num_relevant for part in batches])
    return _Parts(relevance, near, log_like, relevant, num_relevant)


def _collect_batch(model: Model, liked: Reviews, rows: NDArray[np.integer]) -> _Parts:
    reviewers, offsets = model.reviewers(rows), liked.offsets()
    own = reviewers.queries @ model.relevance.movie_vectors.T
    near = reviewers.near.at(ALL).reshape(own.shape)
    seen = (reviewers.histories.places, reviewers.histories.movie_rows)
    lengths = offsets[rows + 1] - offsets[rows]
    targets = np.zeros(own.shape, dtype=bool)
    targets[np.repeat(np.arange(len(rows)), lengths), liked.movie_rows[spans(offsets[rows], lengths)]] = True
    chosen = targets.copy()
    for values in (own, near):
        values = values.astype(np.float32)
        values[seen] = -np.inf
        np.put_along_axis(chosen, _best(values), True, axis=1)
    chosen[seen] = False
    places, movie_rows = np.nonzero(chosen)
    counts = chosen.sum(axis=1)
    columns = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(rows), int(counts.max(initial=0)))
    log_like = np.zeros(len(places))
    if model.rating is not None:
        log_like = model.log_like(model.rate_pairs(reviewers, places, movie_rows)).astype(np.float64)

    def laid_out(values: NDArray[Any], fill: float | bool) -> NDArray[Any]:
        out = np.full(shape, fill, dtype=values.dtype)
        out[places, columns] = values
        return out

    return _Parts(
        laid_out(own[places, movie_rows].astype(np.float64), -np.inf),
        laid_out(near[places, movie_rows], 0.0),
        laid_out(log_like, 0.0),
        laid_out(targets[places, movie_rows], False),
        lengths,
    )


def _widened(values: NDArray[Any], width: int, fill: float | bool) -> NDArray[Any]:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)


def _best(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    count = min(_NUM_CANDIDATES, scores.shape[1])
    best: NDArray[np.int64] = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    return best


def _spread(values: NDArray[np.float64]) -> float:
    """The mean standard deviation within the rows."""
    finite = np.where(np.isfinite(values), values, np.nan)
    return float(np.nanmean(np.nanstd(finite, axis=1)))


def _smoothed(figures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each figure's mean with those around it in the grid: few reviews make lonely peaks that do not last."""
    padded = np.pad(figures, 1, mode="edge")
    rows, columns = figures.shape
    shifted = [padded[row : row + rows, column : column + columns] for row in range(3) for column in range(3)]
    smooth: NDArray[np.float64] = np.mean(shifted, axis=0)
    return smooth


def _figure(parts: _Parts, neighbour_weight: float, like_weight: float) -> float:
    scores = parts.relevance + neighbour_weight * parts.near + like_weight * parts.log_like
    depth = max(_DEPTHS)
    top = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    hits = np.take_along_axis(parts.relevant, top, axis=1)
    return float(np.mean([metrics.ndcg(hits[:, :k], parts.num_relevant).mean() for k in _DEPTHS]))
