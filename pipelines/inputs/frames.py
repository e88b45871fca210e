"""Writes tables of pandas, Arrow or Polars to Parquet files, so that a build can read the tables."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from engine.catalogue.database import NO_EXTENSIONS
from engine.errors import SourceError

if TYPE_CHECKING:
    import duckdb


@runtime_checkable
class ArrowTable(Protocol):
    """Describes a table in memory, such as a pandas DataFrame, that gives its rows as an Arrow C stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Returns the rows of the table as an Arrow stream."""


_TABLE = "given"
"""The name by which DuckDB reads a table in memory."""


def is_table(given: object) -> TypeGuard[ArrowTable]:
    """Tells whether an object is a table in memory, or a LazyFrame of Polars."""
    return isinstance(given, ArrowTable) or _is_lazy(given)


def _is_lazy(given: object) -> bool:
    """Tells whether an object is a Polars LazyFrame, whose rows are computed by its method `collect`."""
    return type(given).__name__ == "LazyFrame" and hasattr(given, "collect")


def write_table(table: Any, name: Path, file: Path) -> None:
    """Writes a table in memory to a Parquet file; the rows of the table are read only once.

    The named levels of the index of a pandas DataFrame count as columns. If a DataFrame has no column names,
    the columns get the names "column 1", "column 2" and so on. The argument `name` is the name of the table
    in messages.

    Raises:
        SourceError: the table has no columns, or has values that DuckDB cannot read.
    """
    import duckdb

    if _is_lazy(table):
        table = table.collect()
    is_pandas = type(table).__module__.partition(".")[0] == "pandas"
    table = _without_index(table) if is_pandas else _Stream(table)
    with duckdb.connect(config=NO_EXTENSIONS) as database:
        try:
            _copy(database, table, file)
        except (duckdb.Error, TypeError, ValueError) as error:
            if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException):
                raise
            columns = [_faulty(database, table, file)] if is_pandas else []
            where = f"the column {columns[0]!r} of {name}" if columns and columns[0] else str(name)
            reason = re.sub(r"^[A-Z][A-Za-z ]*: ", "", str(error).split("\n", 1)[0])
            raise SourceError(
                f"Cannot read {where}: {reason}; turn the values into text, numbers or dates.", path=name
            ) from error


def _copy(database: duckdb.DuckDBPyConnection, table: Any, file: Path) -> None:
    database.register(_TABLE, table)
    try:
        database.table(_TABLE).write_parquet(str(file))
    finally:
        database.unregister(_TABLE)


def _faulty(database: duckdb.DuckDBPyConnection, frame: Any, file: Path) -> str | None:
    """Returns the name of a DataFrame's first column that DuckDB cannot read; None if all are readable."""
    import duckdb

    for place, column in enumerate(frame.columns):
        try:
            _copy(database, frame.iloc[:, [place]], file)
        except (duckdb.Error, TypeError, ValueError):
            return str(column)
    return None


def _without_index(frame: Any) -> Any:
    """Converts the named index levels of a DataFrame to columns, and names columns that have no names."""
    if any(name is not None for name in frame.index.names):
        with suppress(ValueError):  # A column may have the name of the index.
            frame = frame.reset_index()
    if list(frame.columns) == list(range(len(frame.columns))):
        frame = frame.set_axis([f"column {number + 1}" for number in frame.columns], axis="columns")
    unknown = [
        place
        for place, kind in enumerate(frame.dtypes)
        if re.match(r"period|interval|complex|Sparse", str(kind))
    ]
    if unknown:
        frame = frame.copy(deep=False)
        for place in unknown:
            frame.isetitem(place, frame.iloc[:, place].astype(object).map(str, na_action="ignore"))
    return frame


class _Stream:
    """Gives DuckDB a table as an Arrow stream; DuckDB would need pyarrow to read a Polars table directly."""

    def __init__(self, table: ArrowTable) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)
