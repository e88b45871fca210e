"""Movies that share reviewers: a sparse table that finds candidates which an embedding misses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class NeighbourTable:
    """The neighbours of each movie with their weights, in three arrays, which may be mapped files.

    Args:
        offsets: int64 [num_movies + 1].
        movie_rows: int32 [num_pairs], the neighbours.
        weights: float32 [num_pairs], how near they are.
    """

    def __init__(
        self, offsets: NDArray[np.int64], movie_rows: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> None:
        self.offsets = offsets
        self.movie_rows = movie_rows
        self.weights = weights

    @property
    def num_movies(self) -> int:
        """How many movies have a list of neighbours, empty or not."""
        return len(self.offsets) - 1

    def of(self, movie_row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The neighbours of one movie and their weights."""
        begin, end = self.offsets[movie_row], self.offsets[movie_row + 1]
        return self.movie_rows[begin:end], self.weights[begin:end]

    def spread(
        self, movie_rows: NDArray[np.integer], *amounts: NDArray[np.floating]
    ) -> list[NDArray[np.float64]]:
        """Gives each neighbour of some movies its weight times the movie's amount, and adds up.

        Args:
            movie_rows: int [num], such as a history.
            amounts: one or more float [num]; the neighbours are gone through once for all of them.

        Returns:
            For each of `amounts` the sums, float64 [num_movies].
        """
        begins, ends = self.offsets[movie_rows], self.offsets[np.asarray(movie_rows) + 1]
        lengths = ends - begins
        total = int(lengths.sum())
        if total == 0:
            return [np.zeros(self.num_movies) for _ in amounts]
        starts = np.cumsum(lengths) - lengths
        places = np.repeat(begins - starts, lengths) + np.arange(total)
        neighbours, weights = self.movie_rows[places], self.weights[places]
        given = (weights * np.repeat(amount, lengths) for amount in amounts)
        return [np.asarray(np.bincount(neighbours, each, self.num_movies), np.float64) for each in given]
