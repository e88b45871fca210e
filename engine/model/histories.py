"""Holds each reviewer's history: the list of the movies that the reviewer reviewed, oldest review first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, distinct, spans
from engine.artifact.arrays import check_rows, check_spans

_REVIEWS_AT_ONCE = 2**20
"""The approximate number of reviews in each part that `Histories.parts` yields, so that an array with a
number for each review takes a few megabytes."""
_LOAD = 2**13
"""The approximate largest number of reviews in a batch of reviewers. About a hundred neighbours of every
reviewed movie are held in memory while a batch is scored, so a larger batch would need too much memory."""
_LEAST_LOAD = 2**4
"""When reviews are counted for a batch, a reviewer counts as at least this many reviews, because scoring a
reviewer takes time even without reviews."""


class History(NamedTuple):
    """Holds one reviewer's reviews, oldest review first."""

    movie_rows: NDArray[np.int32]
    """int32 [num_reviews], the row of each reviewed movie."""
    level_rows: NDArray[np.int8]
    """int8 [num_reviews], the position of each review's rating in the ascending list of rating levels."""


@dataclass(frozen=True, eq=False)
class Histories:
    """Holds the histories of many reviewers in three arrays, which may be memory-mapped files."""

    offsets: NDArray[np.int64]
    """int64 [num_reviewers + 1]: the reviews of history i are at the positions from `offsets[i]` to before
    `offsets[i + 1]` of the other arrays."""
    movie_rows: NDArray[np.int32]
    """int32 [num_reviews], the row of each reviewed movie."""
    level_rows: NDArray[np.int8]
    """int8 [num_reviews], the position of each review's rating in the ascending list of rating levels."""
    limits: tuple[int, int] | None = None
    """The number of movies and the number of rating levels, against which arrays from files are checked; None
    for arrays in memory, which are not checked."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of_one(cls, history: History) -> Histories:
        """Wraps one reviewer's history as `Histories` of a single reviewer."""
        return cls(np.array([0, len(history.movie_rows)]), history.movie_rows, history.level_rows)

    def of(self, reviewer_row: int) -> History:
        """Returns the history of one reviewer, without copying the reviews where possible."""
        if self.limits is not None:
            return self.take(np.array([reviewer_row])).of(0)
        begin, end = self.offsets[reviewer_row], self.offsets[reviewer_row + 1]
        return History(self.movie_rows[begin:end], self.level_rows[begin:end])

    def take(self, reviewer_rows: NDArray[np.integer]) -> Histories:
        """Copies the histories of the given reviewers, in the order of `reviewer_rows`."""
        begins = self.offsets[reviewer_rows]
        lengths = self.offsets[np.asarray(reviewer_rows) + 1] - begins
        return self._stretches(begins, lengths)

    def latest(self, max_reviews: int) -> Histories:
        """Returns histories with only the latest `max_reviews` reviews of each reviewer."""
        lengths = self.lengths
        if not len(self) or lengths.max() <= max_reviews:
            return self
        shorter = np.minimum(lengths, max_reviews)
        return self._stretches(self.offsets[1:] - shorter, shorter)

    def _stretches(self, begins: NDArray[np.integer], lengths: NDArray[np.integer]) -> Histories:
        if self.limits is not None:
            check_spans(begins, lengths, len(self.movie_rows), self.limits[0], "histories")
        sources = spans(begins, lengths)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        taken = Histories(offsets, self.movie_rows[sources], self.level_rows[sources])
        return self._checked(taken)

    def _checked(self, part: Histories) -> Histories:
        """Returns `part`; if the arrays are memory-mapped files, first checks that all rows are in range."""
        if self.limits is not None:
            check_rows(part.movie_rows, self.limits[0], "histories")
            check_rows(part.level_rows, self.limits[1], "histories")
        return part

    def movie_counts(self, num_movies: int) -> NDArray[np.int64]:
        """Counts the reviews of each movie: int64 [num_movies]."""
        self._checked(self)
        return np.bincount(self.movie_rows, minlength=num_movies)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Returns the number of reviews in each history, int64 [num_reviewers]."""
        return np.diff(self.offsets)

    @property
    def places(self) -> NDArray[np.int64]:
        """Returns, for each review, the position of its history among all histories: int64 [num_reviews]."""
        return np.arange(len(self)).repeat(self.lengths)

    @property
    def ages(self) -> NDArray[np.int64]:
        """Numbers the reviews of each history backwards, the latest review with 1: int64 [num_reviews]."""
        return self.offsets[1:].repeat(self.lengths) - np.arange(len(self.movie_rows))

    def by_length(self, step: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Groups histories of similar length; two lengths in a group differ by less than `step` reviews.

        Yields:
            For each group, an upper bound of the lengths of the group's histories, and the positions of the
            group's histories, int64, ascending.
        """
        lengths = -(-self.lengths // step) * step
        for length in distinct(lengths):
            yield int(length), np.flatnonzero(lengths == length)

    def batches(self, reviewer_rows: NDArray[np.integer]) -> list[tuple[int, int]]:
        """Divides `reviewer_rows` into batches; scoring one batch takes about 100 megabytes of memory.

        Returns:
            The begin and the end of each batch, as positions in `reviewer_rows`.
        """
        rows = np.asarray(reviewer_rows)
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        load = np.cumsum(np.maximum(lengths, _LEAST_LOAD)) // _LOAD
        cuts = np.flatnonzero(np.diff(load)) + 1
        return list(zip([0, *cuts], [*cuts, len(load)], strict=True)) if len(load) else []

    def parts(self) -> Iterator[tuple[slice, Histories]]:
        """Divides the histories into parts of about a million reviews.

        Yields:
            For each part, the slice of the reviewers' rows, and the histories of these reviewers.
        """
        cuts = np.searchsorted(self.offsets, np.arange(0, int(self.offsets[-1]), _REVIEWS_AT_ONCE))
        for begin, end in pairwise(distinct(np.array([0, *cuts, len(self)])).tolist()):
            offsets = self.offsets[begin : end + 1]
            if self.limits is not None:
                check_spans(offsets[:-1], np.diff(offsets), len(self.movie_rows), self.limits[0], "histories")
            reviews = slice(int(offsets[0]), int(offsets[-1]))
            part = Histories(offsets - offsets[0], self.movie_rows[reviews], self.level_rows[reviews])
            yield slice(begin, end), self._checked(part)


def recency_weights(ages: NDArray[np.integer], power: float) -> Floats:
    """Returns the weight `n ** -power` of each review, where `ages` says that the review is the n-th last.

    Example:
        >>> recency_weights(np.array([3, 2, 1]), 1.0).round(3).tolist()
        [0.3330000042915344, 0.5, 1.0]
    """
    weights: Floats = ages.astype(np.float32) ** np.float32(-power)
    return weights
