"""Defines the methods that every kind of vector index has, so that any kind can replace another."""

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
"""An int64 array of the positions (rows) of vectors in an index."""


class VectorIndexError(ValueError):
    """The vectors, the queries or the file given to a vector index cannot be used."""


class VectorDatabaseError(VectorIndexError):
    """The vector database that holds the vectors cannot be reached or opened, or it refuses a request."""


class SearchResult(NamedTuple):
    """Holds the vectors nearest to each query, the nearest first; vectors of equal score are ordered by row.

    For each query, a result holds `min(k, num_vectors)` different vectors, where k is the number of vectors
    that the caller wanted.
    """

    scores: Floats
    """float32 [num_queries, min(k, num_vectors)]: the inner product of each query with each vector found,
    where k is the number of vectors wanted. If an index stores rounded vectors, the inner products are
    rounded as well."""
    rows: Rows
    """int64 [num_queries, min(k, num_vectors)]: the position in the index of each vector found, where k is
    the number of vectors wanted."""


class VectorIndex(ABC):
    """Finds the vectors with the largest inner products with a query (a vector, too).

    The vectors of an index never change.
    """

    num_vectors: int
    """The number of vectors that the index holds."""
    dim: int
    """The number of dimensions of each vector."""
    is_exact: bool
    """Whether a search compares each query with every vector of the index, and the vectors are not rounded. A
    search of an exact index finds the true nearest vectors, except for rounding errors in the inner
    products."""
    columns: Mapping[str, str] = MappingProxyType({})
    """Maps each column of the movies that a condition of `search_where` may name to the kind of the column:
    "text", "whole" (whole numbers) or "number". Only an index in a vector database has columns; for every
    other index, the mapping is empty."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Writes the vector index to a file.

        Raises:
            VectorIndexError: the file cannot be written.
        """

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> VectorIndex:
        """Opens an index from a file that `save` wrote; maps the file into memory if the index can be mapped.

        Raises:
            VectorIndexError: the file is missing; the file is damaged; the file holds another kind of index.
        """

    def settings(self) -> dict[str, int]:
        """Returns the settings of a search, such as the number of lists that a search looks into."""
        return {}

    def widen(self) -> bool:
        """Makes later searches compare more vectors; returns False if searches already compare all."""
        return False

    def count(self, condition: Condition) -> int:
        """Counts the vectors whose columns meet a condition; only an index with `columns` can count.

        Raises:
            VectorIndexError: the index has no columns; the database cannot be reached.
        """
        raise VectorIndexError("The vector index has no columns to filter by")

    def search_where(self, queries: ArrayLike, k: int, condition: Condition) -> SearchResult:
        """Finds the vectors nearest to each query among the vectors whose columns meet a condition.

        If fewer than k vectors meet the condition, the missing results have row -1 and score minus infinity.

        Raises:
            VectorIndexError: the queries are not usable; `k` is not usable; the index has no columns; the
                database cannot be reached.
        """
        raise VectorIndexError("The vector index has no columns to filter by")

    @abstractmethod
    def _search(self, queries: Floats, k: int) -> SearchResult:
        """Finds the `k` vectors nearest to each query in any order; the caller, `search`, sorts the vectors.

        Before the call, `search` has checked the queries, and `k` is from 1 to `num_vectors`.
        """

    def search(self, queries: ArrayLike, k: int) -> SearchResult:
        """Finds the `k` vectors with the largest inner products with each query.

        Args:
            queries: float32 [num_queries, dim], the query vectors.
            k: the number of vectors wanted for each query, at least 1.

        Raises:
            VectorIndexError: the shape of the queries is not [num_queries, dim]; a query holds NaN or
                infinity; `k` is less than 1.
        """
        scores, rows = self._search(self._checked_queries(queries, k), min(k, self.num_vectors))
        if (scores[:, 1:] < scores[:, :-1]).all():
            return SearchResult(scores, rows)
        order = np.lexsort((rows, -scores), axis=1)
        queried = np.arange(len(order))[:, None]
        return SearchResult(scores[queried, order], rows[queried, order])

    def _checked_queries(self, queries: ArrayLike, k: int) -> Floats:
        """Returns the queries as a checked array; raises VectorIndexError if the queries or `k` are wrong."""
        checked = checked_vectors(queries, "queries")
        if checked.shape[1] != self.dim:
            raise VectorIndexError(
                f"Queries have {checked.shape[1]} numbers each but the index has {self.dim}"
            )
        if k < 1:
            raise VectorIndexError(f"k must be at least 1 but is {k}")
        return checked


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Writes an array in NumPy's format to the file `path`, whose name need not end with `.npy`.

    Raises:
        VectorIndexError: the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    except OSError as error:
        raise VectorIndexError(f"Cannot write the vectors to {path}: {error}") from error


def checked_vectors(vectors: ArrayLike, name: str, *, least: int = 0) -> Floats:
    """Checks vectors; returns the vectors as one contiguous array, float32 [number of vectors, dim].

    Error messages call the vectors by the text `name`, such as "queries".

    Raises:
        VectorIndexError: the vectors are not a two-dimensional array; a vector holds NaN or infinity; there
            are fewer than `least` vectors.
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
