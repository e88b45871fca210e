"""Exact search in plain NumPy: slow, obviously right, and so the oracle of every other index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import SearchResult, VectorIndex, VectorIndexError, checked_vectors

_SCORES_AT_ONCE = 16 * 1024 * 1024


class ExactIndex(VectorIndex):
    """Compares each query with each vector.

    Args:
        vectors: float32 [num_vectors, dim], at least one.

    Example:
        >>> ExactIndex([[1.0, 0.0], [0.0, 2.0]]).search([[1.0, 1.0]], k=1).rows.tolist()
        [[1]]
    """

    def __init__(self, vectors: ArrayLike) -> None:
        self._vectors = checked_vectors(vectors, "vectors")
        if not len(self._vectors):
            raise VectorIndexError("There are no vectors to index")

    @property
    def num_vectors(self) -> int:
        """How many vectors are held."""
        return len(self._vectors)

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return int(self._vectors.shape[1])

    def save(self, path: Path) -> None:
        """Writes the vectors as a NumPy file."""
        try:
            with path.open("wb") as file:
                np.save(file, self._vectors, allow_pickle=False)
        except OSError as error:
            raise VectorIndexError(f"Cannot write the vectors to {path}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> ExactIndex:
        """Opens what `save` wrote."""
        try:
            return cls(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, EOFError, ValueError) as error:
            raise VectorIndexError(f"Cannot read vectors from {path}: {error}") from error

    def _search(self, queries: NDArray[np.float32], k: int) -> SearchResult:
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        step = max(1, _SCORES_AT_ONCE // self.num_vectors)
        for start in range(0, len(queries), step):
            block = queries[start : start + step] @ self._vectors.T  # [step, num_vectors]
            for place, row_scores in enumerate(block, start):
                rows[place] = _best(row_scores, k)
                scores[place] = row_scores[rows[place]]
        return SearchResult(scores, rows)


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Positions of the k largest, best first; among equals the lower positions, also at the border."""
    border = np.partition(scores, len(scores) - k)[len(scores) - k]
    at_least = np.flatnonzero(scores >= border)
    return at_least[np.argsort(-scores[at_least], kind="stable")[:k]]
