"""What each reviewer reviewed, oldest first: the slices that vectors are pooled from and lists leave out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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

    def of(self, reviewer_row: int) -> History:
        """The history of the reviewer in that row, as views of the arrays."""
        begin, end = self.offsets[reviewer_row], self.offsets[reviewer_row + 1]
        return History(self.movie_rows[begin:end], self.level_rows[begin:end])


def recency_weights(num_reviews: int, power: float) -> NDArray[np.float32]:
    """Weights of a history, oldest first: the n-th last review counts `n ** -power`.

    Example:
        >>> recency_weights(3, 1.0).round(3).tolist()
        [0.3330000042915344, 0.5, 1.0]
    """
    weights: NDArray[np.float32] = np.arange(num_reviews, 0, -1, dtype=np.float32) ** np.float32(-power)
    return weights
