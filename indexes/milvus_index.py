"""Searches with Milvus: a vector database holds the vectors, and the index holds only their address."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import (
    Floats,
    SearchResult,
    VectorDatabaseError,
    VectorIndex,
    VectorIndexError,
    checked_vectors,
)
from indexes.conditions import Combination, Condition, Value
from indexes.database import (
    MOST_RESULTS,
    ROW,
    Column,
    Database,
    is_uri,
    place_of,
)

_OPERATORS = {"=": "==", "<>": "!=", "like": "like", "not like": "not like"}
"""Maps operators of a `ColumnTest` to operators of Milvus; an operator that the dictionary does not hold has
the same name in Milvus."""


class Address(NamedTuple):
    """Says where the vectors of an index are: in which vector database and in which collection."""

    uri: str
    """The address of a server, or the path of an embedded database; a relative path starts at the folder of
    the file that holds this `Address`."""
    collection: str
    num_vectors: int
    dim: int
    columns: dict[str, str]
    """Maps each column that conditions may name to the kind of the column: "text", "whole" or "number"."""

    def write(self, path: Path) -> None:
        """Writes the address to a file; raises VectorIndexError if the file cannot be written."""
        try:
            path.write_text(json.dumps(self._asdict(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise VectorIndexError(f"Cannot write the address of vectors to {path}: {error}") from error

    def without(self, columns: Collection[str]) -> Address:
        """Returns a copy of this `Address` whose dictionary `columns` does not hold the given columns.

        Conditions on movies can name only the columns in the dictionary. The caller leaves out the columns
        whose values in the vector database are outdated.
        """
        return self._replace(
            columns={name: kind for name, kind in self.columns.items() if name not in columns}
        )

    @classmethod
    def read(cls, path: Path) -> Address:
        """Reads an address from a file that `write` wrote; raises VectorIndexError if the file is damaged."""
        try:
            address = cls(**json.loads(path.read_bytes()))
            if not is_uri(address.uri):
                raise ValueError("there is no address")
            texts = (address.collection, *address.columns, *address.columns.values())
            if not all(isinstance(text, str) for text in texts):
                raise ValueError("a name is no text")
            if not all(isinstance(number, int) and number > 0 for number in address[2:4]):
                raise ValueError("a number is none")
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise VectorIndexError(f"Cannot read the address of vectors from {path}: {error}") from error
        return address


class MilvusIndex(VectorIndex):
    """Lets Milvus compare queries with all vectors of a collection, or with vectors that meet a condition.

    The method `save` writes only the address of the vectors, and not the vectors. The index connects to the
    database at the first search; if the connection fails, the next search tries again.

    Args:
        address: the address of the vectors in the database.
        folder: the folder at which a relative path in `address` starts.
    """

    is_exact = True

    def __init__(self, address: Address, folder: Path) -> None:
        self.address = address
        self._place = place_of(address.uri, folder)
        self.num_vectors, self.dim = address.num_vectors, address.dim
        self.columns = address.columns
        self._counts: dict[Condition, int] = {}

    @classmethod
    def build(
        cls,
        vectors: ArrayLike,
        columns: Mapping[str, Column],
        *,
        uri: str,
        collection: str,
        folder: Path,
    ) -> MilvusIndex:
        """Writes vectors to a new collection; returns an index that knows the address of the collection.

        Args:
            vectors: float32 [num_vectors, dim], the vectors to write, at least one.
            columns: the columns that conditions may name; each column has a value for each vector.
            uri: the address of a server, or the path of an embedded database; a relative path starts at
                `folder`.
            collection: the name of the new collection.
            folder: the folder in which the caller will save the address.

        Raises:
            VectorIndexError: the vectors are not usable; the database cannot be used.
        """
        checked = checked_vectors(vectors, "vectors", least=1)
        kinds = {name: column.kind for name, column in columns.items()}
        address = Address(uri, collection, len(checked), checked.shape[1], kinds)
        Database(place_of(uri, folder), is_new=True).create(collection, checked, columns)
        return cls(address, folder)

    def save(self, path: Path) -> None:
        """Writes the address of the vectors to a file."""
        self.address.write(path)

    @classmethod
    def load(cls, path: Path, folder: Path | None = None) -> MilvusIndex:
        """Reads an index from a file with the address of the vectors, which `save` wrote.

        If the address is the relative path of an embedded database, the path is relative to `folder`. By
        default, `folder` is the folder that holds the file `path`.
        """
        return cls(Address.read(path), folder or path.parent)

    @cached_property
    def _database(self) -> Database:
        """Connects to the database; checks that the collection holds as many vectors as the index."""
        database, collection = Database(self._place), self.address.collection
        database.load(collection)
        if (held := database.count(collection)) != self.num_vectors:
            raise VectorDatabaseError(
                f"The collection {collection} of {self._place} holds {held:,} vectors in place of "
                f"{self.num_vectors:,}; build the vector index again with engine reindex"
            )
        return database

    def count(self, condition: Condition) -> int:
        """Counts the movies that meet a condition over `columns`; remembers the number for later calls."""
        if condition not in self._counts:
            found = self._database.count(self.address.collection, expression_of(condition))
            self._counts = {**dict(list(self._counts.items())[-999:]), condition: found}
        return self._counts[condition]

    def search_where(self, queries: ArrayLike, k: int, condition: Condition) -> SearchResult:
        """Finds the movies nearest to each query among the movies that meet a condition over `columns`."""
        found = self._found(self._checked_queries(queries, k), min(k, self.num_vectors), condition)
        if found.rows.size and not (found.rows.min() >= -1 and found.rows.max() < self.num_vectors):
            raise VectorIndexError("The vector database gives rows that do not exist")
        return found

    def _search(self, queries: Floats, k: int) -> SearchResult:
        found = self._found(queries, k)
        if found.rows.size and not (found.rows.min() >= 0 and found.rows.max() < self.num_vectors):
            raise VectorIndexError("The vector database gives rows that do not exist")
        return found

    def _found(self, queries: Floats, k: int, condition: Condition | None = None) -> SearchResult:
        expression = "" if condition is None else expression_of(condition)
        collection = self.address.collection
        if k <= MOST_RESULTS:
            return self._database.search(collection, queries, k, expression)
        # No server returns more than `MOST_RESULTS` results, so each range of that many rows is searched
        # separately, and the results are merged.
        parts = []
        for begin in range(0, self.num_vectors, MOST_RESULTS):
            end = min(begin + MOST_RESULTS, self.num_vectors)
            stretch = f"{ROW} >= {begin} and {ROW} < {end}"
            limited = f"{stretch} and ({expression})" if expression else stretch
            parts.append(self._database.search(collection, queries, end - begin, limited))
        scores = np.concatenate([part.scores for part in parts], axis=1)
        rows = np.concatenate([part.rows for part in parts], axis=1)
        order = np.lexsort((rows, -scores), axis=1)[:, :k]
        return SearchResult(
            np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
        )


def expression_of(condition: Condition) -> str:
    """Returns a condition in the language of Milvus.

    A test with <>, `not in` or `not like` also demands a known value, because databases disagree about movies
    without a value.

    Example:
        >>> from indexes.conditions import ColumnTest
        >>> expression_of(ColumnTest("brand", "not in", ("A", "B")))
        '(brand is not null and brand not in ["A", "B"])'
    """
    if isinstance(condition, Combination):
        return "(" + f" {condition.word} ".join(map(expression_of, condition.parts)) + ")"
    column, operator, values = condition
    if operator in ("is null", "is not null"):
        return f"{column} {operator}"
    many = operator in ("in", "not in")
    shown = f"[{', '.join(map(_literal, values))}]" if many else _literal(values[0])
    test = f"{column} {_OPERATORS.get(operator, operator)} {shown}"
    if operator == "not like":
        test = f"not ({column} like {shown})"
    return f"({column} is not null and {test})" if operator in ("<>", "not in", "not like") else test


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
