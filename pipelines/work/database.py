"""Opens the work database within limits, and runs the SQL files of `pipelines/sql` in it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

from engine.config.sections import IngestConfig
from engine.errors import CheckFailedError, ConfigError, DataError

if TYPE_CHECKING:
    import duckdb

_NUM_ROWS_SHOWN = 3
"""Offending rows that the error of a failed check names."""
_ROWS_IN_GROUP = 8192
"""Rows of a table on disk that are compressed and written at once; until then they are held in memory.

DuckDB's own 122,880 movies with their descriptions are 400 MB in each thread.
"""


@contextmanager
def work_database(limits: IngestConfig, folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens a work database in a temporary folder, which is deleted when the block ends.

    The temporary folder is made in `folder`, such as beside an output, where there is room for data; by
    default it is made in the system's folder for temporary files.

    Raises:
        ConfigError: the work does not fit into the memory that DuckDB may use.
        DataError: the folder or the database cannot be written.
    """
    try:
        temporary = TemporaryDirectory(prefix=".engine-work-", dir=folder)
    except OSError as error:
        raise DataError(f"Cannot write to {folder or gettempdir()}: {error.strerror}") from error
    with temporary as directory, storage_errors():
        path = Path(directory) / "work.duckdb"
        with open_database(path, memory_limit=limits.memory_limit, threads=limits.threads) as database:
            yield database


def open_database(path: Path, *, memory_limit: str = "4GB", threads: int = 0) -> duckdb.DuckDBPyConnection:
    """Opens or creates a work database, whose file the caller deletes; 0 threads are one a core.

    When DuckDB holds as much as `memory_limit` says, it spills to a directory beside the file.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": memory_limit}
    settings["temp_directory"] = str(path.with_name(f"{path.name}.tmp"))
    if threads:
        settings["threads"] = threads
    # DuckDB takes the number of rows in a group only when a file is attached.
    database = duckdb.connect(":memory:", config=settings)
    quoted = str(path).replace("'", "''")
    database.execute(f"attach '{quoted}' as work (row_group_size {_ROWS_IN_GROUP})")
    database.execute("use work")
    # In the terminal of a notebook, DuckDB would otherwise write its own progress bar to stdout.
    database.execute("set enable_progress_bar = false")
    return database


def open_cursor(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Opens one more connection to the tables of a connection; it has a transaction of its own."""
    [(catalog,)] = database.execute("select current_database()").fetchall()
    cursor = database.cursor()
    cursor.execute(f'use "{catalog}"')
    return cursor


def read_sql(name: str) -> str:
    """Reads the text of `pipelines/sql/<name>.sql`; the name is a folder and a file, such as "checks/..."."""
    return resources.files("pipelines.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def run(database: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> duckdb.DuckDBPyConnection:
    """Runs `pipelines/sql/<name>.sql` with the values of its `$parameters`; returns the connection."""
    return database.execute(read_sql(name), parameters or None)


def count_rows(database: duckdb.DuckDBPyConnection, rows: str) -> int:
    """Counts the rows of a table, or of a query in parentheses."""
    [(count,)] = database.execute(f"select count(*) from {rows}").fetchall()
    return int(count)


def run_checks(database: duckdb.DuckDBPyConnection, names: Sequence[str], **parameters: object) -> None:
    """Runs checks such as "checks/core_holds", each with the parameters that it mentions.

    Raises:
        CheckFailedError: a check selected a row, which offends against it.
    """
    for name in names:
        text = read_sql(name)
        given = {key: value for key, value in parameters.items() if f"${key}" in text}
        rows = database.execute(text, given or None).fetchall()
        if rows:
            raise CheckFailedError(name.rpartition("/")[2], len(rows), rows[:_NUM_ROWS_SHOWN])


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns DuckDB's errors about full memory or a full disk into ours; works as a decorator too."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise ConfigError(
            "The work does not fit into the memory that it may use; raise --memory-limit "
            f"({_first_line(error)})"
        ) from error
    except duckdb.IOException as error:
        raise DataError(f"The work database cannot be written: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def add_functions(database: duckdb.DuckDBPyConnection) -> None:
    """Adds the functions that the staging statements call, and sets the time zone that they expect, UTC."""
    if not count_rows(database, "duckdb_functions() where function_name = 'unescape_entities'"):
        database.create_function("unescape_entities", html.unescape, ["VARCHAR"], "VARCHAR")
    database.execute("set TimeZone = 'UTC'")
    run(database, "staging/cleaning")
