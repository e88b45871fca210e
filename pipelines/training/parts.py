"""Collects the components of candidate movies' scores, and measures weighted sums on held-out reviews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, k_highest_of_rows, spans, sums
from engine.model.histories import recency_weights
from engine.model.neighbours import NearTable
from engine.model.scorer import ALL, SUCCESSOR_RECENCY, Model
from pipelines.dataset.reviews import Reviews
from pipelines.measuring.metrics import discounts, ndcg_of_ranks
from pipelines.training.one_model import TrainedModel

_MAX_REVIEWERS = 2000
"""The largest number of reviewers on whose held-out likes score weights are chosen; with more reviewers, the
chosen score weights would hardly change."""
_MAX_SCORES = 2**24
"""The largest number of scores in memory at once: 64 MiB of float32."""
_NUM_CANDIDATES = 200
"""The number of candidate movies of a reviewer that are taken by relevance, and also the number taken by each
neighbour table."""
_COMPARED_AT_ONCE = 2**16
"""The largest number of scores that are compared with scores of held-out likes at once: 256 KiB of float32,
which fit into a processor's cache."""
_DEPTHS = (10, 20, 50)
"""The lengths k of top lists over which NDCG@k is averaged to compare weights; long lists make the average
less dependent on chance."""


class Parts(NamedTuple):
    """Holds the components of the score of each candidate movie, in arrays with a row for each reviewer."""

    relevance: Floats
    """float32 [num_reviewers, num_candidates], the relevance of each candidate movie; minus infinity at
    unused positions."""
    log_like: Floats
    """float32 [num_reviewers, num_candidates], the logarithm of the chance that the reviewer likes the
    movie."""
    near: list[Floats]
    """One array for each neighbour table, float32 [num_reviewers, num_candidates], which says how similar
    each candidate movie is to the movies in the reviewer's history. The similarities between a candidate and
    the reviewed movies are taken from the neighbour table, multiplied by weights of the reviews, and added
    up. The weight of a review depends on the review's age and rating. The sum is divided by `mass`, the
    length of the reviewer's history. If the training built a table of movies with similar metadata, the last
    array in `near` is computed from the table of movies with similar metadata."""
    next: Floats | None
    """float32 [num_reviewers, num_candidates], the part of each candidate movie's score that comes from the
    order of reviews. The part of the score in `next` is high if many reviewers reviewed the candidate soon
    after a movie of the reviewer's history. The field `next` is None if the training built no neighbour table
    of the kind SUCCESSORS (movies that reviewers reviewed soon after each movie)."""
    relevant: NDArray[np.bool_]
    """bool [num_reviewers, num_candidates], True for candidate movies that are held-out likes."""
    num_relevant: Rows
    """int64 [num_reviewers], the number of held-out likes of each reviewer."""
    mass: Floats
    """float32 [num_reviewers, 1], the length of each reviewer's history, in which older reviews count less;
    at least 1."""

    def lowered(self, length_power: float) -> Parts:
        """Returns a copy whose arrays in `near` are divided by `mass ** length_power` instead of `mass`.

        The field `mass` holds the length of each reviewer's history, in which older reviews count less. With
        a `length_power` of 1, `near` holds each candidate movie's mean similarity to the movies in the
        reviewer's history. With a `length_power` of 0, `near` holds the sum of the candidate movie's
        similarities to the movies in the reviewer's history.
        """
        factor = self.mass ** np.float32(1 - length_power)
        return self._replace(near=[near * factor for near in self.near])


def figure_of(parts: Parts, scores: Floats) -> float:
    """Returns the mean NDCG over all reviewers: the mean of the numbers that `figures_of` returns."""
    return float(figures_of(parts, scores).mean())


def figures_of(parts: Parts, scores: Floats) -> Doubles:
    """Returns each reviewer's mean of NDCG@10, NDCG@20 and NDCG@50, float64 [num_reviewers].

    A liked movie ranks after all other movies with an equal score.
    """
    rows, columns = parts.relevant.nonzero()
    ranks = (scores[rows] >= scores[rows, columns][:, None]).sum(axis=1) - 1
    figures = [ndcg_of_ranks(ranks, rows, parts.num_relevant, depth) for depth in _DEPTHS]
    return np.asarray(np.mean(figures, axis=0))


def figures_of_grid(
    parts: Parts,
    relevance: Floats,
    near: Floats,
    near_weights: Sequence[float],
    like_weights: Sequence[float],
) -> Doubles:
    """Returns the mean NDCG over all reviewers for each pair of values in `near_weights` and `like_weights`.

    A candidate movie has the score `relevance + near_weight * near + like_weight * parts.log_like`, in which
    `near` is the movie's similarity to the reviewer's history. The array `near` is float32 [num_reviewers,
    num_candidates]. The array `relevance`, float32 [num_reviewers, num_candidates], holds each candidate's
    relevance. To include the field `Parts.next` (the part of a score that comes from the order of reviews),
    the caller adds a weighted `Parts.next` to the array `relevance` before the call.

    For each `near_weight` and `like_weight`, the mean NDCG equals the result of `figure_of` for the scores
    with the two weights. The rank of a held-out like is found by counting the candidate movies with an equal
    or higher score. To save time, the function finds the ranks of only a few held-out likes at once: the
    candidate movies' scores then fit into the cache of a processor.

    Returns:
        float64 [num_near_weights, num_like_weights], the mean NDCG over all reviewers.
    """
    rows, columns = parts.relevant.nonzero()
    discounted = discounts(max(_DEPTHS))
    ideal = np.cumsum(discounted)
    gains = np.zeros((len(discounted) + 1, len(rows)))  # The last row is the gain of all higher ranks: none.
    for depth in _DEPTHS:
        best = ideal[np.minimum(parts.num_relevant, depth)[rows] - 1]
        gains[:depth] += discounted[:depth, None] / best / len(_DEPTHS)
    figures = np.zeros((len(near_weights), len(like_weights)))
    step = max(1, _COMPARED_AT_ONCE // relevance.shape[1])
    for begin in range(0, len(rows), step):
        likes = slice(begin, begin + step)
        own, by_near, by_like = (
            values[rows[likes]] - values[rows[likes], columns[likes]][:, None]
            for values in (relevance, near, parts.log_like)
        )
        numbers = np.arange(len(rows))[likes]
        bounds = [np.float32(-like_weight) * by_like for like_weight in like_weights]
        for row, near_weight in enumerate(near_weights):
            come = own + np.float32(near_weight) * by_near
            for column, bound in enumerate(bounds):
                is_ahead = come >= bound  # The candidate's score is at least the score of the held-out like.
                ranks = is_ahead.view(np.int8).sum(axis=1, dtype=np.int16) - 1
                figures[row, column] += gains[np.minimum(ranks, len(discounted)), numbers].sum()
    return figures / len(parts.num_relevant)


def collect(trained: TrainedModel, held_out: Reviews, seed: int) -> Parts:
    """Computes the relevance, the chance of a like and the similarities of each reviewer's candidate movies.

    The candidate movies of a reviewer are the movies of the reviewer's held-out likes, and the best unseen
    movies by relevance and by each neighbour table.
    """
    model = trained.model
    power = model.relevance.recency_power
    tables = [NearTable(table, 1.0, power) for table in (*trained.tables.values(), trained.content) if table]
    if trained.successors is not None:
        tables.append(NearTable(trained.successors, 1.0, SUCCESSOR_RECENCY))
    liked = held_out.select(held_out.likes(model.blend.like_rating))
    rows = np.unique(liked.reviewer_rows)
    if len(rows) > _MAX_REVIEWERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MAX_REVIEWERS, replace=False))
    at_once = max(1, _MAX_SCORES // model.num_movies)
    batches = [
        _collect_batch(model, tables, liked, rows[begin : min(begin + at_once, last)])
        for first, last in model.histories.batches(rows)
        for begin in range(first, last, at_once)
    ]
    counts, own, log_like, relevant, *near = (np.concatenate(column) for column in zip(*batches, strict=True))
    places = np.repeat(np.arange(len(rows)), counts)
    columns = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)

    def laid_out(values: NDArray[Any], fill: float | bool) -> NDArray[Any]:
        out = np.full((len(rows), int(counts.max())), fill, dtype=values.dtype)
        out[places, columns] = values
        return out

    summed = [laid_out(values, 0.0) for values in near]
    histories = model.histories.take(rows)
    mass = np.maximum(sums(recency_weights(histories.ages, power), histories.offsets), np.float32(1))
    return Parts(
        laid_out(own, -np.inf),
        laid_out(log_like, 0.0),
        summed if trained.successors is None else summed[:-1],
        None if trained.successors is None else summed[-1],
        laid_out(relevant, False),
        np.diff(liked.offsets())[rows],
        mass.astype(np.float32)[:, None],
    )


def _collect_batch(
    model: Model, tables: Sequence[NearTable], liked: Reviews, rows: NDArray[np.integer]
) -> list[NDArray[Any]]:
    """Returns each reviewer's number of candidate movies, and the components of each candidate's score."""
    reviewers, offsets = model.reviewers(rows), liked.offsets()
    own = (reviewers.queries @ model.relevance.movie_vectors.T).astype(np.float32)
    seen = (reviewers.histories.places, reviewers.histories.movie_rows)
    lengths = offsets[rows + 1] - offsets[rows]
    targets = np.zeros(own.shape, dtype=bool)
    targets[np.repeat(np.arange(len(rows)), lengths), liked.movie_rows[spans(offsets[rows], lengths)]] = True
    near_by = [model.near_by([table], reviewers.histories) for table in tables]
    chosen = targets.copy()
    count = min(_NUM_CANDIDATES, model.num_movies)
    for values in (own, *(near.at(ALL).reshape(own.shape).astype(np.float32) for near in near_by)):
        unseen = values.copy()
        unseen[seen] = -np.inf
        np.put_along_axis(chosen, k_highest_of_rows(unseen, count), True, axis=1)
    chosen[seen] = False
    places, movie_rows = np.nonzero(chosen)
    log_like = np.zeros(len(places), dtype=np.float32)
    if model.rating is not None:
        log_like = model.log_like(model.rate_pairs(reviewers, places, movie_rows))
    keys = model.keys(places, movie_rows)
    near = (one.at(keys).astype(np.float32) for one in near_by)
    found = (own[places, movie_rows], log_like, targets[places, movie_rows])
    return [chosen.sum(axis=1), *found, *near]


def spread_of(parts: Parts, values: Floats) -> float:
    """Returns the mean, over all reviewers, of the standard deviation of `values` over the candidates."""
    return float(np.nanmean(np.nanstd(np.where(np.isfinite(parts.relevance), values, np.nan), axis=1)))
