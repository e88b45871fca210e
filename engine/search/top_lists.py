"""Makes the top lists of many reviewers in one call, from candidates or from all movies.

Most of the time of scoring is spent on predicting ratings, and a predicted rating can only lower a movie's
score. To save time, ratings are predicted for the movies of highest relevance first. The search ends once the
relevance of every movie without a predicted rating is below the k-th best full score (threshold algorithm of
Fagin, Lotem & Naor 2003). The resulting top lists are the same as if the rating of every candidate were
predicted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows, k_highest_of_rows
from engine.model.scorer import Model
from engine.model.values import Reviewers
from engine.search.candidates import CandidateSource

_FIRST_WIDTH = 24
"""The number of movies per reviewer whose ratings are predicted first, for a list of up to 12 movies; for a
longer list, the number is twice the length of the list."""
_MAX_SCORES = 2**23
"""The largest number of scores that `exhaustive_lists` computes in one step; the scores of a step take 32 MiB
as float32."""


class TopLists(NamedTuple):
    """Holds one list of movies for each reviewer, best movie first; short lists are padded to k entries."""

    movie_rows: Rows
    """int64 [num_reviewers, k], the rows of the listed movies; padded with -1 if a list has fewer than k
    movies."""
    scores: Floats
    """float32 [num_reviewers, k], the full scores of the listed movies: relevance plus the weighted logarithm
    of the chance of a like. The scores are padded with minus infinity if a list has fewer than k movies."""
    relevance: Floats
    """float32 [num_reviewers, k], the relevance of the listed movies: the full score before the weighted
    logarithm of the chance of a like is added. The array `relevance` is padded with minus infinity if a list
    has fewer than k movies."""
    probabilities: Floats | None
    """float32 [num_reviewers, k, num_levels], the chances of the rating levels of the listed movies; None if
    the data has no ratings."""


class _Choice(NamedTuple):
    """Holds the candidates of each reviewer, sorted by movie row, in matrices with a row per reviewer."""

    movie_rows: Rows | None
    """int64 [num_reviewers, width], the movie rows of each reviewer's candidates, padded with -1; None if all
    movies are candidates, so that column i belongs to movie row i."""
    relevance: Floats
    """float32 [num_reviewers, width], the relevance of each candidate; minus infinity for seen movies and for
    padding."""

    def rows(self, places: Rows, columns: Rows) -> Rows:
        """Returns the movie rows of chosen candidates, int64 [num, num_columns].

        Args:
            places: the positions of the chosen reviewers, int64 [num].
            columns: for each chosen reviewer, the positions of the chosen candidates, int64 [num,
                num_columns].
        """
        return columns if self.movie_rows is None else self.movie_rows[places[:, None], columns]


def top_lists(source: CandidateSource, reviewer_rows: NDArray[np.integer], k: int) -> TopLists:
    """Makes each reviewer's list of the k best candidates; `source` finds the candidates."""
    model = source.model
    lists = []
    for begin, end in model.histories.batches(reviewer_rows):
        reviewers = model.reviewers(reviewer_rows[begin:end])
        places, movie_rows = source.find_many(reviewers, k)
        lists.append(_best(model, reviewers, _from_pairs(model, reviewers, places, movie_rows), k))
    return _joined(lists, model, k)


def exhaustive_lists(model: Model, reviewer_rows: NDArray[np.integer], k: int) -> TopLists:
    """Makes each reviewer's list of the k best of all unseen movies, to measure the recall of a search."""
    at_once = max(1, _MAX_SCORES // max(model.num_movies, 1))
    lists = []
    for first, last in model.histories.batches(reviewer_rows):
        for begin in range(first, last, at_once):
            reviewers = model.reviewers(reviewer_rows[begin : min(begin + at_once, last)])
            lists.append(_best(model, reviewers, _from_all(model, reviewers), k))
    return _joined(lists, model, k)


def _from_pairs(model: Model, reviewers: Reviewers, places: Rows, movie_rows: Rows) -> _Choice:
    counts = np.bincount(places, minlength=len(reviewers))
    columns = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(reviewers), int(counts.max(initial=0)))
    rows = np.full(shape, -1, dtype=np.int64)
    rows[places, columns] = movie_rows
    relevance = np.full(shape, -np.inf, dtype=np.float32)
    relevance[places, columns] = model.relevance_of_pairs(reviewers, places, movie_rows)
    return _Choice(rows, relevance)


def _from_all(model: Model, reviewers: Reviewers) -> _Choice:
    relevance = reviewers.queries @ model.relevance.movie_vectors.T
    near = reviewers.near
    relevance.reshape(-1)[near.rows] += near.values.astype(np.float32)
    if model.doubts is not None:
        relevance[:, model.doubts.is_cold] -= model.doubts.of_reviewers(reviewers.queries)[:, None]
    relevance[reviewers.histories.places, reviewers.histories.movie_rows] = -np.inf
    return _Choice(None, relevance)


def _best(model: Model, reviewers: Reviewers, choice: _Choice, k: int) -> TopLists:
    """Finds each reviewer's k best candidates; predicts ratings only until the k best are certain."""
    found = _empty(len(reviewers), k, model)
    total = choice.relevance.shape[1]
    rated = model.rating is not None and model.blend.like_weight > 0
    width = min(total, max(_FIRST_WIDTH, 2 * k) if rated else k)
    pending = np.arange(len(reviewers))
    while len(pending) and total:
        relevance = choice.relevance[pending]
        columns = np.sort(k_highest_of_rows(relevance, width), axis=1)
        some = _scored(model, reviewers, choice, pending, columns, k)
        last = np.take_along_axis(relevance, columns, axis=1).min(axis=1)
        # A movie without a predicted rating has a score of at most `last`, so the k best movies are certain
        # once the k-th best score is above `last`.
        settled = some.scores[:, min(k, width) - 1] > last if rated else np.ones(len(pending), dtype=bool)
        settled |= np.isneginf(last) | (width == total)
        for whole, part in zip(found, some, strict=True):
            if whole is not None and part is not None:
                whole[pending[settled], : part.shape[1]] = part[settled]
        pending = pending[~settled]
        width = min(total, 2 * width)
    return found


def _scored(
    model: Model, reviewers: Reviewers, choice: _Choice, places: Rows, columns: Rows, k: int
) -> TopLists:
    """Computes the full scores of each reviewer's chosen candidates, and returns the k best."""
    rows = choice.rows(places, columns)
    relevance = choice.relevance[places[:, None], columns]
    scores, chances = relevance, None
    if model.rating is not None:
        present = ~np.isneginf(relevance)
        chances = np.zeros((*rows.shape, len(model.rating.levels)), dtype=np.float32)
        pairs = np.broadcast_to(places[:, None], rows.shape)[present]
        chances[present] = model.rate_pairs(reviewers, pairs, rows[present])
        likes = model.log_like(chances.reshape(-1, chances.shape[-1])).reshape(rows.shape)
        scores = (relevance + np.float32(model.blend.like_weight) * likes).astype(np.float32)
    order = k_highest_of_rows(scores, k)
    best = np.take_along_axis(scores, order, axis=1)
    listed = np.where(np.isneginf(best), -1, np.take_along_axis(rows, order, axis=1))
    relevance = np.take_along_axis(relevance, order, axis=1)
    if chances is not None:
        chances = np.take_along_axis(chances, order[..., None], axis=1)
    return TopLists(listed, best, relevance, chances)


def _empty(num_reviewers: int, k: int, model: Model) -> TopLists:
    shape = (num_reviewers, k)
    nothing = np.full(shape, -np.inf, dtype=np.float32)
    chances = None
    if model.rating is not None:
        chances = np.zeros((*shape, len(model.rating.levels)), dtype=np.float32)
    return TopLists(np.full(shape, -1, dtype=np.int64), nothing, nothing.copy(), chances)


def _joined(lists: list[TopLists], model: Model, k: int) -> TopLists:
    lists = lists or [_empty(0, k, model)]
    columns: Any = (
        None if column[0] is None else np.concatenate(column) for column in zip(*lists, strict=True)
    )
    return TopLists(*columns)
