"""Inserts the blocks of a file into staging tables by several threads; an error undoes all inserts."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.config.sections import IngestConfig
from engine.config.values import size_in_bytes
from engine.errors import DataError, SourceError
from pipelines.reading.sources import Source
from pipelines.text.documents import DocumentReader
from pipelines.text.lines import BLOCK_SIZE, BlockReader
from pipelines.work.database import count_rows, folder_of, open_cursor
from pipelines.work.parallel import read_ahead

if TYPE_CHECKING:
    import duckdb

LEAST_FOR_READING = 500_000_000
"""The least memory of DuckDB while files are read, in bytes; with less memory, DuckDB would write temporary
data to the disk."""

_MOST_THREADS = 4
"""The largest number of threads that insert blocks; more threads would wait for the thread that decompresses
the file."""
_UNPACKED = {"gzip": 5.0, "zip": 5.0, "bzip2": 7.0, "xz": 7.0, "parquet": 8.0, "plain": 1.0}
"""The approximate size of a file after decompression, as a multiple of the file's size, for each
compression."""
_STAGED = {"json": 0.25, "delimited": 1.0, "parquet": 1.0}
"""The approximate size of a file's rows in the database, as a multiple of the file's decompressed size, for
each layout; JSON takes less space, because the database does not keep the texts of reviews."""
MEMORY_PER_BYTE = 75
"""The number of bytes of memory that are planned for each byte of a block; cleaning a block of metadata takes
at most half of the planned memory."""
_SMALLEST_BLOCK = 1 << 20
"""The least size of a block in bytes, even if the memory limit is small."""

_Item = TypeVar("_Item")

_log = logging.getLogger(__name__)


def num_staging_threads(threads: int = 0) -> int:
    """Returns the number of threads that insert blocks, at most four.

    The number is `threads`, or the number of cores if `threads` is 0.
    """
    return min(threads or os.cpu_count() or 1, _MOST_THREADS)


def open_blocks(
    source: Source,
    config: IngestConfig,
    on_read: Callable[[int, int], object] | None = None,
    *,
    memory_per_byte: int = MEMORY_PER_BYTE,
) -> BlockReader | DocumentReader:
    """Returns a reader of the blocks of a file, with blocks as large as the memory limit allows.

    `memory_per_byte` is the number of bytes of memory that are planned for each byte of a block.
    """
    block_size = block_size_for(config, memory_per_byte)
    if source.framing:
        return DocumentReader(
            source.path,
            file=source.file,
            form=source.form,
            framing=source.framing,
            on_read=on_read,
            block_size=block_size,
        )
    return BlockReader(
        source.path, file=source.file, form=source.form, on_read=on_read, block_size=block_size
    )


def check_read(
    database: duckdb.DuckDBPyConnection,
    table: str,
    file: int,
    source: Source,
    reader: BlockReader | DocumentReader,
    config: IngestConfig,
    num_continued: int,
) -> None:
    """Checks that every record of a file became one row of a staging table, and that no data were cut off.

    The rows of the file are the rows of the staging table `table` whose column `file` equals the argument
    `file`. `num_continued` is the number of lines that continue a record which began on an earlier line.

    Raises:
        SourceError: the compressed data end too early, and `config.allow_truncated` is false.
        DataError: rows went missing, which is a fault of this program.
    """
    num_rows = count_rows(database, f"{table} where file = {file}")
    if reader.truncated and not config.allow_truncated:
        raise SourceError(
            f"{source.path} ends too early: {num_rows:,} complete rows could be read before its "
            f"{source.packing} data break off; fetch it again, or use those rows with --allow-truncated.",
            path=source.path,
        )
    num_records = reader.num_lines - source.num_header_lines - num_continued
    if num_rows != num_records:
        raise DataError(
            f"Rows of {source.path} went missing: {num_records:,} were counted in the file, but {num_rows:,} "
            "were read; please report this."
        )
    if reader.num_foreign:
        _log.warning(
            "Lines of %s that are not UTF-8 and were read as Windows-1252: %d",
            source.path,
            reader.num_foreign,
        )


def stage_blocks(
    database: duckdb.DuckDBPyConnection,
    items: Iterator[_Item],
    stage: Callable[[duckdb.DuckDBPyConnection, Iterator[_Item]], None],
    *,
    threads: int = 0,
) -> None:
    """Inserts items, such as the blocks of a file, into staging tables by several threads, in no fixed order.

    DuckDB inserts one block in a single thread; therefore, several threads insert blocks at the same time,
    each with a cursor and a transaction of its own. The transactions of all threads are committed together
    after all items are inserted; after an error in any thread, no transaction is committed. Another thread
    reads a few items ahead from `items`.

    Args:
        database: a database without an open transaction, with the functions that `add_functions` adds.
        items: the items to insert.
        stage: a function that each thread calls once, with a cursor and an iterator; the function inserts all
            items of the iterator.
        threads: the number of threads, at most four; 0 for one thread per core.

    Raises:
        Exception: the error that `items` or `stage` raised; if several errors were raised, the error of the
            earliest item.
    """
    num_threads = num_staging_threads(threads)
    stopped = threading.Event()
    ahead = read_ahead(items, stopped)
    shared = _Shared(ahead, stopped)

    def work(number: int, cursor: duckdb.DuckDBPyConnection) -> None:
        try:
            stage(cursor, shared.share(number))
        except BaseException as error:  # The error is raised again after the other threads have ended.
            shared.fail(number, error)

    with ExitStack() as stack:
        stack.callback(ahead.close)
        # Closing a cursor rolls back the cursor's transaction if the transaction is not committed.
        cursors = [stack.enter_context(open_cursor(database)) for _ in range(num_threads)]
        for cursor in cursors:
            cursor.begin()
        with ThreadPoolExecutor(num_threads, thread_name_prefix="stage") as pool:
            try:
                list(pool.map(work, range(num_threads), cursors))
            except BaseException:
                stopped.set()
                for cursor in cursors:
                    cursor.interrupt()
                raise
        if shared.failures:
            raise shared.failures[min(shared.failures)]
        for cursor in cursors:
            cursor.commit()


class _Shared(Generic[_Item]):
    """Hands out the items of one iterator to several threads, until one of the threads fails."""

    def __init__(self, items: Iterator[_Item], stopped: threading.Event) -> None:
        self._items = items
        self.stopped = stopped
        self._lock = threading.Lock()
        self._num_taken = 0
        self._last_taken: dict[int, int] = {}
        self.failures: dict[int, BaseException] = {}
        """The errors of the threads that failed; the key is the number of the item that the thread had
        taken."""

    def share(self, number: int) -> Iterator[_Item]:
        """Yields items to the thread `number`, until no item is left or one of the threads fails."""
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
        """Records the error of a thread, and makes every other thread stop after the current item."""
        self.stopped.set()
        self.failures[self._last_taken.get(number, 0)] = error


def read_whole_ids(
    database: duckdb.DuckDBPyConnection, table: str, file: int, columns: Sequence[str]
) -> bool:
    """Removes the ending .0 from the ids of a file in a staging table, if all ids are whole numbers.

    Some programs convert a column of ids to decimal numbers if an id is missing, and write the id 15 as 15.0.
    Returns whether any id was changed.
    """
    changed = False
    for column in columns:
        of_file = f"{table} where file = {file} and reason is null"
        if not count_rows(database, f"(from {of_file} and ends_with({column}, '.0') limit 1)"):
            continue
        if not count_rows(
            database, f"(from {of_file} and not regexp_full_match({column}, '-?[0-9]+(\\.0)?') limit 1)"
        ):
            database.execute(
                f"update {table} set {column} = left({column}, -2) "
                f"where file = {file} and ends_with({column}, '.0')"
            )
            changed = True
    return changed


@contextmanager
def scratch_folder(database: duckdb.DuckDBPyConnection) -> Iterator[Path]:
    """Makes a temporary folder beside the database file; deletes the folder when the `with` statement ends.

    Raises:
        DataError: no file can be written beside the database file.
    """
    beside = folder_of(database)
    try:
        with tempfile.TemporaryDirectory(prefix=".staging-", dir=beside) as folder:
            yield Path(folder)
    except OSError as error:
        raise DataError(f"Cannot write to {beside}: {error.strerror}.") from error


def memory_for_reading(sources: Sequence[Source], config: IngestConfig) -> str:
    """Returns DuckDB's memory limit for reading files, such as "500000KB", at most `config.memory_limit`.

    The memory limit grows with the sizes of the files. If DuckDB's memory limit were larger than the files
    need, DuckDB would keep pages in memory that are seldom read again, and other programs would have less
    memory.
    """
    wanted = sum(source.size * _UNPACKED[source.packing] * _STAGED[source.layout] for source in sources)
    num_bytes = min(max(LEAST_FOR_READING, int(wanted)), size_in_bytes(config.memory_limit))
    return f"{num_bytes // 1000}KB"


def block_size_for(config: IngestConfig, memory_per_byte: int = MEMORY_PER_BYTE) -> int:
    """Returns the largest block size, in bytes, at which one block per thread fits into the memory limit.

    The returned size is at least _SMALLEST_BLOCK, even if the memory limit is small, and at most BLOCK_SIZE.
    The argument `memory_per_byte` is the number of bytes of memory that are planned for each byte of a
    block.
    """
    limit, threads = size_in_bytes(config.memory_limit), num_staging_threads(config.threads)
    return min(max(limit // (memory_per_byte * threads), _SMALLEST_BLOCK), BLOCK_SIZE)


@contextmanager
def limited_memory(database: duckdb.DuckDBPyConnection, memory_limit: str) -> Iterator[None]:
    """Lowers DuckDB's memory limit to `memory_limit` during the `with` statement; never raises the limit."""
    import duckdb

    [(before,)] = database.execute("select current_setting('memory_limit')").fetchall()
    if size_in_bytes(memory_limit) < size_in_bytes(before):
        database.execute(f"set memory_limit = '{memory_limit}'")
    try:
        yield
    finally:
        # If a damaged file has made the database unusable, the error about the file is raised, and not an
        # error about the setting.
        with suppress(duckdb.FatalException):
            database.execute(f"set memory_limit = '{before}'")
