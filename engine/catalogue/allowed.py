"""Lists the SQL functions and types that a condition of `--where` may use, and checks patterns of text.

Each listed function reads nothing but its arguments, and returns no text that is much longer than the
arguments. A call of a listed function takes little time, because the time depends only on the lengths of a
text and of a short pattern. The functions `repeat`, `replace` and `concat` are not listed, because nested
calls make ever longer texts, and DuckDB's `memory_limit` does not count these texts. The function
`levenshtein` is not listed, because its running time grows with the square of the length of its text.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Any

from engine.errors import FilterError

MAX_PATTERN = 300
"""The largest number of characters of a pattern in a condition."""
MAX_DIGITS = 38
"""The largest number of digits of a whole number in a condition, because DuckDB fails with an internal error
when it casts a longer number."""
MAX_REPETITION = 20
"""The largest product of all repetition counts, such as {4}, in one regular expression of a condition."""

_OPERATOR_NAMES = "!= % && * ** + - ->> / // < <= <> = == > >= ^ ^@ ~ ~~ !~~ ~~* !~~*"
_FUNCTION_NAMES = """
abs ceil ceiling floor greatest isfinite isinf isnan least ln log log10 log2 mod pow power round sign
sqrt trunc

ascii char_length character_length contains ends_with ilike_escape instr lcase left len length like_escape
lower ltrim not_ilike_escape not_like_escape position prefix regexp_extract regexp_full_match regexp_matches
right rtrim split_part starts_with strip_accents strlen strpos substr substring suffix trim ucase unicode
upper

age century current_date date_add date_diff date_part date_sub date_trunc datediff datepart datesub
datetrunc day dayname dayofmonth dayofweek dayofyear decade epoch epoch_ms hour isodow isoyear last_day
make_date make_timestamp minute month monthname now quarter second strftime strptime to_days to_hours
to_minutes to_months to_seconds to_timestamp to_weeks to_years today try_strptime week weekday
weekofyear year yearweek

array_contains array_extract array_has array_has_all array_has_any array_length list_contains list_element
list_extract list_has list_has_all list_has_any list_indexof list_position list_value

json_array_length json_exists json_extract json_extract_string json_type json_valid json_value

coalesce if ifnull nullif typeof
"""

_OPERATORS = frozenset(_OPERATOR_NAMES.split())
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
COPYING = frozenset({"BETWEEN", "CASE", "nullif", "split_part", "if"})
"""The operations that copy an operand in DuckDB; each nesting of such an operation in another doubles the
running time of a condition."""
_REGEXPS = frozenset({"regexp_extract", "regexp_full_match", "regexp_matches", "~"})
_JSON_PATHS = frozenset({"->>", "json_exists", "json_extract", "json_extract_string", "json_value"})
_WITH_PATTERN = (
    frozenset({"~~", "!~~", "~~*", "!~~*", "strftime", "strptime", "try_strptime"})
    | frozenset({"ilike_escape", "like_escape", "not_ilike_escape", "not_like_escape"})
    | _REGEXPS
    | _JSON_PATHS
)
"""The functions whose second argument must be a text in quotes, so that its length is known before the call;
a long text would make the call slow."""
_TYPE_NAMES = """
BIGINT BOOL BOOLEAN DATE DATETIME DECIMAL DOUBLE FLOAT FLOAT4 FLOAT8 INT INT1 INT2 INT4 INT8 INTEGER INTERVAL
JSON NUMERIC REAL SMALLINT STRING TEXT TIME TIMESTAMP TIMESTAMPTZ TINYINT UBIGINT UINTEGER USMALLINT UTINYINT
VARCHAR
"""
_TYPES = frozenset(_TYPE_NAMES.split()) | {"TIMESTAMP WITH TIME ZONE"}
"""The types to which a condition may convert values; other types are refused because, for example, a
conversion to BIT makes a text far longer."""
_CLASS_COST = 20
"""The cost of a class of letters, such as \\pL, in a regular expression; a single letter costs 1."""
_COUNT = re.compile(r"(?<!\\x)\{(\d{1,9})(?:,(\d{0,9}))?\}")
"""Matches a repetition count in a regular expression, such as {4} or {2,3}."""


def check_function(node: dict[str, Any]) -> int:
    """Checks a function call in a parsed condition: the name of the function, and some of the arguments.

    Returns the cost of the call's regular expression, a number that says how slow the regular expression may
    be. The cost of a regular expression is its number of characters, plus `_CLASS_COST` for each class of
    letters. Repetition counts in a regular expression, such as {4}, multiply the cost of the regular
    expression. For a call without a regular expression, the function returns 0.

    Raises:
        FilterError: the function is not allowed; a list such as ['a', 'b'] holds something other than
            constants; a pattern is not a text in quotes, or is longer than `MAX_PATTERN` characters; the
            product of all repetition counts in a regular expression is larger than `MAX_REPETITION`; a JSON
            path contains * or .., and so can name several fields.
    """
    name = function_name(node)
    qualified = bool(node.get("schema") or node.get("catalog"))
    if qualified or not (name in _OPERATORS or name in _FUNCTIONS):
        close = difflib.get_close_matches(name, _FUNCTIONS, n=2, cutoff=0.7)
        advice = (
            f"did you mean {' or '.join(close)}?"
            if close
            else "it may compare texts, numbers, dates and lists."
        )
        raise FilterError(
            f"--where calls '{node['function_name']}', which a filter may not: functions that read files, "
            "tables or settings, look at other rows, or can take very much time or memory, are refused; "
            f"{advice}"
        )
    arguments = _arguments(node)
    if name == "list_value" and any(argument.get("class") != "CONSTANT" for argument in arguments):
        raise FilterError("A list in --where may hold only values, such as ['a', 'b'], and no expressions.")
    if name in _WITH_PATTERN and len(arguments) > 1:
        return _check_pattern(name, arguments[1])
    return 0


def _check_pattern(name: str, argument: dict[str, Any]) -> int:
    """Checks a pattern, a JSON path or a date format; returns the cost of a regular expression, else 0."""
    text = _constant(argument)
    if text is None or len(text) > MAX_PATTERN:
        raise FilterError(
            f"--where needs a pattern in quotes behind '{name}', of at most {MAX_PATTERN} characters, "
            "such as '%noir%'."
        )
    if name in _JSON_PATHS and ("*" in text or ".." in text):
        raise FilterError(f"The path {text!r} in --where must name one field of JSON, such as '$.name'.")
    if name not in _REGEXPS:
        return 0
    repetition = math.prod(max(1, int(high or low)) for low, high in _COUNT.findall(text))
    if repetition > MAX_REPETITION:
        raise FilterError(
            f"The regular expression {text!r} in --where repeats too much; the product of all counts such as "
            f"{{4}} may be at most {MAX_REPETITION}."
        )
    return (len(text) + _CLASS_COST * text.casefold().count("\\p")) * repetition


def check_constant(node: dict[str, Any]) -> None:
    """Checks a constant in a parsed condition.

    Raises:
        FilterError: the constant is a whole number of more than `MAX_DIGITS` digits.
    """
    literal: dict[str, Any] = node.get("literal") or {}
    digits = str(literal.get("text")).lstrip("-")
    if literal.get("kind") == "INTEGER" and len(digits) > MAX_DIGITS:
        raise FilterError(
            f"--where holds a whole number of {len(digits):,} digits, and {MAX_DIGITS} are allowed; write a "
            "very large number as 1e300."
        )


def check_cast(node: dict[str, Any]) -> None:
    """Checks the type to which a parsed condition converts a value.

    Raises:
        FilterError: the condition converts a value to a type that conditions may not use.
    """
    kind: dict[str, Any] = node.get("type_expr") or node.get("cast_type") or {}
    inner: dict[str, Any] = kind.get("type_info") or {}
    name = str(kind.get("type_name") or inner.get("name") or inner.get("alias") or kind.get("id"))
    if name.upper() not in _TYPES:
        raise FilterError(
            f"--where converts a value to the type {name}, which a filter may not; the types are numbers, "
            "VARCHAR, BOOLEAN, DATE, TIME, TIMESTAMP, INTERVAL and JSON."
        )


def function_name(node: dict[str, Any]) -> str:
    """Returns the name of the function that a node of a parsed condition calls; "" if there is none."""
    return str(node.get("function_name", "")).casefold()


def _arguments(node: dict[str, Any]) -> list[dict[str, Any]]:
    if "arguments" in node:
        return [argument["expression"] for argument in node["arguments"]]
    return list(node.get("children", []))


def _constant(node: dict[str, Any]) -> str | None:
    """Returns the text of a constant, or None if an expression is not a constant."""
    if node.get("class") != "CONSTANT":
        return None
    value = node.get("literal") or node.get("value") or {}
    return str(value.get("text", value.get("value")))
