"""Search for many queries at once: their products with the strongest vectors, in whole matrices.

One product of two matrices takes a small part of the time of as many single searches. What is left then is to
pick the best of each row, which goes by the highest of every few columns: the best `k` numbers lie in the `k`
groups whose highest numbers are the highest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import SearchResult, VectorIndex, VectorIndexError, checked_vectors

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

_GROUP = 8
"""Columns that are looked at as one, before the best of them are picked."""
_SCORES_AT_ONCE = 2**22
"""Products of a block of queries, 16 MiB of them, so that they stay near the processor."""


class StrongestIndex(VectorIndex):
    """Compares queries with some of the vectors, exactly: those that come high for many queries.

    Args:
        vectors: float32 [num_vectors, dim], at least one: all that there are, or some of them.
        rows: int64 [num_vectors], ascending: what each is called; by default its position.

    Example:
        >>> StrongestIndex([[1.0, 0.0], [0.0, 2.0]], rows=[3, 8]).search([[1.0, 1.0]], k=1).rows.tolist()
        [[8]]
    """

    def __init__(self, vectors: ArrayLike, rows: ArrayLike | None = None) -> None:
        self._vectors = checked_vectors(vectors, "vectors")
        if not len(self._vectors):
            raise VectorIndexError("There are no vectors to index")
        self._rows = np.arange(len(self._vectors)) if rows is None else np.asarray(rows, dtype=np.int64)
        if self._rows.shape != (len(self._vectors),):
            raise VectorIndexError(f"{len(self._vectors)} vectors need a row each, not {self._rows.shape}")

    @property
    def num_vectors(self) -> int:
        """How many vectors are compared."""
        return len(self._vectors)

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return int(self._vectors.shape[1])

    def save(self, path: Path) -> None:
        """Writes the vectors and their rows as a NumPy file."""
        held = np.empty(self.num_vectors, dtype=[("row", "<i8"), ("vector", "<f4", (self.dim,))])
        held["row"], held["vector"] = self._rows, self._vectors
        try:
            with path.open("wb") as file:
                np.save(file, held, allow_pickle=False)
        except OSError as error:
            raise VectorIndexError(f"Cannot write the vectors to {path}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> StrongestIndex:
        """Reads what `save` wrote."""
        try:
            held = np.load(path, allow_pickle=False)
            return cls(held["vector"], held["row"])
        except (OSError, EOFError, ValueError, IndexError) as error:
            raise VectorIndexError(f"Cannot read vectors from {path}: {error}") from error

    def _search(self, queries: Floats, k: int) -> SearchResult:
        step = max(1, _SCORES_AT_ONCE // self.num_vectors)
        parts = [
            _highest(queries[begin : begin + step] @ self._vectors.T, k)
            for begin in range(0, len(queries), step)
        ]
        if not parts:
            return SearchResult(np.zeros((0, k), dtype=np.float32), np.zeros((0, k), dtype=np.int64))
        columns = np.concatenate([part.rows for part in parts])
        return SearchResult(np.concatenate([part.scores for part in parts]), self._rows[columns])


def strongest_rows(vectors: Floats, queries: Floats, number: int) -> Rows:
    """The vectors that may have the largest products with a query: rows, int64 [number], ascending.

    A query q is the mean query m and a rest, so that q · v <= m · v + |q - m| |v| (Cauchy & Schwarz), where
    only what queries differ in counts of v. Vectors are ordered by that bound at the median length of the
    rest.

    Args:
        vectors: float32 [num_vectors, dim].
        queries: float32 [num_queries, dim], at least one; a sample of those that will be asked.
        number: how many are wanted, 1 to num_vectors.
    """
    mean = queries.mean(axis=0)
    rest = queries - mean
    differs = np.abs(rest).max(axis=0) > 0
    length = np.float32(np.median(np.linalg.norm(rest, axis=1)))
    bound = vectors @ mean + length * np.linalg.norm(vectors[:, differs], axis=1)
    order = np.lexsort((np.arange(len(bound)), -bound))
    rows: Rows = np.sort(order[:number])
    return rows


def _highest(values: Floats, k: int) -> SearchResult:
    """The k highest numbers of each row with their columns, in no order; 1 <= k <= number of columns."""
    num_rows, num_columns = values.shape
    num_groups = num_columns // _GROUP
    if num_groups <= k:
        columns = _places_of_highest(values, k)
        return SearchResult(np.take_along_axis(values, columns, axis=1), columns)
    whole = num_groups * _GROUP
    highest = values[:, :whole].reshape(num_rows, _GROUP, num_groups).max(axis=1)
    groups = _places_of_highest(highest, k)
    members = groups[:, None, :] + (np.arange(_GROUP) * num_groups)[None, :, None]
    rest = np.broadcast_to(np.arange(whole, num_columns), (num_rows, num_columns - whole))
    columns = np.concatenate([members.reshape(num_rows, -1), rest], axis=1)
    among = np.take_along_axis(values, columns, axis=1)
    best = _places_of_highest(among, k)
    return SearchResult(np.take_along_axis(among, best, axis=1), np.take_along_axis(columns, best, axis=1))


def _places_of_highest(values: Floats, k: int) -> Rows:
    border = values.shape[1] - k
    return np.argpartition(values, border, axis=1)[:, border:]
