"""What each reviewer reviewed, oldest first: the slices that vectors are pooled from and lists leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import distinct


class History(NamedTuple):
    """One reviewer's reviews, oldest first."""

    movie_rows: NDArray[np.int32]
    """int32 [num_reviews]."""
    level_rows: NDArray[np.int8]
    """int8 [num_reviews], positions in the rating levels."""


class Histories:
    """The histories of all reviewers in three arrays, which may be mapped files.

    Args:
        offsets: int64 [num_reviewers + 1].
        movie_rows: int32 [num_reviews].
        level_rows: int8 [num_reviews].
    """

    def __init__(
        self, offsets: NDArray[np.int64], movie_rows: NDArray[np.int32], level_rows: NDArray[np.int8]
    ) -> None:
        self.offsets = offsets
        self.movie_rows = movie_rows
        self.level_rows = level_rows

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of_one(cls, history: History) -> Histories:
        """A single history as the only one."""
        return cls(np.array([0, len(history.movie_rows)]), history.movie_rows, history.level_rows)

    def take(self, reviewer_rows: NDArray[np.integer]) -> Histories:
        """Copies the histories of some reviewers, in that order."""
        begins = self.offsets[reviewer_rows]
        lengths = self.offsets[np.asarray(reviewer_rows) + 1] - begins
        return self._stretches(begins, lengths)

    def latest(self, max_reviews: int) -> Histories:
        """The latest reviews of each history, so many at most."""
        lengths = self.lengths
        if not len(self) or lengths.max() <= max_reviews:
            return self
        shorter = np.minimum(lengths, max_reviews)
        return self._stretches(self.offsets[1:] - shorter, shorter)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Reviews in each history, int64 [num_reviewers]."""
        lengths: NDArray[np.int64] = self.offsets[1:] - self.offsets[:-1]
        return lengths

    @property
    def places(self) -> NDArray[np.int64]:
        """Which history each review belongs to, int64 [num_reviews]."""
        return np.arange(len(self)).repeat(self.lengths)

    @property
    def ages(self) -> NDArray[np.int64]:
        """The place of each review counted from its reviewer's last, which has 1: int64 [num_reviews]."""
        return self.offsets[1:].repeat(self.lengths) - np.arange(len(self.movie_rows))

    def by_length(self, step: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Groups the histories whose lengths differ by less than `step`.

        Returns:
            Of each group a length that none in it exceeds, and their places, int64, ascending.
        """
        lengths = -(-self.lengths // step) * step
        for length in distinct(lengths):
            yield int(length), np.flatnonzero(lengths == length)

    def _stretches(self, begins: NDArray[np.integer], lengths: NDArray[np.integer]) -> Histories:
        sources = spans(begins, lengths)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return Histories(offsets, self.movie_rows[sources], self.level_rows[sources])

    def of(self, reviewer_row: int) -> History:
        """The history of the reviewer in that row, as views of the arrays."""
        begin, end = self.offsets[reviewer_row], self.offsets[reviewer_row + 1]
        return History(self.movie_rows[begin:end], self.level_rows[begin:end])


def recency_weights(ages: NDArray[np.integer], power: float) -> NDArray[np.float32]:
    """Weights of reviews by their age: the n-th last counts `n ** -power`.

    Example:
        >>> recency_weights(np.array([3, 2, 1]), 1.0).round(3).tolist()
        [0.3330000042915344, 0.5, 1.0]
    """
    weights: NDArray[np.float32] = ages.astype(np.float32) ** np.float32(-power)
    return weights


def spans(begins: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """The positions of several stretches of an array, one behind the other: int64 [lengths.sum()].

    Example:
        >>> spans(np.array([7, 2]), np.array([2, 3])).tolist()
        [7, 8, 2, 3, 4]
    """
    ends = lengths.cumsum()
    shifts: NDArray[np.int64] = (begins - (ends - lengths)).repeat(lengths)
    return shifts + np.arange(len(shifts))


def sums(values: NDArray[np.floating], offsets: NDArray[np.integer]) -> NDArray[Any]:
    """The sum of each stretch of rows, zero where it is empty: [len(offsets) - 1, ...].

    Example:
        >>> sums(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 1, 3])).tolist()
        [1.0, 0.0, 6.0]
    """
    begins, ends = offsets[:-1], offsets[1:]
    filled = ends > begins
    if len(values) and filled.all():
        totals: NDArray[Any] = np.add.reduceat(values, begins, axis=0)
        return totals
    totals = np.zeros((len(begins), *values.shape[1:]), dtype=values.dtype)
    if filled.any():
        totals[filled] = np.add.reduceat(values, begins[filled], axis=0)
    return totals
