"""Holds who reviewed what, oldest first: vectors are pooled from histories, and lists leave them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import distinct, spans

_REVIEWS_AT_ONCE = 2**20
"""Reviews in a part of all histories, so that its arrays take some megabytes each."""
_LOAD = 2**13
"""Reviews in a batch of reviewers; the some hundred neighbours of each are in memory at once."""
_LEAST_LOAD = 2**4
"""A reviewer counts as at least this many reviews when batches are cut, having fixed costs."""


class History(NamedTuple):
    """Holds one reviewer's reviews, oldest first."""

    movie_rows: NDArray[np.int32]
    """int32 [num_reviews]."""
    level_rows: NDArray[np.int8]
    """int8 [num_reviews], positions in the rating levels."""


@dataclass(frozen=True, eq=False)
class Histories:
    """Holds the histories of all reviewers in three arrays, which may be mapped files."""

    offsets: NDArray[np.int64]
    """int64 [num_reviewers + 1]."""
    movie_rows: NDArray[np.int32]
    """int32 [num_reviews]."""
    level_rows: NDArray[np.int8]
    """int8 [num_reviews]."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of_one(cls, history: History) -> Histories:
        """Makes a single history the only one."""
        return cls(np.array([0, len(history.movie_rows)]), history.movie_rows, history.level_rows)

    def of(self, reviewer_row: int) -> History:
        """Returns the history of one reviewer, as views of the arrays."""
        begin, end = self.offsets[reviewer_row], self.offsets[reviewer_row + 1]
        return History(self.movie_rows[begin:end], self.level_rows[begin:end])

    def take(self, reviewer_rows: NDArray[np.integer]) -> Histories:
        """Copies the histories of some reviewers, in the order asked for."""
        begins = self.offsets[reviewer_rows]
        lengths = self.offsets[np.asarray(reviewer_rows) + 1] - begins
        return self._stretches(begins, lengths)

    def latest(self, max_reviews: int) -> Histories:
        """Cuts each history down to its latest reviews, at most `max_reviews`."""
        lengths = self.lengths
        if not len(self) or lengths.max() <= max_reviews:
            return self
        shorter = np.minimum(lengths, max_reviews)
        return self._stretches(self.offsets[1:] - shorter, shorter)

    def _stretches(self, begins: NDArray[np.integer], lengths: NDArray[np.integer]) -> Histories:
        sources = spans(begins, lengths)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return Histories(offsets, self.movie_rows[sources], self.level_rows[sources])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Returns the number of reviews in each history, int64 [num_reviewers]."""
        return np.diff(self.offsets)

    @property
    def places(self) -> NDArray[np.int64]:
        """Returns the position of the history that each review belongs to, int64 [num_reviews]."""
        return np.arange(len(self)).repeat(self.lengths)

    @property
    def ages(self) -> NDArray[np.int64]:
        """Numbers the reviews of each history from the latest, which has 1: int64 [num_reviews]."""
        return self.offsets[1:].repeat(self.lengths) - np.arange(len(self.movie_rows))

    def by_length(self, step: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Groups the histories whose lengths differ by less than `step`.

        Gives for each group a length that no history in it exceeds, and their positions, int64, ascending.
        """
        lengths = -(-self.lengths // step) * step
        for length in distinct(lengths):
            yield int(length), np.flatnonzero(lengths == length)

    def batches(self, reviewer_rows: NDArray[np.integer]) -> list[tuple[int, int]]:
        """Returns begin and end of each batch of reviewers; scoring one takes some hundred megabytes."""
        rows = np.asarray(reviewer_rows)
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        load = np.cumsum(np.maximum(lengths, _LEAST_LOAD)) // _LOAD
        cuts = np.flatnonzero(np.diff(load)) + 1
        return list(zip([0, *cuts], [*cuts, len(load)], strict=True)) if len(load) else []

    def parts(self) -> Iterator[tuple[slice, Histories]]:
        """Cuts all histories into parts of about a million reviews: reviewer rows, and views of arrays."""
        cuts = np.searchsorted(self.offsets, np.arange(0, int(self.offsets[-1]), _REVIEWS_AT_ONCE))
        for begin, end in pairwise(distinct(np.array([0, *cuts, len(self)])).tolist()):
            offsets = self.offsets[begin : end + 1]
            reviews = slice(int(offsets[0]), int(offsets[-1]))
            part = Histories(offsets - offsets[0], self.movie_rows[reviews], self.level_rows[reviews])
            yield slice(begin, end), part


def recency_weights(ages: NDArray[np.integer], power: float) -> NDArray[np.float32]:
    """Weighs reviews by their age: the n-th last counts `n ** -power`.

    Example:
        >>> recency_weights(np.array([3, 2, 1]), 1.0).round(3).tolist()
        [0.3330000042915344, 0.5, 1.0]
    """
    weights: NDArray[np.float32] = ages.astype(np.float32) ** np.float32(-power)
    return weights
