"""Chooses on validation reviews which movies count as near, and how the parts of a score are added up."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import spans
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import ALL, Blend, Model
from pipelines.dataset.reviews import Reviews
from pipelines.neighbours.tables import Nearness

logger = logging.getLogger(__name__)

NEIGHBOUR_SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7, 3.0, 6.0, 20.0)
"""Neighbour weights tried; at 1 neighbours move a score as much as the relevance does."""
LIKE_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Like weights tried."""
CONTENT_SHARES = (0.0, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Weights tried of what metadata makes alike; at 1 that moves nearness as much as reviews do."""
_TABLES_WITH_CONTENT = 2
"""With which it is tried: those that do best without."""
_MAX_REVIEWERS = 2000
_MAX_SCORES = 2**24
"""Scores of a batch at once, 64 MiB of them."""
_NUM_CANDIDATES = 200
_DEPTHS = (10, 20, 50)
"""Of the lists that are judged: longer than people see too, as what stands below is evidence as well."""
_DISCOUNTS = 1 / np.log2(np.arange(2, max(_DEPTHS) + 2))
"""What finding something liked at each place counts."""


class Judged(NamedTuple):
    """A model, and reviews by which it can be judged."""

    model: Model
    """Trained without `held_out`."""
    tables: Mapping[Nearness, NeighbourTable]
    """What may say which movies are near, made of what the model was trained on."""
    content: NeighbourTable | None
    """Which movies metadata makes alike."""
    held_out: Reviews
    """Of reviewers that the model knows; some are likes."""


class _Parts(NamedTuple):
    """The parts of the scores of each reviewer's candidates; rows are padded with minus infinity."""

    relevance: NDArray[np.float32]
    log_like: NDArray[np.float32]
    near: list[NDArray[np.float32]]
    """By each of the tables, and by content where there is any."""
    relevant: NDArray[np.bool_]
    num_relevant: NDArray[np.int64]


class _Tried(NamedTuple):
    """What a table comes to, with all weights; each axis is smoothed."""

    figures: NDArray[np.float64]
    """float64 [num_content_shares, num_neighbour_shares, num_like_weights]."""
    contents: NDArray[np.float64]
    """The weights of content, float64 [num_content_shares]."""
    scales: NDArray[np.float64]
    """What a neighbour share of 1 is as a weight, float64 [num_content_shares]."""


def choose_blend(judged: Sequence[Judged], seed: int) -> tuple[Blend, Nearness]:
    """Finds which table of near movies, and which weights, suit held-out reviews best.

    For each table the mean of NDCG@10, NDCG@20 and NDCG@50 over all reviewers that are judged is taken on a
    grid of weights and smoothed; the best one wins. What metadata makes alike is tried beside the best two
    tables. Equal figures go to the first table and to the smaller weights.

    Args:
        judged: one model or more; they have the same blend, which says what a like is and how ratings come
            about, and tables of the same names.
        seed: of the samples that are taken of much data.

    Returns:
        The blend with the weights, and whose table it is.
    """
    blend, names = judged[0].model.blend, list(judged[0].tables)
    like_weights = LIKE_WEIGHTS if judged[0].model.rating is not None else (0.0,)
    parts = [_collect(one, seed) for one in judged]
    tried = {name: _try(parts, place, (0.0,), like_weights) for place, name in enumerate(names)}
    best = sorted(tried, key=lambda name: -tried[name].figures.max())
    if judged[0].content is not None:
        with_content = best[:_TABLES_WITH_CONTENT]
        tried = {name: _try(parts, names.index(name), CONTENT_SHARES, like_weights) for name in with_content}
    nearness = max(tried, key=lambda name: tried[name].figures.max())
    found = tried[nearness]
    content, share, like = np.unravel_index(np.argmax(found.figures), found.figures.shape)
    nearness = nearness._replace(content=float(found.contents[content]))
    neighbour_weight = float(NEIGHBOUR_SHARES[share] * found.scales[content])
    logger.info(
        "Chose nearness by %s, neighbour weight %.3g and like weight %.3g: %.4f, against %.4f without; %s",
        nearness, neighbour_weight, like_weights[like], found.figures.max(), found.figures[0, 0, 0],
        ", ".join(f"{name} {one.figures.max():.4f}" for name, one in tried.items()),
    )  # fmt: skip
    return replace(blend, neighbour_weight=neighbour_weight, like_weight=like_weights[like]), nearness


def _try(
    judged: Sequence[_Parts], place: int, content_shares: Sequence[float], like_weights: Sequence[float]
) -> _Tried:
    """Tries one of the tables with all weights."""
    shape = (len(content_shares), len(NEIGHBOUR_SHARES), len(like_weights))
    figures, contents, scales = np.zeros(shape), np.zeros(shape[0]), np.zeros(shape[0])
    num_reviewers = sum(len(parts.relevance) for parts in judged)
    for parts in judged:
        weight = len(parts.relevance) / num_reviewers
        for row, content_share in enumerate(content_shares):
            near = parts.near[place]
            if content_share:
                content = content_share * _spread(parts, near) / max(_spread(parts, parts.near[-1]), 1e-9)
                contents[row] += weight * content
                near = near + np.float32(content) * parts.near[-1]
            scale = _spread(parts, parts.relevance) / max(_spread(parts, near), 1e-9)
            scales[row] += weight * scale
            figures[row] += weight * _grid(parts, near, scale, like_weights)
    return _Tried(_smoothed(figures), contents, scales)


def _grid(
    parts: _Parts, near: NDArray[np.float32], scale: float, like_weights: Sequence[float]
) -> NDArray[np.float64]:
    """The figures of all weights, float64 [num_neighbour_shares, num_like_weights]."""
    figures = np.empty((len(NEIGHBOUR_SHARES), len(like_weights)))
    for row, share in enumerate(NEIGHBOUR_SHARES):
        come = parts.relevance + np.float32(share * scale) * near
        for column, weight in enumerate(like_weights):
            figures[row, column] = _figure(parts, come + np.float32(weight) * parts.log_like)
    return figures


def _figure(parts: _Parts, scores: NDArray[np.float32]) -> float:
    """The mean NDCG at all depths; movies that score the same as a liked one count as before it."""
    rows, columns = parts.relevant.nonzero()
    ranks = (scores[rows] >= scores[rows, columns][:, None]).sum(axis=1) - 1
    figures = []
    for depth in _DEPTHS:
        gains = np.where(ranks < depth, _DISCOUNTS[np.minimum(ranks, depth - 1)], 0.0)
        best = _DISCOUNTS.cumsum()[np.minimum(parts.num_relevant, depth) - 1]
        figures.append(np.mean(np.bincount(rows, gains, len(scores)) / best))
    return float(np.mean(figures))


def _collect(judged: Judged, seed: int) -> _Parts:
    """The parts of each reviewer's best unseen candidates by any source, and of what they liked."""
    model, held_out = judged.model, judged.held_out
    tables = [*judged.tables.values(), *([] if judged.content is None else [judged.content])]
    liked = held_out.select(held_out.likes(model.blend.like_rating))
    rows = np.unique(liked.reviewer_rows)
    if len(rows) > _MAX_REVIEWERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MAX_REVIEWERS, replace=False))
    at_once = max(1, _MAX_SCORES // model.num_movies)
    batches = [
        _collect_batch(model, tables, liked, rows[begin : min(begin + at_once, last)])
        for first, last in model.batches(rows)
        for begin in range(first, last, at_once)
    ]
    width = max(batch.relevance.shape[1] for batch in batches)

    def joined(columns: Iterator[NDArray[Any]], fill: float) -> NDArray[Any]:
        return np.concatenate([_widened(values, width, fill) for values in columns])

    return _Parts(
        joined((batch.relevance for batch in batches), -np.inf),
        joined((batch.log_like for batch in batches), 0.0),
        [joined((batch.near[place] for batch in batches), 0.0) for place in range(len(tables))],
        joined((batch.relevant for batch in batches), False),
        np.concatenate([batch.num_relevant for batch in batches]),
    )


def _collect_batch(
    model: Model, tables: Sequence[NeighbourTable], liked: Reviews, rows: NDArray[np.integer]
) -> _Parts:
    reviewers, offsets = model.reviewers(rows), liked.offsets()
    own = (reviewers.queries @ model.relevance.movie_vectors.T).astype(np.float32)
    seen = (reviewers.histories.places, reviewers.histories.movie_rows)
    lengths = offsets[rows + 1] - offsets[rows]
    targets = np.zeros(own.shape, dtype=bool)
    targets[np.repeat(np.arange(len(rows)), lengths), liked.movie_rows[spans(offsets[rows], lengths)]] = True
    sums = [
        replace(model, neighbours=table, chosen_neighbours=None).near(reviewers.histories) for table in tables
    ]
    chosen = targets.copy()
    for values in (own, *(near.at(ALL).reshape(own.shape).astype(np.float32) for near in sums)):
        unseen = values.copy()
        unseen[seen] = -np.inf
        np.put_along_axis(chosen, _best(unseen, _NUM_CANDIDATES), True, axis=1)
    chosen[seen] = False
    places, movie_rows = np.nonzero(chosen)
    counts = chosen.sum(axis=1)
    columns = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(rows), int(counts.max(initial=0)))
    log_like = np.zeros(len(places), dtype=np.float32)
    if model.rating is not None:
        log_like = model.log_like(model.rate_pairs(reviewers, places, movie_rows))

    def laid_out(values: NDArray[Any], fill: float | bool) -> NDArray[Any]:
        out = np.full(shape, fill, dtype=values.dtype)
        out[places, columns] = values
        return out

    keys = model.keys(places, movie_rows)
    return _Parts(
        laid_out(own[places, movie_rows], -np.inf),
        laid_out(log_like, 0.0),
        [laid_out(near.at(keys).astype(np.float32), 0.0) for near in sums],
        laid_out(targets[places, movie_rows], False),
        lengths,
    )


def _widened(values: NDArray[Any], width: int, fill: float) -> NDArray[Any]:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)


def _best(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Positions of the highest scores of each row, ascending: int64 [num, up to count]."""
    count = min(count, scores.shape[1])
    best: NDArray[np.int64] = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    best.sort(axis=1)
    return best


def _spread(parts: _Parts, values: NDArray[np.float32]) -> float:
    """The mean over reviewers of the standard deviation among their candidates."""
    return float(np.nanmean(np.nanstd(np.where(np.isfinite(parts.relevance), values, np.nan), axis=1)))


def _smoothed(figures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each figure's mean with those around it in the grid: few reviews make lonely peaks that do not last."""
    from scipy.ndimage import uniform_filter

    smooth: NDArray[np.float64] = uniform_filter(figures, size=3, mode="nearest")
    return smooth
