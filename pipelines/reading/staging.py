"""Inserts the blocks of a file into staging tables with several threads, all or none, in limited memory."""

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
"""The memory of DuckDB in bytes when the files are small.

With less memory DuckDB spills to disk, and more memory only fills the cache of DuckDB.
"""

_MOST_THREADS = 4
"""The most threads that insert blocks; more threads would wait for the thread that decompresses the file."""
_UNPACKED = {"gzip": 5.0, "zip": 5.0, "bzip2": 7.0, "xz": 7.0, "parquet": 8.0, "plain": 1.0}
"""The approximate size of a file after decompression, as a multiple of the size of the file."""
_STAGED = {"json": 0.25, "delimited": 1.0, "parquet": 1.0}
"""The approximate size of a file's rows in the database, as a multiple of the decompressed size.

Most bytes of JSON reviews are the words of the reviews, which the database does not keep.
"""
MEMORY_PER_BYTE = 75
"""Bytes of memory to allow for each byte of a block: cleaning metadata takes at most half as much memory."""
_SMALLEST_BLOCK = 1 << 20

_Item = TypeVar("_Item")

_log = logging.getLogger(__name__)


def num_staging_threads(threads: int = 0) -> int:
    """Returns the number of staging threads: `threads`, or one per core if `threads` is 0; at most four."""
    return min(threads or os.cpu_count() or 1, _MOST_THREADS)


def open_blocks(
    source: Source,
    config: IngestConfig,
    on_read: Callable[[int, int], object] | None = None,
    *,
    memory_per_byte: int = MEMORY_PER_BYTE,
) -> BlockReader | DocumentReader:
    """Returns a reader of the blocks of a file, with blocks as large as the memory limit allows.

    `memory_per_byte` is the memory to allow for each byte of a block, in bytes.
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
    """Checks that every record of a file became one row of a staging table, and that no data are missing.

    The rows of the file are in the staging table `table`, where the column `file` equals the argument `file`.
    `num_continued` is the number of lines that only continue a record from the line before.

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

    DuckDB works on a block in one thread only, so each of several threads inserts blocks through a separate
    cursor with a separate transaction. All transactions are committed after the last item, and none is
    committed after an error. No transaction may be open in the database, and the caller must have called
    `add_functions` with the database. One more thread reads ahead from `items`, but only a few items, to save
    memory. `stage` takes a cursor and an iterator, and inserts the items of the iterator; each thread calls
    `stage` once.

    Raises:
        Exception: the error that `items` or `stage` raised; of several, the error of the earliest item.
    """
    num_threads = num_staging_threads(threads)
    stopped = threading.Event()
    ahead = read_ahead(items, stopped)
    shared = _Shared(ahead, stopped)

    def work(number: int, cursor: duckdb.DuckDBPyConnection) -> None:
        try:
            stage(cursor, shared.share(number))
        except BaseException as error:  # raised again below, after the other threads have ended
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
        """Maps the number of an item to the error of the thread that failed on the item."""

    def share(self, number: int) -> Iterator[_Item]:
        """Yields items to the thread with the given number, until no item is left or a thread fails."""
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
        """Records the error of a thread, and makes the other threads stop after their current item."""
        self.stopped.set()
        self.failures[self._last_taken.get(number, 0)] = error


def read_whole_ids(
    database: duckdb.DuckDBPyConnection, table: str, file: int, columns: Sequence[str]
) -> bool:
    """Removes the ending .0 from ids in the rows of a file if all ids of the column are whole numbers.

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
    """Makes a temporary folder beside the database file, which is deleted when the `with` statement ends.

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
    """Returns the memory limit of DuckDB for reading files, such as "500MB": at most `config.memory_limit`.

    DuckDB keeps written pages in memory up to the memory limit, although reading files seldom needs the
    written pages again. A memory limit in proportion to the sizes of the files costs no time, and leaves
    memory to other programs.
    """
    wanted = sum(source.size * _UNPACKED[source.packing] * _STAGED[source.layout] for source in sources)
    num_bytes = min(max(LEAST_FOR_READING, int(wanted)), size_in_bytes(config.memory_limit))
    return f"{num_bytes // 1000}KB"


def block_size_for(config: IngestConfig, memory_per_byte: int = MEMORY_PER_BYTE) -> int:
    """Returns the bytes of text in a block, so that one block per thread fits into the memory limit."""
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
        # A damaged file may make the whole database unusable; the error of the file is raised then.
        with suppress(duckdb.FatalException):
            database.execute(f"set memory_limit = '{before}'")
