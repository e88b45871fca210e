"""Makes tables with columns of fixed types from answers, by means of DuckDB."""

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
"""The type of DuckDB for each type of a field."""
_EMPTY = "nothing"
"""The name of the only column of a table of unknown columns, since a table of DuckDB has a column."""


def types_of(kind: type[Any]) -> dict[str, Any]:
    """Returns the type of each column that answers of a class have, in the order of the fields.

    A field that holds the catalogue's entries for a movie gives way to one column for each entry, whose type
    is the type of the class's property of that name.
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
    """Returns rows as a relation of DuckDB, whose columns have the types that `types_of` returned.

    DuckDB parses the rows as JSON, so that a column of missing values, or of nested values, has its type too.
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
    """Returns the properties of a class and of its base classes, by name."""
    found: dict[str, property] = {}
    for base in kind.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, property):
                found.setdefault(name, value)
    return found


def _structure(hint: Any) -> Any:
    """Returns the type of DuckDB of a type annotation, in the form that `from_json` reads."""
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
