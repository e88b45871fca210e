"""Connects to Milvus, a vector database that runs as a server, as a cluster, or inside this process.

The package pymilvus is imported when a process first opens a database.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from indexes.base import Floats, Rows, SearchResult, VectorDatabaseError
from indexes.conditions import Value

TOKEN = "MILVUS_TOKEN"
"""The environment variable with the secret that a Milvus server demands: a token, or `user:password`."""
EMBEDDED_ENDING = ".db"
"""The ending of the path of an embedded database (inside this process); the address of a server has another
ending."""
ROW, VECTOR = "movie_row", "vector"
"""The names of two fields of a collection: the field with the row of a movie, and the field with the movie's
vector."""
MOST_RESULTS = 16_384
"""The largest number of results that a Milvus server returns for one query."""
_RESULTS_AT_ONCE = 500_000
"""The largest number of results of one request, over all queries of the request; more results would exceed
the server's limit on the size of an answer."""
_BYTES_AT_ONCE = 8_000_000
"""The number of bytes of movies after which a request to write movies is sent, since servers refuse requests
of more than 64 MB."""
_SECONDS = 10.0
"""The number of seconds after which a request to the database fails, if no other limit is set for the
request."""
_SECONDS_FOR_QUERY = 0.5
"""The number of seconds by which each query of a search raises the time limit of the search."""
_NEVER = 2**31 - 1
"""The largest number of milliseconds that can be set between two pings of a connection (25 days), which means
never."""
_WRITING_SECONDS = 600.0
"""The number of seconds after which a request that writes, indexes or loads a collection fails."""


class Column(NamedTuple):
    """Holds one column of a table of movies, such as price; search conditions can name the column."""

    kind: str
    """The kind of the values in the column: "text", "whole" for whole numbers, or "number" for all other
    numbers."""
    values: Sequence[Value | None]
    """The value of each movie in the column; None if the value is unknown."""


def is_uri(text: str) -> bool:
    """Tells whether a text is the address of a server or of an embedded database.

    The function returns False for the address of a server that contains a user name or a password.
    """
    if text.endswith(EMBEDDED_ENDING) and "://" not in text:
        return True
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def place_of(uri: str, folder: Path) -> str:
    """Returns the address of a server unchanged; joins the path of an embedded database to a folder."""
    return os.path.normpath(folder / uri) if uri.endswith(EMBEDDED_ENDING) and "://" not in uri else uri


def check_installed() -> None:
    """Checks that the packages are installed on which vector databases depend (the extra [milvus]).

    Raises:
        VectorDatabaseError: a package is missing; the error says how to install the package.
    """
    for package, name in (("pymilvus", "pymilvus"), ("milvus_lite", "milvus-lite")):
        try:
            is_missing = find_spec(package) is None
        except (ImportError, ValueError):
            is_missing = True
        if is_missing:
            raise VectorDatabaseError(
                f"A vector database needs {name}, which this installation lacks; install with: "
                "pip install 'movie-engine[milvus]'"
            )


class Database:
    """Holds a connection to a vector database; a process has only one connection to each database.

    Args:
        uri: the address of a server, or the path of an embedded database.
        is_new: True to make an embedded database if none exists at the path.

    Raises:
        VectorDatabaseError: the database cannot be reached; the database cannot be opened; pymilvus is not
            installed.
    """

    def __init__(self, uri: str, *, is_new: bool = False) -> None:
        self.uri = uri
        self._is_embedded = uri.endswith(EMBEDDED_ENDING)
        if self._is_embedded and not is_new and not Path(uri).is_dir():
            raise VectorDatabaseError(f"There is no vector database at {uri}")
        check_installed()
        from pymilvus import MilvusClient

        # The loggers are silenced, because pymilvus and the embedded database would print each raised error
        # once more with a traceback.
        for library in ("pymilvus", "grpc._server"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        token = "" if self._is_embedded else os.environ.get(TOKEN, "")
        # An embedded database is never pinged, because it ends connections that send a ping while they wait
        # for the next question.
        options = {"grpc_options": {"grpc.keepalive_time_ms": _NEVER}} if self._is_embedded else {}
        with self._reaching(), _opening_embedded(uri):
            self._client = MilvusClient(uri, token=token, timeout=_SECONDS, **options)

    def create(self, collection: str, vectors: Floats, columns: Mapping[str, Column]) -> None:
        """Writes vectors and columns to a new collection, and prepares the collection for searches.

        Raises:
            VectorDatabaseError: the database cannot be reached; the database refuses the collection.
        """
        from pymilvus import DataType

        kinds = {"text": DataType.VARCHAR, "whole": DataType.INT64, "number": DataType.DOUBLE}
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(ROW, DataType.INT64, is_primary=True)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=vectors.shape[1])
        for name, column in columns.items():
            more = {"max_length": 65_535} if column.kind == "text" else {}
            schema.add_field(name, kinds[column.kind], nullable=True, **more)
        # A flat index compares all vectors; every other kind of index in Milvus silently misses most results
        # of a condition that few movies meet.
        index = self._client.prepare_index_params()
        index.add_index(VECTOR, index_type="FLAT", metric_type="IP")
        given: dict[str, Any] = {"timeout": _WRITING_SECONDS}
        with self._reaching():
            self._client.create_collection(
                collection, schema=schema, index_params=index, consistency_level="Bounded", **given
            )
            for records in _batches(vectors, columns):
                self._client.insert(collection, records, **given)
            self._client.flush(collection, **given)
            self._client.load_collection(collection, **given)

    def load(self, collection: str) -> None:
        """Prepares a collection for searches; does nothing if the collection is prepared already.

        Raises:
            VectorDatabaseError: the database cannot be reached; the database does not hold the collection.
        """
        with self._reaching():
            if not self._client.has_collection(collection, timeout=_SECONDS):
                raise VectorDatabaseError(f"The vector database {self.uri} has no collection {collection}")
            self._client.load_collection(collection, timeout=_WRITING_SECONDS)

    def count(self, collection: str, expression: str = "") -> int:
        """Counts the movies of a collection that meet `expression`; an empty expression counts all movies.

        Before the count, the database finishes all writes, so that later searches need not wait for writes.
        """
        with self._reaching():
            found = self._client.query(
                collection,
                filter=expression,
                output_fields=["count(*)"],
                consistency_level="Strong",
                timeout=_SECONDS,
            )
            return int(found[0]["count(*)"])

    def search(self, collection: str, queries: Floats, k: int, expression: str = "") -> SearchResult:
        """Finds the `k` movies nearest to each query among the movies that meet `expression`.

        The number `k` is at most `MOST_RESULTS`. If fewer than `k` movies meet `expression`, the missing
        results have row -1 and score minus infinity.
        """
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows: Rows = np.full((len(queries), k), -1, dtype=np.int64)
        step = max(1, min(MOST_RESULTS, _RESULTS_AT_ONCE // k))
        for begin in range(0, len(queries), step):
            asked = list(queries[begin : begin + step])
            with self._reaching():
                found = self._client.search(
                    collection,
                    data=asked,
                    limit=k,
                    filter=expression,
                    output_fields=[ROW],
                    timeout=_SECONDS + len(asked) * _SECONDS_FOR_QUERY,
                )
                for place, hits in enumerate(found, begin):
                    rows[place, : len(hits)] = hits.ids
                    scores[place, : len(hits)] = hits.distances
        return SearchResult(scores, rows)

    def drop(self, collection: str) -> None:
        """Removes a collection and its aliases (other names); does nothing if the collection is missing."""
        with self._reaching():
            if not self._client.has_collection(collection, timeout=_SECONDS):
                return
            for alias in self._client.list_aliases(collection, timeout=_SECONDS)["aliases"]:
                self._client.drop_alias(alias, timeout=_SECONDS)
            self._client.drop_collection(collection, timeout=_SECONDS)

    def point(self, alias: str, collection: str | None) -> None:
        """Makes the name `alias` stand for a collection; removes the alias if `collection` is None."""
        from pymilvus import MilvusException

        with self._reaching():
            if collection is None:
                self._client.drop_alias(alias, timeout=_SECONDS)
                return
            try:
                self._client.alter_alias(collection, alias, timeout=_SECONDS)
            except MilvusException:  # The alias does not exist yet.
                self._client.create_alias(collection, alias, timeout=_SECONDS)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Converts an error of pymilvus in a `with` statement to a VectorDatabaseError of one sentence."""
        from grpc import RpcError
        from pymilvus import MilvusException

        try:
            yield
        except (MilvusException, RpcError, OSError) as error:
            reason = " ".join(str(getattr(error, "message", "") or error).split())[:200]
            if self._is_embedded:
                raise VectorDatabaseError(f"The vector database {self.uri} failed ({reason})") from error
            raise VectorDatabaseError(
                f"The vector database at {self.uri} cannot be used ({reason}); check that it runs and can be "
                f"reached, and that the environment variable {TOKEN} is right if it asks for a token"
            ) from error


def _batches(vectors: Floats, columns: Mapping[str, Column]) -> Iterator[list[dict[str, Any]]]:
    """Yields movies as records, in batches that are small enough for one request."""
    records: list[dict[str, Any]] = []
    size = 0
    for row, vector in enumerate(vectors):
        values = {name: column.values[row] for name, column in columns.items()}
        records.append({ROW: row, VECTOR: vector, **values})
        size += vector.nbytes + sum(
            4 * len(value) if isinstance(value, str) else 8 for value in values.values()
        )
        if size >= _BYTES_AT_ONCE:
            yield records
            records, size = [], 0
    if records:
        yield records


def remove_embedded(path: Path) -> None:
    """Closes an embedded database, and removes its files."""
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(str(path))
    shutil.rmtree(path, ignore_errors=True)


class _Failures(logging.Handler):
    """Keeps the exceptions that are attached to log records (`exc_info`) in a list, and prints nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])


@contextmanager
def _opening_embedded(uri: str) -> Iterator[None]:
    """Raises VectorDatabaseError, with the cause, if an embedded database cannot be opened.

    If an embedded database cannot be opened, the package milvus-lite logs the cause of the failure, but
    raises an error that does not name the cause.
    """
    log, failures = logging.getLogger("milvus_lite.server_manager"), _Failures()
    propagate, log.propagate = log.propagate, False
    log.addHandler(failures)
    try:
        yield
    except Exception as error:
        if not failures.errors:
            raise
        cause = failures.errors[-1]
        if type(cause).__name__ == "DataDirLockedError":
            raise VectorDatabaseError(
                f"The vector database {uri} is in use by another process; an embedded database serves one "
                "process at a time, so end the other process, or name a server with index.uri"
            ) from error
        reason = " ".join(str(cause).split())[:200]
        raise VectorDatabaseError(f"The vector database {uri} cannot be opened ({reason})") from error
    finally:
        log.removeHandler(failures)
        log.propagate = propagate
