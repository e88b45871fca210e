"""Opens a temporary DuckDB database with limited memory, and runs the SQL files of `pipelines/sql`."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from engine.artifact.files import is_plain
from engine.artifact.locks import temporary_folder
from engine.catalogue.database import NO_EXTENSIONS, Settings
from engine.config.sections import IngestConfig
from engine.errors import CheckFailedError, ConfigError, DataError

if TYPE_CHECKING:
    import duckdb

_NUM_ROWS_SHOWN = 3
"""The number of offending table rows that the error message of a failed check shows."""
_LONG_NUMBER = re.compile(r"&#(?:[0-9]{20,}|[xX][0-9a-fA-F]{20,});?")
_ROWS_IN_GROUP = 8192
"""The number of table rows in a row group, which each thread of DuckDB holds in memory until the row group is
on disk. With DuckDB's default of 122,880 rows, a row group of movies with descriptions would take 400 MB."""

_INTERRUPTED = "Query interrupted"
"""The message of the RuntimeError that DuckDB raises when the process is interrupted during a statement."""


@contextmanager
def work_database(limits: IngestConfig, folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens a new DuckDB database in a temporary folder; deletes the folder when the `with` statement ends.

    The temporary folder is made in `folder`, a folder with enough free space for the data, such as the folder
    of an output file. If `folder` is None or DuckDB cannot open the path of `folder`, the temporary folder is
    made in the system's folder for temporary files.

    Raises:
        ConfigError: a SQL statement needs more memory than `limits.memory_limit`.
        DataError: the folder or the database cannot be written to.
        KeyboardInterrupt: the process was interrupted; DuckDB's own exception is converted.
    """
    if folder is not None and not is_plain(folder):
        folder = None
    with temporary_folder(folder) as directory, storage_errors():
        path = directory / "work.duckdb"
        with open_database(path, memory_limit=limits.memory_limit, threads=limits.threads) as database:
            yield database


def open_database(path: Path, *, memory_limit: str = "4GB", threads: int = 0) -> duckdb.DuckDBPyConnection:
    """Opens or creates a DuckDB database at a path; the caller must delete the database file in the end.

    DuckDB uses `threads` threads, or one thread per core if `threads` is 0. Data that exceed `memory_limit`
    are written to a directory beside the database file.
    """
    import duckdb

    settings: Settings = {**NO_EXTENSIONS, "memory_limit": memory_limit}
    settings["temp_directory"] = str(path.with_name(f"{path.name}.tmp"))
    if threads:
        settings["threads"] = threads
    # DuckDB accepts a row group size only as an option of the statement `attach`.
    database = duckdb.connect(":memory:", config=settings)
    quoted = str(path).replace("'", "''")
    database.execute(f"attach '{quoted}' as work (row_group_size {_ROWS_IN_GROUP})")
    database.execute("use work")
    # By default, DuckDB writes a progress bar to stdout in a terminal or notebook. In a notebook without
    # ipywidgets, DuckDB cannot show a progress bar, and refuses the setting that hides the progress bar.
    with suppress(duckdb.InvalidInputException):
        database.execute("set enable_progress_bar = false")
    return database


def open_cursor(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Opens a second connection to a database, with the same SQL functions and separate transactions."""
    [(catalog, zone)] = database.execute("select current_database(), current_setting('TimeZone')").fetchall()
    cursor = database.cursor()
    cursor.execute(f"use \"{catalog}\"; set TimeZone = '{zone}'")
    return cursor


def folder_of(database: duckdb.DuckDBPyConnection) -> Path:
    """Returns the folder of a database's file, in which temporary files may be written."""
    [(path,)] = database.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    return Path(path).parent if path else Path(gettempdir())


def literal_path(path: Path) -> str:
    """Returns a path in a form that DuckDB reads as the path of exactly one file, and not as a pattern.

    In a path as it stands, DuckDB would treat `*`, `?` and `[` as a pattern for several files, `~` as the
    home folder, and `s3:` as the start of an address.

    Raises:
        DataError: the path is not UTF-8, so that DuckDB cannot open the file.

    Example:
        >>> literal_path(Path("/data/log[1].parquet"))
        '/data/log[[]1].parquet'
    """
    text = str(path)
    if text.encode(errors="replace").decode() != text:
        raise DataError(f"The name of the file {text!r} is not UTF-8 text; rename the file.")
    return re.sub(r"[*?\[]", r"[\g<0>]", text if path.is_absolute() else f"./{text}")


def read_sql(name: str) -> str:
    """Returns the text of the SQL file `pipelines/sql/<name>.sql`, for a name such as "checks/core_holds"."""
    return resources.files("pipelines.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def run(database: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> duckdb.DuckDBPyConnection:
    """Runs the SQL file `pipelines/sql/<name>.sql` with parameters.

    Returns the database connection. The connection's methods, such as `fetchall`, return the rows that the
    SQL file selects.
    """
    return database.execute(read_sql(name), parameters or None)


def count_rows(database: duckdb.DuckDBPyConnection, rows: str) -> int:
    """Counts the rows of a table, a view or a query in parentheses."""
    [(count,)] = database.execute(f"select count(*) from {rows}").fetchall()
    return int(count)


def run_checks(database: duckdb.DuckDBPyConnection, names: Sequence[str], **parameters: object) -> None:
    """Runs SQL files of checks, such as "checks/core_holds"; each file gets the parameters that it mentions.

    Raises:
        CheckFailedError: the SQL file of a check selected a row; a check selects the rows that break the rule
            of the check.
    """
    for name in names:
        text = read_sql(name)
        given = {key: value for key, value in parameters.items() if f"${key}" in text}
        rows = database.execute(text, given or None).fetchall()
        if rows:
            raise CheckFailedError(name.rpartition("/")[2], len(rows), rows[:_NUM_ROWS_SHOWN])


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns DuckDB's errors about memory, disk and interrupts into ConfigError, DataError, KeyboardInterrupt.

    The function works as a context manager and as a decorator.
    """
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise ConfigError(
            "The work does not fit into the memory that it may use; raise --memory-limit "
            f"({reason_of(error)})"
        ) from error
    except duckdb.Error as error:
        if not isinstance(error, duckdb.IOException) and "Could not write file" not in str(error):
            raise
        raise DataError(
            f"The work database cannot be written: {reason_of(error)}; free some space, or name another "
            "folder for temporary files in TMPDIR"
        ) from error
    except RuntimeError as error:
        if str(error) == _INTERRUPTED:
            raise KeyboardInterrupt from error
        raise


def reason_of(error: BaseException) -> str:
    """Returns the reason why a file could not be read or written, from an exception, on one line."""
    line = getattr(error, "strerror", None) or str(error).partition("\n")[0]
    _, brace, inner = line.partition("{")
    try:
        # If a write fails in another thread, DuckDB's message contains a second error as JSON.
        return str(json.loads(brace + inner)["exception_message"])
    except (ValueError, KeyError, TypeError):
        return line


def unescape_entities(text: str) -> str:
    """Replaces the HTML entities of a text by the characters that the entities stand for.

    An entity whose number is too long for Python becomes a replacement character.

    >>> unescape_entities("&eacute;&#65;&#" + "9" * 5000 + ";") == "éA\N{REPLACEMENT CHARACTER}"
    True
    """
    return html.unescape(_LONG_NUMBER.sub("\N{REPLACEMENT CHARACTER}", text))


def add_functions(database: duckdb.DuckDBPyConnection) -> None:
    """Adds the SQL functions that the files in `pipelines/sql/staging` call, and sets the time zone to UTC.

    Every cursor of the database can call the added functions. Adding the functions takes a tenth of a second.
    """
    if not count_rows(database, "duckdb_functions() where function_name = 'unescape_entities'"):
        database.create_function("unescape_entities", unescape_entities, ["VARCHAR"], "VARCHAR")
    database.execute("set TimeZone = 'UTC'")
    run(database, "staging/cleaning")
    run(database, "staging/typed_values")
