"""Searches for many queries at once: multiplies them with the strongest vectors, in whole matrices.

One product of two matrices takes a small part of the time of as many single searches. What takes time then is
to pick the best of each row. So columns are first taken by the highest of every few: the best `k` numbers lie
in the `k` groups whose highest numbers are the highest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

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
"""Columns that are looked at as one group, before the best of them are picked."""
_SCORES_AT_ONCE = 2**22
"""Products of a block of queries: 16 MiB, so that they stay in the processor's cache."""


class StrongestIndex(VectorIndex):
    """Compares queries with some of the vectors, exactly: the vectors that come high for many queries.

    Args:
        vectors: float32 [num_vectors, dim], at least one: all vectors that there are, or some of them.
        rows: int64 [num_vectors], ascending: what each vector is called; by default its position.

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

    def save(self, path: Path) -> None:
        """Writes the vectors and their rows as a NumPy file."""
        held = np.empty(self.num_vectors, dtype=[("row", "<i8"), ("vector", "<f4", (self.dim,))])
        held["row"], held["vector"] = self._rows, self._vectors
        write_array(path, held)

    @classmethod
    def load(cls, path: Path) -> StrongestIndex:
        """Reads what `save` wrote."""
        try:
            held = np.load(path, allow_pickle=False)
            return cls(held["vector"], held["row"])
        except (OSError, EOFError, ValueError, IndexError) as error:
            raise VectorIndexError(f"Cannot read vectors from {path}: {error}") from error

    def _search(self, queries: Floats, k: int) -> SearchResult:
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        step = max(1, _SCORES_AT_ONCE // self.num_vectors)
        for begin in range(0, len(queries), step):
            block = slice(begin, begin + step)
            products = queries[block] @ self._vectors.T  # [step, num_vectors]
            columns = _highest(products, k)
            scores[block] = np.take_along_axis(products, columns, axis=1)
            rows[block] = self._rows[columns]
        return SearchResult(scores, rows)


def strongest_rows(vectors: Floats, queries: Floats, number: int) -> Rows:
    """Finds the vectors that may have the largest products with a query: rows, int64 [number], ascending.

    The queries are a sample of those that will be asked, at least one. A query q is the mean query m and a
    rest, so that q · v <= m · v + |q - m| |v| (Cauchy & Schwarz). In |v| count only the dimensions in which
    queries differ. Vectors are ordered by that bound at the median length of the rest.
    """
    mean = queries.mean(axis=0)
    rest = queries - mean
    differs = np.abs(rest).max(axis=0) > 0
    length = np.float32(np.median(np.linalg.norm(rest, axis=1)))
    bound = vectors @ mean + length * np.linalg.norm(vectors[:, differs], axis=1)
    rows: Rows = np.sort(np.argsort(-bound, kind="stable")[:number])
    return rows


def _highest(values: Floats, k: int) -> Rows:
    """Finds the columns of the k highest numbers of each row, in no order; 1 <= k <= number of columns."""
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
