"""Searches for many queries together: one matrix product compares all queries with all vectors of the index.

Usually, a `StrongestIndex` holds only vectors that score high for many queries; the function `strongest_rows`
finds these vectors. One matrix product for many queries takes far less time than a separate search for each
query. A search computes the matrix product of queries and vectors, and then picks the k highest scores of
each query. To pick the k highest scores of a query faster, the scores are divided into groups of eight, and
only the k groups with the highest maxima are searched. The k highest scores of a query always lie in the k
groups of scores with the highest maxima.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import (
    Floats,
    Rows,
    SearchResult,
    VectorIndex,
    VectorIndexError,
    checked_vectors,
    write_array,
)

_GROUP = 8
"""The number of scores in a group; only groups with a high maximum are searched for the k highest scores."""
_SCORES_AT_ONCE = 2**22
"""The number of inner products that are computed in one step; 4 million numbers take 16 MiB, which fit into
the processor's cache."""


class StrongestIndex(VectorIndex):
    """Compares queries exactly with selected vectors, usually the vectors that score high for many queries.

    Args:
        vectors: float32 [num_vectors, dim], the selected vectors, at least one.
        rows: int64 [num_vectors], ascending, the row number of each vector, such as the row of a movie; a
            search returns row numbers. If `rows` is None, the row number of a vector is the position of the
            vector in `vectors`.

    Example:
        >>> StrongestIndex([[1.0, 0.0], [0.0, 2.0]], rows=[3, 8]).search([[1.0, 1.0]], k=1).rows.tolist()
        [[8]]
    """

    is_exact = True

    def __init__(self, vectors: ArrayLike, rows: ArrayLike | None = None) -> None:
        self._vectors = checked_vectors(vectors, "vectors", least=1)
        self.num_vectors, self.dim = self._vectors.shape
        self._rows = np.arange(len(self._vectors)) if rows is None else np.asarray(rows, dtype=np.int64)
        if self._rows.shape != (len(self._vectors),):
            raise VectorIndexError(f"{len(self._vectors)} vectors need a row each, not {self._rows.shape}")
        if self._rows[0] < 0 or not (self._rows[1:] > self._rows[:-1]).all():
            raise VectorIndexError("The rows of the vectors do not ascend from 0")

    @property
    def rows(self) -> Rows:
        """Returns the row numbers of the vectors, which searches return: int64 [num_vectors], ascending."""
        return self._rows

    def save(self, path: Path) -> None:
        """Writes the vectors and their row numbers to a NumPy file."""
        held = np.empty(self.num_vectors, dtype=[("row", "<i8"), ("vector", "<f4", (self.dim,))])
        held["row"], held["vector"] = self._rows, self._vectors
        write_array(path, held)

    @classmethod
    def load(cls, path: Path) -> StrongestIndex:
        """Reads an index from a file that `save` wrote."""
        try:
            held = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError, SyntaxError) as error:
            raise VectorIndexError(f"Cannot read vectors from {path}: {error}") from error
        return cls.of(held)

    @classmethod
    def of(cls, held: NDArray[Any]) -> StrongestIndex:
        """Makes a `StrongestIndex` from an array that `save` wrote: a row number and a vector per item."""
        if held.dtype.names != ("row", "vector") or held.ndim != 1:
            raise VectorIndexError("The array does not hold a row and a vector each")
        return cls(held["vector"], held["row"])

    def _search(self, queries: Floats, k: int) -> SearchResult:
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        step = max(1, _SCORES_AT_ONCE // self.num_vectors)
        for begin in range(0, len(queries), step):
            block = slice(begin, begin + step)
            products = queries[block] @ self._vectors.T  # [queries in the block, num_vectors]
            columns = _highest(products, k)
            scores[block] = np.take_along_axis(products, columns, axis=1)
            rows[block] = self._rows[columns]
        return SearchResult(scores, rows)


def strongest_rows(vectors: Floats, queries: Floats, number: int) -> Rows:
    """Finds the `number` vectors that are most likely to have large inner products with a query.

    The array `queries` holds sample queries, such as the vectors of some reviewers. If m is the mean of the
    sample queries, the inner product of a query q and a vector v is at most `m · v + |q - m| |v|`
    (Cauchy-Schwarz inequality). The function takes the vectors v with the highest `m · v + r |v|`, where m is
    the mean of the sample queries, and r is the median of `|q - m|` over the sample queries q. In the length
    `|v|` of a vector v, only dimensions count in which the sample queries (the rows of `queries`) differ. In
    any other dimension, each sample query equals the mean m.

    Returns:
        The rows of the vectors, int64 [number], ascending.
    """
    mean = queries.mean(axis=0)
    rest = queries - mean
    differs = np.abs(rest).max(axis=0) > 0
    length = np.float32(np.median(np.linalg.norm(rest, axis=1)))
    bound = vectors @ mean + length * np.linalg.norm(vectors[:, differs], axis=1)
    rows: Rows = np.sort(np.argsort(-bound, kind="stable")[:number])
    return rows


def _highest(values: Floats, k: int) -> Rows:
    """Returns the columns of the k highest numbers in each row of `values`, in any order; k is at least 1."""
    num_rows, num_columns = values.shape
    num_groups = num_columns // _GROUP
    if num_groups <= k:
        return _partitioned(values, k)
    whole = num_groups * _GROUP
    highest = values[:, :whole].reshape(num_rows, _GROUP, num_groups).max(axis=1)
    groups = _partitioned(highest, k)
    members = groups[:, None, :] + (np.arange(_GROUP) * num_groups)[None, :, None]
    rest = np.broadcast_to(np.arange(whole, num_columns), (num_rows, num_columns - whole))
    columns = np.concatenate([members.reshape(num_rows, -1), rest], axis=1)
    best = _partitioned(np.take_along_axis(values, columns, axis=1), k)
    return np.take_along_axis(columns, best, axis=1)


def _partitioned(values: Floats, k: int) -> Rows:
    border = values.shape[1] - k
    return np.argpartition(values, border, axis=1)[:, border:]
