"""Searches exactly in plain NumPy; tests compare all other indexes with this simple, slow index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import Floats, SearchResult, VectorIndex, VectorIndexError, checked_vectors, write_array

_SCORES_AT_ONCE = 16 * 1024 * 1024
"""The number of scores that are computed in one step: the scores take 64 MiB of memory, and sorting the
scores takes another 128 MiB."""


class ExactIndex(VectorIndex):
    """Compares each query with each vector; the vectors are not rounded.

    Args:
        vectors: float32 [num_vectors, dim], at least one vector.

    Example:
        >>> ExactIndex([[1.0, 0.0], [0.0, 2.0]]).search([[1.0, 1.0]], k=1).rows.tolist()
        [[1]]
    """

    is_exact = True

    def __init__(self, vectors: ArrayLike) -> None:
        self._vectors = checked_vectors(vectors, "vectors", least=1)
        self.num_vectors, self.dim = self._vectors.shape

    def save(self, path: Path) -> None:
        """Writes the vectors to a NumPy file."""
        write_array(path, self._vectors)

    @classmethod
    def load(cls, path: Path) -> ExactIndex:
        """Opens an exact index from a file that `save` wrote."""
        try:
            return cls(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, EOFError, ValueError) as error:
            raise VectorIndexError(f"Cannot read vectors from {path}: {error}") from error

    def _search(self, queries: Floats, k: int) -> SearchResult:
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        step = max(1, _SCORES_AT_ONCE // self.num_vectors)
        for begin in range(0, len(queries), step):
            block = slice(begin, begin + step)
            products = queries[block] @ self._vectors.T  # [queries in the block, num_vectors]
            rows[block] = np.argsort(-products, axis=1, kind="stable")[:, :k]
            scores[block] = np.take_along_axis(products, rows[block], axis=1)
        return SearchResult(scores, rows)
