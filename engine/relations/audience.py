"""Which reviewers to tell about a movie: the same final score as in a reviewer's list, over all reviewers.

A movie's relevance is a sum over a reviewer's reviews, so one number a movie is worked out first, and then
every history is gone through once, in blocks. The chance of a like only lowers a score, so reviewers are
rescored in the order of relevance until no one further down can come before those found: the answer is that
of scoring all of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows, sums
from engine.model.histories import Histories, blocks, recency_weights, stretch
from engine.model.neighbours import OFFSET_DAMPING, RATING_PRIOR, NeighbourTable
from engine.model.scorer import Model

_RESCORED_AT_ONCE = 2**10
_ROUNDING = 1e-3


class ScoredReviewers(NamedTuple):
    """Reviewers for a movie, highest score first, equal ones by row."""

    rows: Rows
    """int64 [num]."""
    score: Floats
    """float32 [num]."""
    relevance: Floats
    """float32 [num]."""
    probabilities: Floats | None
    """float32 [num, num_levels]; None where the data has no ratings."""


def find_reviewers(model: Model, movie_row: int, k: int, seen_rows: Rows) -> ScoredReviewers:
    """The reviewers for whom a movie scores highest.

    Args:
        model: scores them.
        movie_row: the movie.
        k: how many are wanted; fewer only where fewer have not seen it.
        seen_rows: int64 [num], movies whose reviewers are left out: the movie itself, and its variants.
    """
    relevance, seen = _relevance_of_all(model, movie_row, seen_rows)
    order = np.flatnonzero(~seen)
    order = order[np.argsort(-relevance[order], kind="stable")]
    if model.rating is None:
        best = order[:k]
        return ScoredReviewers(best, relevance[best], relevance[best], None)
    bonus = max(
        0.0, model.blend.like_weight * np.log(1e-6)
    )  # the most that a like adds: 0 but for odd weights
    columns = None if model.rating_neighbours is None else _column(model.rating_neighbours, movie_row)
    found = ScoredReviewers(
        order[:0], relevance[:0], relevance[:0], np.zeros((0, len(model.rating.levels)), dtype=np.float32)
    )
    for begin in range(0, len(order), max(k, _RESCORED_AT_ONCE)):
        rows = order[begin : begin + max(k, _RESCORED_AT_ONCE)]
        if len(found.rows) == k and relevance[rows[0]] + bonus + _ROUNDING < found.score[-1]:
            break
        found = _best(found, _rescore(model, movie_row, rows, relevance[rows], columns), k)
    return found


def _relevance_of_all(model: Model, movie_row: int, seen_rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
    """Of every reviewer the relevance of the movie, float32, and whether they have seen it."""
    head, offsets = model.relevance, model.histories.offsets
    vector = np.asarray(head.movie_vectors[movie_row])
    pulls = head.history_vectors @ vector[:-1]  # [num_movies], what a review of each movie adds
    nearness = _column(model.nearness_table, movie_row)
    is_seen = np.zeros(model.num_movies, dtype=bool)
    is_seen[seen_rows] = True
    relevance = np.zeros(len(model.histories), dtype=np.float32)
    seen = np.zeros(len(model.histories), dtype=bool)
    for begin, end in blocks(offsets):
        histories = stretch(model.histories, begin, end)
        fading = _fading(histories, head.recency_power)
        liked = fading * model.like_weights[histories.level_rows] * nearness[histories.movie_rows]
        mass = np.maximum(sums(fading, histories.offsets), np.float32(1))
        near = model.blend.neighbour_weight * sums(liked, histories.offsets) / mass
        recent = histories.latest(head.max_history)
        fading = fading if recent is histories else _fading(recent, head.recency_power)
        pulled = fading * head.level_weights[recent.level_rows] * pulls[recent.movie_rows]
        pooled = sums(pulled, recent.offsets) / np.sqrt(sums(fading, recent.offsets) + np.float32(1))
        own = head.reviewer_embeddings[begin:end] @ vector[:-1]
        relevance[begin:end] = pooled + own + vector[-1] + near
        seen[begin:end] = sums(is_seen[histories.movie_rows].astype(np.int64), histories.offsets) > 0
    return relevance, seen


def _rescore(
    model: Model, movie_row: int, rows: Rows, relevance: Floats, columns: Floats | None
) -> ScoredReviewers:
    if model.rating is None:
        raise ValueError("The data has no ratings to predict")
    head, histories = model.rating, model.histories.take(rows)
    near = np.zeros(len(rows))
    if columns is not None:
        residuals = head.levels[histories.level_rows] - head.baselines[histories.movie_rows]
        damped = sums(residuals, histories.offsets) / (histories.lengths + OFFSET_DAMPING)
        weights = columns[histories.movie_rows].astype(np.float64)
        above = sums(weights * (residuals - damped[histories.places]), histories.offsets)
        near = above / (sums(weights, histories.offsets) + RATING_PRIOR)
    location, log_scale = head.locate(
        head.tastes(rows, histories), np.full(len(rows), movie_row), model.blend.interaction_weight
    )
    location = (location + np.float32(model.blend.rating_neighbour_weight) * near).astype(np.float32)
    probabilities = head.probabilities(location, log_scale + np.float32(model.blend.log_temperature))
    log_like = np.log(np.maximum(model.like_probability(probabilities), 1e-6))
    score = (relevance + np.float32(model.blend.like_weight) * log_like).astype(np.float32)
    return ScoredReviewers(rows, score, relevance, probabilities)


def _best(first: ScoredReviewers, second: ScoredReviewers, k: int) -> ScoredReviewers:
    """The k highest scores of two sets of reviewers."""
    rows, score, relevance = (
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("rows", "score", "relevance")
    )
    best = np.lexsort((rows, -score))[:k]
    if first.probabilities is None or second.probabilities is None:
        return ScoredReviewers(rows[best], score[best], relevance[best], None)
    probabilities = np.concatenate([first.probabilities, second.probabilities])
    return ScoredReviewers(rows[best], score[best], relevance[best], probabilities[best])


def _fading(histories: Histories, power: float) -> Floats:
    """What each review counts by its age; a power is slow, so it is worked out once an age."""
    longest = int(histories.lengths.max(initial=0))
    return recency_weights(np.arange(1, longest + 1), power)[histories.ages - 1]


def _column(table: NeighbourTable, movie_row: int) -> Floats:
    """How near one movie is to each movie in whose list of neighbours it stands: float32 [num_movies]."""
    places = np.flatnonzero(table.movie_rows == movie_row)
    column = np.zeros(table.num_movies, dtype=np.float32)
    column[np.searchsorted(table.offsets, places, side="right") - 1] = table.weights[places]
    return column
