"""Writes tables of pandas, Arrow or Polars to Parquet files, so that a build can read the tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from engine.artifact.locks import temporary_folder
from engine.catalogue.database import NO_EXTENSIONS
from engine.errors import ConfigError, SourceError, shown
from pipelines.text.spool import Given, Input

if TYPE_CHECKING:
    import duckdb


@runtime_checkable
class ArrowTable(Protocol):
    """Declares what a table in memory has: the Arrow C stream interface, as a pandas DataFrame has."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Returns the rows of the table as an Arrow stream."""


Source = Path | str | ArrowTable
"""The path of a file, or a table in memory."""
Sources = Source | Sequence[Source]
"""One source or several."""

_EXPECTED = "a path, a table of pandas, Arrow or Polars, or a list of paths and tables"
_TABLE = "given"
"""The name under which DuckDB reads a table in memory."""


@contextmanager
def inputs_of(reviews: Sources, metadata: Sources = ()) -> Iterator[tuple[list[Input], list[Input]]]:
    """Yields the inputs of reviews and metadata; writes tables to Parquet files for the `with` statement.

    The rows of a table are read only once. The named levels of the index of a pandas DataFrame count as
    columns. The columns of a DataFrame without column names are named by the numbers 1, 2 and so on.

    Raises:
        ConfigError: a source is neither a path nor a table.
        SourceError: a table has no columns, or values that DuckDB cannot read.
        DataError: no temporary folder can be made.
    """
    groups = {"reviews": _several(reviews, "reviews"), "movies": _several(metadata, "metadata")}
    if not any(_is_table(source) for sources in groups.values() for source in sources):
        yield _paths(groups["reviews"]), _paths(groups["movies"])
        return
    with temporary_folder() as folder:
        found = {what: list(_written(sources, what, folder)) for what, sources in groups.items()}
        yield found["reviews"], found["movies"]


def _several(given: Any, argument: str) -> list[Source]:
    if isinstance(given, str | PathLike) or _is_table(given):
        given = [given]
    if not isinstance(given, Sequence) or isinstance(given, bytes):
        raise ConfigError(f"The argument {argument} must be {_EXPECTED}, but is {_described(given)}")
    for source in given:
        if not (isinstance(source, str | PathLike) or _is_table(source)):
            raise ConfigError(
                f"Each item of {argument} must be a path or a table, but one is {_described(source)}"
            )
    return list(given)


def _is_table(given: object) -> TypeGuard[ArrowTable]:
    return isinstance(given, ArrowTable) or _is_lazy(given)


def _is_lazy(given: object) -> bool:
    """Tells whether an object is a Polars LazyFrame, whose rows are computed by its method `collect`."""
    return type(given).__name__ == "LazyFrame" and hasattr(given, "collect")


def _described(given: object) -> str:
    return f"of the type {type(given).__name__}: {' '.join(shown(given).split())}"


def _paths(sources: Sequence[Any]) -> list[Input]:
    return [Path(path) for path in sources]


def _written(sources: Sequence[Source], what: str, folder: Path) -> Iterator[Input]:
    """Yields an input for each source; writes each table to a Parquet file in the folder."""
    num_tables = sum(map(_is_table, sources))
    number = 0
    for source in sources:
        if not _is_table(source):
            yield Path(source)  # type: ignore[arg-type]
            continue
        number += 1
        of_several = f" {number}" if num_tables > 1 else ""
        name = Path(f"{type(source).__name__}{of_several} of {what}")
        file = folder / f"{what}-{number}.parquet"
        _write(source, name, file)
        yield Given(name, file)


def _write(table: Any, name: Path, file: Path) -> None:
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
    """Returns the name of the first column of a DataFrame that DuckDB cannot read, or None."""
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
        with suppress(ValueError):  # A column has the name of the index, and holds the same values.
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
    """Wraps a table so that DuckDB sees only its Arrow stream; DuckDB would need pyarrow to read Polars."""

    def __init__(self, table: ArrowTable) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)
