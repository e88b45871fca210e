"""The work database: opened with limits, and the SQL files that run in it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import CheckFailedError, ConfigError, DataError

if TYPE_CHECKING:
    import duckdb

_NUM_ROWS_SHOWN = 3
_ROWS_IN_GROUP = 8192
"""Of a table on disk: so many are compressed and written at once, and until then they are in memory.

Of movies with their descriptions, DuckDB's own 122,880 are 400 MB in each thread.
"""


def open_database(path: Path, *, memory_limit: str = "4GB", threads: int = 0) -> duckdb.DuckDBPyConnection:
    """Opens or creates the work database of one build, which spills to a directory beside its file.

    Args:
        path: the database file; the caller deletes it when the build is over.
        memory_limit: how much DuckDB may hold before it spills, such as "4GB".
        threads: threads for DuckDB; 0 takes one a core.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "temp_directory": str(path.with_name(f"{path.name}.tmp")),
    }
    if threads:
        settings["threads"] = threads
    # How many rows a group has can only be said when a file is attached.
    database = duckdb.connect(":memory:", config=settings)
    quoted = str(path).replace("'", "''")
    database.execute(f"attach '{quoted}' as work (row_group_size {_ROWS_IN_GROUP})")
    database.execute("use work")
    # Only the terminal of a notebook would ask for it, and then DuckDB's bar would write to stdout.
    database.execute("set enable_progress_bar = false")
    return database


def open_cursor(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Opens one more connection to the tables that a connection sees; it has a transaction of its own."""
    [(catalog,)] = database.execute("select current_database()").fetchall()
    cursor = database.cursor()
    cursor.execute(f'use "{catalog}"')
    return cursor


def read_sql(name: str) -> str:
    """The text of `pipelines/sql/<name>.sql`; the name may lead into a folder, such as "checks/..."."""
    return resources.files("pipelines.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def run(database: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> duckdb.DuckDBPyConnection:
    """Runs `pipelines/sql/<name>.sql` with the values of its `$parameters`.

    Returns:
        The connection, from which the result of a select can be fetched.
    """
    return database.execute(read_sql(name), parameters or None)


def run_checks(database: duckdb.DuckDBPyConnection, names: Sequence[str], **parameters: object) -> None:
    """Runs checks, each of which selects offending rows.

    Args:
        database: where the tables are.
        names: the checks, without folder and ending.
        **parameters: values for the checks; each is given those that it mentions.

    Raises:
        CheckFailedError: a check selected a row.
    """
    for name in names:
        text = read_sql(f"checks/{name}")
        given = {key: value for key, value in parameters.items() if f"${key}" in text}
        rows = database.execute(text, given or None).fetchall()
        if rows:
            raise CheckFailedError(name, len(rows), rows[:_NUM_ROWS_SHOWN])


@contextmanager
def storage_errors() -> Iterator[None]:
    """Says in our words that memory or the disk is full; also a decorator."""
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
    """Gives the connection the functions that the staging statements call, and the time zone they mean."""
    known = database.execute(
        "select count(*) from duckdb_functions() where function_name = 'unescape_entities'"
    ).fetchall()
    if known == [(0,)]:
        database.create_function("unescape_entities", html.unescape, ["VARCHAR"], "VARCHAR")
    database.execute("set TimeZone = 'UTC'")
    run(database, "staging/cleaning")
