"""Converts answers, with DuckDB, to tables whose columns have fixed types."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
"""Maps each Python type of a field to the DuckDB type of a column."""
_EMPTY = "nothing"
"""The name of a column for tables without known columns; the column is needed because a DuckDB table must
have one."""


def types_of(kind: type[Any]) -> dict[str, Any]:
    """Returns the column names and DuckDB types of a table whose rows are answers of the class `kind`.

    Each field of the class `kind` is a column, except the field `card`. If `kind` has a field `card`, each
    property of the class `kind`, such as `price`, is a column too.
    """
    hints = typing.get_type_hints(kind)
    found = {
        field.name: _structure(hints[field.name])
        for field in dataclasses.fields(kind)
        if field.name != "card"
    }
    if "card" in hints:
        for name, value in _properties(kind).items():
            found.setdefault(name, _structure(typing.get_type_hints(value.fget)["return"]))
    return found


def relation_of(columns: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> duckdb.DuckDBPyRelation:
    """Converts rows to a DuckDB relation; `columns` holds the columns' types, as `types_of` returns them.

    DuckDB reads the rows as JSON, so that columns have the right types even if values are missing or nested.
    """
    import duckdb

    columns = columns or {_EMPTY: "VARCHAR"}
    chosen = [{name: row.get(name) for name in columns} for row in rows]
    text = json.dumps(chosen, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")
    database = duckdb.connect()
    database.execute("set enable_external_access = false")
    return database.sql(
        "select answer.* from (select unnest(from_json($rows, $columns)) as answer)",
        params={"rows": text, "columns": json.dumps([columns])},
    )


def _properties(kind: type[Any]) -> dict[str, property]:
    """Returns the properties of a class and of its base classes, with the properties' names as keys."""
    found: dict[str, property] = {}
    for base in kind.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, property):
                found.setdefault(name, value)
    return found


def _structure(hint: Any) -> Any:
    """Converts a type annotation to a DuckDB type, in the notation of DuckDB's function `from_json`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _structure(next(one for one in arguments if one is not type(None)))
    if origin is tuple and arguments == (float, float):
        return {"low": "DOUBLE", "high": "DOUBLE"}
    if origin in (tuple, list):
        return [_structure(arguments[0])]
    if dataclasses.is_dataclass(hint):
        return types_of(typing.cast("type[Any]", hint))
    if origin is Mapping or origin is dict:
        return f"MAP(VARCHAR, {_structure(arguments[1])})"
    return _TYPES[hint]
