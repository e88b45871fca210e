"""What each reviewer reviewed, oldest first: the slices that vectors are pooled from and lists leave out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import distinct, spans

_REVIEWS_AT_ONCE = 2**20


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


def blocks(offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cuts all reviewers into stretches of about a million reviews: begin and end of each."""
    cuts = np.searchsorted(offsets, np.arange(0, int(offsets[-1]), _REVIEWS_AT_ONCE), side="left")
    borders = np.unique(np.concatenate([[0], cuts, [len(offsets) - 1]])).tolist()
    return list(pairwise(borders))


def stretch(histories: Histories, begin: int, end: int) -> Histories:
    """The histories of neighbouring rows, as views of the arrays."""
    offsets = histories.offsets[begin : end + 1]
    reviews = slice(int(offsets[0]), int(offsets[-1]))
    return Histories(offsets - offsets[0], histories.movie_rows[reviews], histories.level_rows[reviews])
