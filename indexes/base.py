"""Defines the methods that every kind of vector index has, so that one kind can replace another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.conditions import Condition

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
"""An int64 array of the positions of vectors in an index."""


class VectorIndexError(ValueError):
    """The vectors, the queries or the file of a vector index cannot be used."""


class VectorDatabaseError(VectorIndexError):
    """The vector database that holds the vectors cannot be reached or opened, or refuses a request."""


class SearchResult(NamedTuple):
    """Holds the vectors nearest to each query, nearest first; vectors of equal score are ordered by row.

    A result always holds `min(k, num_vectors)` different vectors for each query, where k is the number of
    vectors asked for.
    """

    scores: Floats
    """float32 [num_queries, min(k, num_vectors)], the inner product of each query with each vector found,
    where k is the number of vectors asked for. An index that stores rounded vectors returns rounded inner
    products."""
    rows: Rows
    """int64 [num_queries, min(k, num_vectors)], the position in the index of each vector found, where k is
    the number of vectors asked for."""


class VectorIndex(ABC):
    """Finds the vectors that have the largest inner products with a query vector.

    The vectors of an index do not change after the index is built.
    """

    num_vectors: int
    """The number of vectors that the index holds."""
    dim: int
    """The length of each vector."""
    is_exact: bool
    """Whether a search compares each query with every vector of the index, without rounding the vectors. A
    search of an exact index finds the true nearest vectors, up to rounding errors in the inner products."""
    columns: Mapping[str, str] = MappingProxyType({})
    """The columns of the movies that a condition of `search_where` may name, and the kind of each column:
    "text", "whole" or "number". Only an index in a vector database has columns; for any other index, the
    mapping is empty."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Writes the vector index to a file.

        Raises:
            VectorIndexError: the file cannot be written.
        """

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> VectorIndex:
        """Opens an index from a file that `save` wrote; maps the file into memory if the kind of index can.

        Raises:
            VectorIndexError: the file is missing or damaged, or the file does not hold an index of this kind.
        """

    def settings(self) -> dict[str, int]:
        """Returns a dictionary of the settings that tune a search, such as the number of lists searched."""
        return {}

    def widen(self) -> bool:
        """Makes later searches compare more vectors with each query; returns False if all are compared."""
        return False

    def count(self, condition: Condition) -> int:
        """Counts the vectors whose columns meet a condition; an index without `columns` cannot count.

        Raises:
            VectorIndexError: the index has no columns, or the database cannot be reached.
        """
        raise VectorIndexError("The vector index has no columns to filter by")

    def search_where(self, queries: ArrayLike, k: int, condition: Condition) -> SearchResult:
        """Finds the vectors nearest to each query among the vectors whose columns meet a condition.

        If fewer than k vectors meet the condition, the results are filled up to k with row -1 and score minus
        infinity.

        Raises:
            VectorIndexError: the queries or `k` are not usable, the index has no columns, or the database
                cannot be reached.
        """
        raise VectorIndexError("The vector index has no columns to filter by")

    @abstractmethod
    def _search(self, queries: Floats, k: int) -> SearchResult:
        """Finds the `k` vectors nearest to each query, in any order, for `search` to sort.

        The method `search` has checked the queries, and has made sure that `1 <= k <= num_vectors`.
        """

    def search(self, queries: ArrayLike, k: int) -> SearchResult:
        """Finds, for each query, the `k` vectors that have the largest inner products with the query.

        Args:
            queries: float32 [num_queries, dim], the query vectors.
            k: how many vectors are wanted for each query, at least 1.

        Raises:
            VectorIndexError: the queries do not have the shape [num_queries, dim], a query holds NaN or
                infinity, or `k` is less than 1.
        """
        scores, rows = self._search(self._checked_queries(queries, k), min(k, self.num_vectors))
        if (scores[:, 1:] < scores[:, :-1]).all():
            return SearchResult(scores, rows)
        order = np.lexsort((rows, -scores), axis=1)
        queried = np.arange(len(order))[:, None]
        return SearchResult(scores[queried, order], rows[queried, order])

    def _checked_queries(self, queries: ArrayLike, k: int) -> Floats:
        """Returns the queries as an array; raises VectorIndexError if the queries or `k` are not usable."""
        checked = checked_vectors(queries, "queries")
        if checked.shape[1] != self.dim:
            raise VectorIndexError(
                f"Queries have {checked.shape[1]} numbers each but the index has {self.dim}"
            )
        if k < 1:
            raise VectorIndexError(f"k must be at least 1 but is {k}")
        return checked


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Writes an array in NumPy's format to the file `path`; does not add `.npy` to the file's name.

    Raises:
        VectorIndexError: the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    except OSError as error:
        raise VectorIndexError(f"Cannot write the vectors to {path}: {error}") from error


def checked_vectors(vectors: ArrayLike, name: str, *, least: int = 0) -> Floats:
    """Checks vectors, and returns the vectors as one contiguous array, float32 [number of vectors, dim].

    In error messages, the vectors are called by the text `name`, such as "queries".

    Raises:
        VectorIndexError: the vectors are not a two-dimensional array, a vector holds NaN or infinity, or the
            number of vectors is below `least`.
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
