"""Blocks staged by several threads at once, each with a cursor of its own: all of them, or none."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.errors import DataError
from pipelines.reading.blocks import read_ahead
from pipelines.work.database import add_functions, open_cursor

if TYPE_CHECKING:
    import duckdb

_MOST_THREADS = 4
"""More of them would wait for the one that decompresses."""

_Item = TypeVar("_Item")


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
