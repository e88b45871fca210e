"""Opens a temporary DuckDB database with limited memory, and runs the SQL files of `pipelines/sql`."""

from __future__ import annotations

import html
import re
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
"""The number of rows that the error message of a failed check shows."""
_LONG_NUMBER = re.compile(r"&#(?:[0-9]{20,}|[xX][0-9a-fA-F]{20,});?")
_ROWS_IN_GROUP = 8192
"""Rows in a row group, which DuckDB holds in memory in each thread until the row group is written to disk.

With DuckDB's default of 122,880 rows, a row group of movies with descriptions takes 400 MB.
"""


@contextmanager
def work_database(limits: IngestConfig, folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens a new DuckDB database in a temporary folder, which is deleted when the `with` statement ends.

    The temporary folder is made in `folder`, which should have room for the data, such as the folder of an
    output file; by default the temporary folder is made in the system's folder for temporary files.

    Raises:
        ConfigError: a statement needs more memory than `limits.memory_limit`.
        DataError: the folder or the database cannot be written to.
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
    """Opens or creates a DuckDB database at a path; the caller deletes the file.

    DuckDB uses `threads` threads, or one thread per core if `threads` is 0. Beyond `memory_limit`, DuckDB
    spills data to a directory beside the database file.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": memory_limit}
    settings["temp_directory"] = str(path.with_name(f"{path.name}.tmp"))
    if threads:
        settings["threads"] = threads
    # DuckDB accepts the number of rows in a row group only when a file is attached.
    database = duckdb.connect(":memory:", config=settings)
    quoted = str(path).replace("'", "''")
    database.execute(f"attach '{quoted}' as work (row_group_size {_ROWS_IN_GROUP})")
    database.execute("use work")
    # Otherwise DuckDB writes a progress bar to stdout when it runs in a terminal or notebook.
    database.execute("set enable_progress_bar = false")
    return database


def open_cursor(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Opens another connection to the tables of a connection, with a transaction of its own."""
    [(catalog,)] = database.execute("select current_database()").fetchall()
    cursor = database.cursor()
    cursor.execute(f'use "{catalog}"')
    return cursor


def read_sql(name: str) -> str:
    """Returns the text of the SQL file `pipelines/sql/<name>.sql`, for a name such as "checks/core_holds"."""
    return resources.files("pipelines.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def run(database: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> duckdb.DuckDBPyConnection:
    """Runs the SQL file `pipelines/sql/<name>.sql` with parameters; returns the connection."""
    return database.execute(read_sql(name), parameters or None)


def count_rows(database: duckdb.DuckDBPyConnection, rows: str) -> int:
    """Counts the rows of a table, a view or a query in parentheses."""
    [(count,)] = database.execute(f"select count(*) from {rows}").fetchall()
    return int(count)


def run_checks(database: duckdb.DuckDBPyConnection, names: Sequence[str], **parameters: object) -> None:
    """Runs checks such as "checks/core_holds", and gives each check the parameters that the check mentions.

    Raises:
        CheckFailedError: a check selected a row, which means that the row breaks the rule of the check.
    """
    for name in names:
        text = read_sql(name)
        given = {key: value for key, value in parameters.items() if f"${key}" in text}
        rows = database.execute(text, given or None).fetchall()
        if rows:
            raise CheckFailedError(name.rpartition("/")[2], len(rows), rows[:_NUM_ROWS_SHOWN])


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns DuckDB's errors about full memory into ConfigError, and errors about a full disk into DataError.

    Works as a context manager and as a decorator.
    """
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


def unescape_entities(text: str) -> str:
    """Replaces the HTML entities of a text by the letters that the entities stand for.

    An entity with a number of very many digits stands for no letter, and Python refuses to read the number.

    >>> unescape_entities("&eacute;&#65;&#" + "9" * 5000 + ";") == "éA\N{REPLACEMENT CHARACTER}"
    True
    """
    return html.unescape(_LONG_NUMBER.sub("\N{REPLACEMENT CHARACTER}", text))


def add_functions(database: duckdb.DuckDBPyConnection) -> None:
    """Adds the functions that the staging statements call, and sets the time zone to UTC."""
    if not count_rows(database, "duckdb_functions() where function_name = 'unescape_entities'"):
        database.create_function("unescape_entities", unescape_entities, ["VARCHAR"], "VARCHAR")
    database.execute("set TimeZone = 'UTC'")
    run(database, "staging/cleaning")
    run(database, "staging/times")
