"""Says what every vector index promises, so that one can stand in for another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
"""Positions of vectors."""


class VectorIndexError(ValueError):
    """Vectors, queries or a file cannot be worked with."""


class SearchResult(NamedTuple):
    """Holds the nearest vectors of each query, best first; equal scores stand in the order of their rows.

    Every place is filled: there are `min(k, num_vectors)` columns, and each holds a row that exists.
    """

    scores: Floats
    """Inner products, as exact as the index keeps its vectors: float32 [num_queries, min(k, num_vectors)]."""
    rows: Rows
    """Positions of the vectors, int64 of the same shape; a row stands once in a query's results."""


class VectorIndex(ABC):
    """Finds the vectors with the largest inner product with a query.

    An index does not change after building.
    """

    num_vectors: int
    """How many vectors are held."""
    dim: int
    """How many numbers a vector has."""
    is_exact: bool
    """Whether a search compares each query with every vector held, none of them rounded. The results are then
    the true nearest of these vectors, up to the rounding of sums."""

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
        """Returns what the search is tuned by, by name."""
        return {}

    def widen(self) -> bool:
        """Searches more widely from now on; returns False where no wider search is possible."""
        return False

    @abstractmethod
    def _search(self, queries: Floats, k: int) -> SearchResult:
        """Answers checked queries, 1 <= k <= num_vectors, in any order: `search` orders the results."""

    def search(self, queries: ArrayLike, k: int) -> SearchResult:
        """Finds the `k` vectors with the largest inner product with each query, float32 [num_queries, dim].

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


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Writes an array to a file of exactly that name.

    Raises:
        VectorIndexError: the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    except OSError as error:
        raise VectorIndexError(f"Cannot write the vectors to {path}: {error}") from error


def checked_vectors(vectors: ArrayLike, name: str, *, least: int = 0) -> Floats:
    """Returns vectors as one block, float32 [number, dim]; errors call them by their name.

    Raises:
        VectorIndexError: the vectors are not two-dimensional, fewer than `least`, or not finite.
    """
    array: NDArray[Any] = np.ascontiguousarray(vectors, dtype=np.float32)
    if array.ndim != 2 or not array.shape[1]:
        raise VectorIndexError(
            f"Expected {name} of the shape [number, dim] but got the shape {list(array.shape)}"
        )
    if not np.isfinite(array).all():
        raise VectorIndexError(f"The {name} hold NaN or infinity")
    if len(array) < least:
        raise VectorIndexError(f"There are no {name} to index")
    return array
