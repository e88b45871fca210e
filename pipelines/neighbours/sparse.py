"""Converts reviews and neighbour tables to sparse matrices and back, and selects large values of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import k_highest_of_rows
from engine.model.neighbours import NeighbourTable
from pipelines.dataset.reviews import Reviews

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def review_matrix(reviews: Reviews, weights: NDArray[np.floating] | None = None) -> csr_array:
    """Returns the weights of reviews, by default 1, as a sparse matrix, [num_reviewers, num_movies]."""
    from scipy.sparse import csr_array

    values = np.ones(len(reviews), dtype=np.float32) if weights is None else weights
    shape = (reviews.num_reviewers, reviews.num_movies)
    return csr_array((values, reviews.movie_rows, reviews.offsets()), shape=shape)


def matrix_of(table: NeighbourTable) -> csr_array:
    """Converts a neighbour table to a sparse matrix with one row per movie, [num_movies, num_movies].

    A row of the sparse matrix holds the weights of one movie's neighbours.
    """
    from scipy.sparse import csr_array

    shape = (table.num_movies, table.num_movies)
    return csr_array((table.weights, table.movie_rows, table.offsets), shape=shape)


def table_of(matrix: csr_array) -> NeighbourTable:
    """Converts a sparse matrix, [num_movies, num_movies], to a neighbour table.

    A row of the sparse matrix holds the weights of one movie's neighbours.
    """
    return NeighbourTable(
        matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
    )


def strongest(matrix: csr_array, num_kept: int) -> csr_array:
    """Keeps the `num_kept` values of largest magnitude in each row of a sparse matrix, sorted by column.

    Among values of equal magnitude, the values in columns with lower numbers are kept.
    """
    from scipy.sparse import csr_array

    matrix = csr_array(matrix)
    matrix.sort_indices()
    magnitudes = np.abs(matrix.data)
    kept = magnitudes > 0
    for row in np.flatnonzero(np.diff(matrix.indptr) > num_kept).tolist():
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        own = magnitudes[part]
        least = -np.partition(-own, num_kept - 1)[num_kept - 1] if num_kept else np.inf
        equal = np.flatnonzero(own == least)
        kept[part] &= own >= least
        kept[part][equal[num_kept - np.count_nonzero(own > least) :]] = False
    offsets = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return csr_array((matrix.data[kept], matrix.indices[kept], offsets), shape=matrix.shape)


def strongest_of_dense(matrix: NDArray[np.floating], num_kept: int) -> csr_array:
    """Keeps the `num_kept` values of largest magnitude in each row of a dense matrix, as a sparse matrix."""
    from scipy.sparse import csr_array

    columns = np.sort(k_highest_of_rows(np.abs(matrix), num_kept), axis=1)  # [num_rows, num_kept]
    values = np.take_along_axis(matrix, columns, axis=1)
    present = values != 0
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    return csr_array((values[present], columns[present], offsets), shape=matrix.shape)
