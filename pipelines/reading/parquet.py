"""Opens Parquet files, and converts values of every type to text, as a CSV file would hold the values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import SourceError
from pipelines.reading.sources import Source, on_disk
from pipelines.work.database import folder_of, literal_path

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

ROW_NUMBER = "file_row_number"
"""The column in which DuckDB numbers the rows of a Parquet file from 0, if the option `file_row_number` is
set."""
_NEEDED = ("reviewer", "movie", "rating", "time")
"""The engine's review columns that a Parquet file must not store as lists or objects."""
_NESTED = ("list", "array", "struct", "map", "union", "variant")
_OF_A_WRITE = re.compile(r"write|fsync|truncate|space|directory|open file", re.IGNORECASE)
"""Matches words in DuckDB's errors about writing to a disk, as opposed to errors about the Parquet file."""
_NUM_SAMPLED = 200
"""The number of rows from the start of a Parquet file that the file's sample holds."""


def open_parquet(database: duckdb.DuckDBPyConnection, source: Source) -> duckdb.DuckDBPyRelation:
    """Opens a Parquet file as a DuckDB relation; rows are read when they are fetched from the relation.

    Raises:
        SourceError: the file is damaged, or has no columns.
    """
    with parquet_errors(source.path):
        return database.read_parquet(literal_path(source.file))


def parquet_sample(database: duckdb.DuckDBPyConnection, source: Source) -> list[tuple[str | None, ...]]:
    """Returns the first rows of a Parquet file, with every value as text."""
    import duckdb

    with on_disk(source, folder_of(database)) as whole, parquet_errors(source.path):
        relation = open_parquet(database, whole)
        text = duckdb.sqltype("VARCHAR")
        columns = [duckdb.ColumnExpression(name).cast(text) for name in relation.columns]
        return relation.limit(_NUM_SAMPLED).select(*columns).fetchall()


def text_relation(
    database: duckdb.DuckDBPyConnection,
    source: Source,
    places: Mapping[str, int],
    wanted: Mapping[str, str],
    *,
    numbered: bool = True,
) -> duckdb.DuckDBPyRelation:
    """Returns the rows of a Parquet file as columns of text; the first column holds line numbers from 1.

    `places` maps each column that was found, such as "reviewer", to the position of a column in the file.
    `wanted` maps each wanted column, such as "reviewer", to the column's name in the returned relation. If
    the Parquet file lacks a wanted column, all values of the wanted column are null. If `numbered` is false,
    the returned relation has no line numbers.

    Raises:
        SourceError: the file is damaged, or the column of reviewers, movies, ratings or times holds lists or
            objects.
    """
    import duckdb

    relation = open_parquet(database, source)
    num_own = len(relation.columns)
    chosen = []
    if numbered and ROW_NUMBER in (name.casefold() for name in relation.columns):
        chosen.append(duckdb.SQLExpression("row_number() over ()").alias("line"))
    elif numbered:
        relation = database.read_parquet(literal_path(source.file), file_row_number=True)
        line = duckdb.ColumnExpression(ROW_NUMBER) + duckdb.ConstantExpression(1)
        chosen.append(line.alias("line"))
    for column, name in wanted.items():
        text: duckdb.Expression = duckdb.ConstantExpression(None).cast(duckdb.sqltype("VARCHAR"))
        if column in places and places[column] >= num_own:
            value = source.partition[places[column] - num_own][1]
            text = duckdb.ConstantExpression(value).cast(duckdb.sqltype("VARCHAR"))
        elif column in places:
            place = places[column]
            text = _text_expression(column, relation.columns[place], relation.types[place], source.path)
        chosen.append(text.alias(name))
    return relation.select(*chosen)


def _text_expression(column: str, name: str, kind: DuckDBPyType, path: Path) -> duckdb.Expression:
    """Returns a DuckDB expression that converts a column of a Parquet file to text.

    `column` is the meaning of the column, such as "reviewer"; `name` is the column's name in the file. Lists
    and objects are converted to JSON.

    Raises:
        SourceError: the column holds lists or objects, although `column` is "reviewer", "movie", "rating" or
            "time".
    """
    import duckdb

    value = duckdb.ColumnExpression(name)
    if kind.id in _NESTED:
        if column in _NEEDED:
            raise SourceError(
                f"The column {name!r} of {path} has the type {kind}, which is no single value, so it "
                f"cannot be the {column}; name another column with --columns {column}=NAME.",
                path=path,
            )
        return duckdb.FunctionExpression("json_of", value)
    for ids, function in (
        (("blob",), "text_of_bytes"),
        (("float", "double"), "text_of_float"),
        (("decimal",), "text_of_decimal"),
        (("boolean",), "text_of_boolean"),
    ):
        if kind.id in ids:
            return duckdb.FunctionExpression(function, value)
    return value.cast(duckdb.sqltype("VARCHAR"))


@contextmanager
def parquet_errors(path: Path) -> Iterator[None]:
    """Turns errors of DuckDB into SourceError, except errors about a lack of memory or of disk space."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        text = str(error)
        if isinstance(error, duckdb.IOException) and path.name not in text and _OF_A_WRITE.search(text):
            raise
        reason = text.split("\n", 1)[0]
        raise SourceError(f"{path} is not a Parquet file that can be read: {reason}", path=path) from error
    except RuntimeError as error:
        if "conversion error" not in str(error):
            raise
        reason = "the name of a column is not UTF-8"
        raise SourceError(f"{path} is not a Parquet file that can be read: {reason}", path=path) from error
