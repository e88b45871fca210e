"""Sparse matrices of movies by movies, of whose rows the strongest entries are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def strongest_entries(
    matrix: csr_array, num_kept: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The values of largest size in each row; equal ones go by their columns.

    Args:
        matrix: any; zeros that it stores are removed.
        num_kept: of each row at most.

    Returns:
        Their rows, ascending, their columns, ascending in each row, and the values.
    """
    matrix.eliminate_zeros()
    places = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -np.abs(matrix.data), places))
    ranks = np.arange(len(order)) - matrix.indptr[:-1][places[order]]
    kept = order[ranks < num_kept]
    kept = kept[np.lexsort((matrix.indices[kept], places[kept]))]
    return places[kept], matrix.indices[kept].astype(np.int64), matrix.data[kept].astype(np.float32)
