"""Blocks staged by several threads at once, each with a cursor of its own: all of them, or none."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.config.sections import IngestConfig
from engine.config.values import size_in_bytes
from engine.errors import DataError
from pipelines.reading.lines import BLOCK_SIZE
from pipelines.reading.sources import Source
from pipelines.work.database import add_functions, open_cursor
from pipelines.work.parallel import read_ahead

if TYPE_CHECKING:
    import duckdb

_MOST_THREADS = 4
"""More of them would wait for the one that decompresses."""

_Item = TypeVar("_Item")


LEAST_FOR_READING = 500_000_000
"""Bytes for the database where files are small: less makes it spill, more only fills its cache."""
_UNPACKED = {"gzip": 5.0, "parquet": 8.0, "plain": 1.0}
"""Bytes of rows in a byte of a file, about."""
_STAGED = {"json": 0.25, "delimited": 1.0, "parquet": 1.0}
"""Bytes in the database of a byte of rows: most of JSON are words that are not kept."""
_BYTES_A_BLOCK_BYTE = 75
"""What cleaning a block of metadata takes at most, and as much again, by the bytes of the block."""
_SMALLEST_BLOCK = 1 << 20


def num_staging_threads(threads: int = 0) -> int:
    """How many threads stage blocks: those that were asked for, or one a core, as far as that helps."""
    return min(threads or os.cpu_count() or 1, _MOST_THREADS)


def stage_blocks(
    database: duckdb.DuckDBPyConnection,
    items: Iterator[_Item],
    stage: Callable[[duckdb.DuckDBPyConnection, Iterator[_Item]], None],
    *,
    threads: int = 0,
) -> None:
    """Shares out the items among threads that stage them, in whatever order the threads come to them.

    Each inserts in a transaction of its own; all of these are committed when every item is through, and
    none is after an error. DuckDB works on a block in one thread, so that one stage alone would leave the
    other cores idle.

    Args:
        database: the connection whose tables are filled, outside of a transaction.
        items: what to stage, read ahead in one more thread; few of them are in memory at a time.
        stage: inserts what an iterator gives through a cursor; called once in each thread.
        threads: how many; 0 takes one a core, as far as that helps.

    Raises:
        Exception: what the items or the stage raised; of several errors that of the earliest item.
    """
    num_threads = num_staging_threads(threads)
    shared = _Shared(items)

    def work(number: int, cursor: duckdb.DuckDBPyConnection) -> None:
        try:
            stage(cursor, shared.share(number))
        except BaseException as error:  # raised below, when the other threads are through
            shared.fail(number, error)

    with ExitStack() as stack:
        stack.callback(shared.close)
        # What a cursor has not committed when it is closed is rolled back.
        cursors = [stack.enter_context(open_cursor(database)) for _ in range(num_threads)]
        for cursor in cursors:
            add_functions(cursor)
            cursor.begin()
        with ThreadPoolExecutor(num_threads, thread_name_prefix="stage") as pool:
            try:
                list(pool.map(work, range(num_threads), cursors))
            finally:
                shared.stopped.set()
        shared.raise_first()
        for cursor in cursors:
            cursor.commit()


@contextmanager
def scratch_folder(database: duckdb.DuckDBPyConnection) -> Iterator[Path]:
    """A folder for files that live briefly: beside the work database, where there is room, and goes with it.

    Raises:
        DataError: files cannot be written there.
    """
    [(path,)] = database.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    beside = Path(path).parent if path else None
    try:
        with tempfile.TemporaryDirectory(prefix=".staging-", dir=beside) as folder:
            yield Path(folder)
    except OSError as error:
        raise DataError(f"Cannot write to {beside or tempfile.gettempdir()}: {error.strerror}.") from error


class _Shared(Generic[_Item]):
    """Items that several threads take from one iterator, each at its own pace, until one of them fails."""

    def __init__(self, items: Iterator[_Item]) -> None:
        self._items = read_ahead(items)
        self._lock = threading.Lock()
        self._num_taken = 0
        self._last_taken: dict[int, int] = {}
        self._failures: dict[int, BaseException] = {}
        self.stopped = threading.Event()

    def share(self, number: int) -> Iterator[_Item]:
        """Gives one thread what it takes."""
        while not self.stopped.is_set():
            with self._lock:
                self._last_taken[number] = self._num_taken
                self._num_taken += 1
                try:
                    item = next(self._items)
                except StopIteration:
                    return
            yield item

    def fail(self, number: int, error: BaseException) -> None:
        """Notes the error of a thread, and stops the others after what they are at."""
        self.stopped.set()
        self._failures[self._last_taken.get(number, 0)] = error

    def raise_first(self) -> None:
        """Raises the error of the earliest item, if there is any."""
        if self._failures:
            raise self._failures[min(self._failures)]

    def close(self) -> None:
        """Ends the reading ahead."""
        self._items.close()


def memory_for_reading(sources: Sequence[Source], config: IngestConfig) -> str:
    """What the database may hold while it reads some files, such as "500MB": `ingest.memory_limit` at most.

    DuckDB keeps in memory what it has written as long as its limit allows, though reading seldom looks at it
    again. So a limit that follows the files costs no time, and leaves memory to others.

    Args:
        sources: every file that is read.
        config: holds the limit.
    """
    wanted = sum(source.size * _UNPACKED[_packing(source)] * _STAGED[source.layout] for source in sources)
    num_bytes = min(max(LEAST_FOR_READING, int(wanted)), size_in_bytes(config.memory_limit))
    return f"{num_bytes // 1000}KB"


def block_size_for(config: IngestConfig) -> int:
    """Bytes of text in a block, of which each of the staging threads works on one within the limit."""
    limit, threads = size_in_bytes(config.memory_limit), num_staging_threads(config.threads)
    return min(max(limit // (_BYTES_A_BLOCK_BYTE * threads), _SMALLEST_BLOCK), BLOCK_SIZE)


@contextmanager
def limited_memory(database: duckdb.DuckDBPyConnection, memory_limit: str) -> Iterator[None]:
    """Holds the database to so much memory within the context, unless it has less, and as before after it."""
    [(before,)] = database.execute("select current_setting('memory_limit')").fetchall()
    if size_in_bytes(memory_limit) < size_in_bytes(before):
        database.execute(f"set memory_limit = '{memory_limit}'")
    try:
        yield
    finally:
        database.execute(f"set memory_limit = '{before}'")


def _packing(source: Source) -> str:
    if source.layout == "parquet":
        return "parquet"
    return "gzip" if source.compressed else "plain"
