"""What every index of vectors promises, so that one can stand in for another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class VectorIndexError(ValueError):
    """Vectors, queries or a file that an index cannot work with."""


class SearchResult(NamedTuple):
    """The nearest vectors of each query, best first; equal scores stand in the order of their rows.

    Every place is filled: there are `min(k, num_vectors)` columns, and each holds a row that exists.
    """

    scores: NDArray[np.float32]
    """Inner products, as exact as the index keeps its vectors: float32 [num_queries, min(k, num_vectors)]."""
    rows: NDArray[np.int64]
    """Positions of the vectors, int64 of the same shape; within a query each is another."""


class VectorIndex(ABC):
    """Finds the vectors with the largest inner product with a query. It does not change once it is made."""

    @property
    @abstractmethod
    def num_vectors(self) -> int:
        """How many vectors are held."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """How many numbers a vector has."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Writes the index to a file.

        Raises:
            VectorIndexError: the file cannot be written.
        """

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> VectorIndex:
        """Opens what `save` wrote, mapped rather than read where that is possible.

        Raises:
            VectorIndexError: the file is missing, damaged, or holds something else.
        """

    def settings(self) -> dict[str, int]:
        """What the search is tuned by, by name."""
        return {}

    def widen(self) -> bool:
        """Searches more widely from now on, where that finds more; False where it does not."""
        return False

    @abstractmethod
    def _search(self, queries: NDArray[np.float32], k: int) -> SearchResult:
        """Answers checked queries, 1 <= k <= num_vectors; the order of the results is left to `search`."""

    def search(self, queries: ArrayLike, k: int) -> SearchResult:
        """Finds the `k` vectors with the largest inner product with each query.

        Args:
            queries: float32 [num_queries, dim].
            k: how many are wanted, at least 1; more than there are gives all.

        Raises:
            VectorIndexError: the queries have another shape, are not finite, or `k` is less than 1.
        """
        checked = checked_vectors(queries, "queries")
        if checked.shape[1] != self.dim:
            raise VectorIndexError(
                f"Queries have {checked.shape[1]} numbers each but the index has {self.dim}"
            )
        if k < 1:
            raise VectorIndexError(f"k must be at least 1 but is {k}")
        scores, rows = self._search(checked, min(k, self.num_vectors))
        if (scores[:, 1:] < scores[:, :-1]).all():
            return SearchResult(scores, rows)
        order = np.lexsort((rows, -scores), axis=1)
        queried = np.arange(len(order))[:, None]
        return SearchResult(scores[queried, order], rows[queried, order])


def checked_vectors(vectors: ArrayLike, name: str) -> NDArray[np.float32]:
    """Gives vectors as one float32 block, [number, dim], or refuses them in words.

    Raises:
        VectorIndexError: they are not two-dimensional, have no dimension, or hold NaN or infinity.
    """
    array: NDArray[Any] = np.ascontiguousarray(vectors, dtype=np.float32)
    if array.ndim != 2 or not array.shape[1]:
        raise VectorIndexError(
            f"Expected {name} of the shape [number, dim] but got the shape {list(array.shape)}"
        )
    if not np.isfinite(array).all():
        raise VectorIndexError(f"The {name} hold NaN or infinity")
    return array
