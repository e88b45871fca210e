"""Translates a --where condition for a vector database, which checks the condition during a search.

Every movie that meets the --where condition also meets the translated condition. If the translated condition
leaves out a part of the --where condition, the vector database finds some movies that do not meet the --where
condition. Whoever calls `pushed_part` must check with DuckDB which movies found by the vector database meet
the whole --where condition.

A condition consists of tests of single columns, such as `price < 10`, joined by AND and OR. This module
translates a test of a column only if DuckDB and all vector databases decide the test alike. The translation
of a test of a column is a `ColumnTest` object. The filter of any vector database can be made from a
`ColumnTest` object. This module translates comparisons of a column with values of the column's type, such as
`price < 10` or `price BETWEEN 5 AND 10`. This module also translates tests of a column with IN, NOT IN, IS
NULL and IS NOT NULL. A test with LIKE or NOT LIKE is translated only if the pattern of the test has no _, and
has % only at the ends of the pattern.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine.catalogue.allowed import function_name
from indexes.conditions import ColumnTest, Combination, Condition, Value

_COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Maps each comparison operator to its mirror image, which means the same after the two sides are
exchanged."""
_PATTERNS = {"~~": "like", "!~~": "not like"}
_MOST_DIGITS = 15
"""If a test compares a column with a number of more digits than this, the test is not translated for the
vector database, because databases may round such a number differently."""
_LONGEST = 1_000
"""If a test compares a column with a text of more characters than this, the test is not translated for the
vector database."""
_MOST_VALUES = 500
"""If a test with IN lists more values than this, the test is not translated for the vector database."""


def pushed_part(node: Mapping[str, Any], columns: Mapping[str, str]) -> Condition | None:
    """Translates a parsed condition for a vector database; returns None if no part can be translated.

    Args:
        node: the condition as a tree, parsed by DuckDB.
        columns: maps each column of the vector database to the kind of the column: "text", "whole" or
            "number".
    """
    kind, name = node.get("type"), function_name(dict(node))
    if kind == "CONJUNCTION_AND":
        parts = [pushed_part(child, columns) for child in node["children"]]
        return _joined("and", [part for part in parts if part is not None])
    if kind == "CONJUNCTION_OR":
        parts = [pushed_part(child, columns) for child in node["children"]]
        return None if None in parts else _joined("or", [part for part in parts if part is not None])
    if kind in _COMPARISONS:
        left, right, operator = node["left"], node["right"], _COMPARISONS[str(kind)]
        if left.get("class") == "CONSTANT":
            left, right, operator = right, left, _TURNED.get(operator, operator)
        return _test(left, operator, [right], columns)
    if kind == "COMPARE_BETWEEN":
        low = _test(node["input"], ">=", [node["lower"]], columns)
        high = _test(node["input"], "<=", [node["upper"]], columns)
        return _joined("and", [part for part in (low, high) if part is not None])
    if kind == "COMPARE_IN":
        column, *values = node["children"]
        return _test(column, "in", values, columns)
    if kind == "OPERATOR_NOT" and node["children"][0].get("type") == "COMPARE_IN":
        column, *values = node["children"][0]["children"]
        return _test(column, "not in", values, columns)
    if kind in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
        operator = "is null" if kind == "OPERATOR_IS_NULL" else "is not null"
        return _test(node["children"][0], operator, [], columns)
    if name in _PATTERNS:
        column, pattern = (argument["expression"] for argument in node["arguments"])
        return _test(column, _PATTERNS[name], [pattern], columns)
    return None


def _joined(word: str, parts: list[Condition]) -> Condition | None:
    if len(parts) > 1:
        return Combination(word, tuple(parts))
    return parts[0] if parts else None


def _test(
    left: Mapping[str, Any], operator: str, right: list[Mapping[str, Any]], columns: Mapping[str, str]
) -> ColumnTest | None:
    """Translates a test of a column, such as `price < 10`, for a vector database.

    Returns None if the vector database might decide the test differently from DuckDB.
    """
    names = left.get("column_names", ())
    column = {name.casefold(): name for name in columns}.get(names[0].casefold()) if len(names) == 1 else None
    if column is None or len(right) > _MOST_VALUES:
        return None
    values = [_value(constant, columns[column]) for constant in right]
    known = tuple(value for value in values if value is not None)
    if len(known) < len(values):
        return None
    if operator in _PATTERNS.values():
        pattern = known[0]
        if not isinstance(pattern, str) or "_" in pattern or not _inner(pattern) or "%" in _inner(pattern):
            return None
    return ColumnTest(column, operator, known)


def _inner(pattern: str) -> str:
    return pattern.removeprefix("%").removesuffix("%")


def _value(node: Mapping[str, Any], kind: str) -> Value | None:
    """Returns the value of a constant; None if the value does not have the type `kind`, or is too long."""
    literal = node.get("literal") or {}
    text = str(literal.get("text"))
    if kind == "text":
        is_plain = literal.get("kind") == "STRING" and text.isprintable() and "\\" not in text
        return text if is_plain and len(text) <= _LONGEST else None
    if literal.get("kind") not in (("INTEGER",) if kind == "whole" else ("INTEGER", "NUMERIC")):
        return None
    if sum(letter.isdigit() for letter in text) > _MOST_DIGITS:
        return None
    if kind == "whole":
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else None
