"""Stages blocks of a file by several threads, all of them or none, within a memory limit."""

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
from engine.errors import DataError, SourceError
from pipelines.reading.lines import BLOCK_SIZE, BlockReader
from pipelines.reading.sources import Source
from pipelines.work.database import add_functions, count_rows, open_cursor
from pipelines.work.parallel import read_ahead

if TYPE_CHECKING:
    import duckdb

LEAST_FOR_READING = 500_000_000
"""Bytes for the database when files are small: with less it spills, with more it only fills its cache."""

_MOST_THREADS = 4
"""Threads that stage blocks; more threads would wait for the one that decompresses."""
_UNPACKED = {"gzip": 5.0, "parquet": 8.0, "plain": 1.0}
"""Bytes of rows in a byte of a file, about."""
_STAGED = {"json": 0.25, "delimited": 1.0, "parquet": 1.0}
"""Bytes in the database of a byte of rows; most bytes of JSON are words that are not kept."""
_BYTES_A_BLOCK_BYTE = 75
"""Bytes of memory for a byte of a block: cleaning metadata takes half of them at most."""
_SMALLEST_BLOCK = 1 << 20

_Item = TypeVar("_Item")


def num_staging_threads(threads: int = 0) -> int:
    """Returns the number of threads that stage blocks: `threads`, or one a core if 0, but at most four."""
    return min(threads or os.cpu_count() or 1, _MOST_THREADS)


def open_blocks(
    source: Source, config: IngestConfig, on_read: Callable[[int, int], object] | None = None
) -> BlockReader:
    """Opens a file for reading in blocks of a size that the memory limit allows."""
    return BlockReader(
        source.path,
        compressed=source.compressed,
        quoted=bool(source.header),
        on_read=on_read,
        block_size=block_size_for(config),
    )


def require_complete(
    database: duckdb.DuckDBPyConnection, table: str, file: int, source: Source, config: IngestConfig
) -> None:
    """Raises SourceError for a file whose gzip data ended too early, unless the settings allow that.

    The staging table `table` holds the rows of the file under the number `file`.
    """
    if config.allow_truncated:
        return
    num_rows = count_rows(database, f"{table} where file = {file}")
    raise SourceError(
        f"{source.path} ends too early: {num_rows:,} complete rows could be read before its gzip data "
        "breaks off; fetch it again, or use those rows with --allow-truncated.",
        path=source.path,
    )


def stage_blocks(
    database: duckdb.DuckDBPyConnection,
    items: Iterator[_Item],
    stage: Callable[[duckdb.DuckDBPyConnection, Iterator[_Item]], None],
    *,
    threads: int = 0,
) -> None:
    """Shares out the items among threads that stage them; the order in which they are staged is chance.

    DuckDB works on a block in one thread, so several threads each insert through a cursor in a transaction
    of its own. All transactions are committed when every item is staged; after an error none is. The
    database must be outside of a transaction. One more thread reads the items ahead, so that few are in
    memory at a time. `stage` inserts the items of an iterator through a cursor; each thread calls it once.

    Raises:
        Exception: the error of the items or of the stage; of several errors, the one of the earliest item.
    """
    num_threads = num_staging_threads(threads)
    ahead = read_ahead(items)
    shared = _Shared(ahead)

    def work(number: int, cursor: duckdb.DuckDBPyConnection) -> None:
        try:
            stage(cursor, shared.share(number))
        except BaseException as error:  # raised below, when the other threads have ended
            shared.fail(number, error)

    with ExitStack() as stack:
        stack.callback(ahead.close)
        # Closing a cursor rolls back what it has not committed.
        cursors = [stack.enter_context(open_cursor(database)) for _ in range(num_threads)]
        for cursor in cursors:
            add_functions(cursor)
            cursor.begin()
        with ThreadPoolExecutor(num_threads, thread_name_prefix="stage") as pool:
            try:
                list(pool.map(work, range(num_threads), cursors))
            finally:
                shared.stopped.set()
        if shared.failures:
            raise shared.failures[min(shared.failures)]
        for cursor in cursors:
            cursor.commit()


class _Shared(Generic[_Item]):
    """Hands the items of one iterator to several threads, until one of the threads fails."""

    def __init__(self, items: Iterator[_Item]) -> None:
        self._items = items
        self._lock = threading.Lock()
        self._num_taken = 0
        self._last_taken: dict[int, int] = {}
        self.failures: dict[int, BaseException] = {}
        """The error of each thread that failed, by the number of the item on which it failed."""
        self.stopped = threading.Event()

    def share(self, number: int) -> Iterator[_Item]:
        """Yields the items that one thread takes."""
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
        """Notes the error of a thread; the other threads stop after their current item."""
        self.stopped.set()
        self.failures[self._last_taken.get(number, 0)] = error


@contextmanager
def scratch_folder(database: duckdb.DuckDBPyConnection) -> Iterator[Path]:
    """Makes a temporary folder beside the work database, where there is room for files.

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


def memory_for_reading(sources: Sequence[Source], config: IngestConfig) -> str:
    """Returns what the database may hold while it reads files, such as "500MB": `memory_limit` at most.

    DuckDB keeps in memory what it has written as long as its limit allows, although reading seldom needs it
    again. So a limit that follows the size of the files costs no time, and leaves memory to other processes.
    """
    wanted = sum(source.size * _UNPACKED[_packing(source)] * _STAGED[source.layout] for source in sources)
    num_bytes = min(max(LEAST_FOR_READING, int(wanted)), size_in_bytes(config.memory_limit))
    return f"{num_bytes // 1000}KB"


def _packing(source: Source) -> str:
    if source.layout == "parquet":
        return "parquet"
    return "gzip" if source.compressed else "plain"


def block_size_for(config: IngestConfig) -> int:
    """Returns the bytes of text in a block, so that one block in each thread fits into the memory limit."""
    limit, threads = size_in_bytes(config.memory_limit), num_staging_threads(config.threads)
    return min(max(limit // (_BYTES_A_BLOCK_BYTE * threads), _SMALLEST_BLOCK), BLOCK_SIZE)


@contextmanager
def limited_memory(database: duckdb.DuckDBPyConnection, memory_limit: str) -> Iterator[None]:
    """Lowers the memory limit of the database to `memory_limit` within the context, and never raises it."""
    [(before,)] = database.execute("select current_setting('memory_limit')").fetchall()
    if size_in_bytes(memory_limit) < size_in_bytes(before):
        database.execute(f"set memory_limit = '{memory_limit}'")
    try:
        yield
    finally:
        database.execute(f"set memory_limit = '{before}'")
