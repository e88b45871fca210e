"""Checks that the SQL condition of `--where` does nothing but compare values of known columns.

DuckDB parses the condition (`json_serialize_sql`) into a tree without running the condition, and this module
checks every node of the tree. A condition may call only the functions listed in this module, so that no
condition can read a file or another table or change data, even if a later DuckDB adds functions.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from engine.errors import FilterError

if TYPE_CHECKING:
    import duckdb

CATALOGUE_COLUMNS = (
    "movie_id",
    "title",
    "category",
    "main_cat",
    "description",
    "brand",
    "price",
    "rank",
    "year",
    "date",
    "movie_count",
    "average_rating",
)
"""The columns of the catalogue that an SQL condition may name."""
MAX_LENGTH = 10_000
"""The most characters of a condition; a longer condition is refused before DuckDB parses the text."""

_PREFIX = "select * from filtered where "

_EXPRESSIONS = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLLATE", "COMPARISON", "CONJUNCTION", "CONSTANT", "OPERATOR", "TYPE"}
)

_REFUSED = {
    "SUBQUERY": "a subquery; compare the columns themselves",
    "WINDOW": "a window function, which looks at other rows",
    "STAR": "a star; name the columns",
    "PARAMETER": "a parameter; write the value itself",
}

_OPERATOR_NAMES = """
!= % & && * ** + - -> ->> / // < <= <> = == > >= ^ ^@ | || ~ ~~ !~~ ~~* !~~* ~~~ <@ @> << >>
"""

_FUNCTION_NAMES = """
abs ceil ceiling floor greatest isfinite isinf isnan least ln log log10 log2 mod pow power round sign
sqrt trunc

ascii char_length character_length concat concat_ws contains damerau_levenshtein ends_with hamming
ilike_escape instr jaccard jaro_similarity jaro_winkler_similarity lcase left len length levenshtein
like_escape lower ltrim not_ilike_escape not_like_escape position prefix regexp_extract
regexp_full_match regexp_matches regexp_replace replace reverse right rtrim split split_part starts_with
str_split string_split strip_accents strlen strpos substr substring suffix trim ucase unicode upper

age century current_date date_add date_diff date_part date_sub date_trunc datediff datepart datesub
datetrunc day dayname dayofmonth dayofweek dayofyear decade epoch epoch_ms hour isodow isoyear last_day
make_date make_timestamp minute month monthname now quarter second strftime strptime to_days to_hours
to_minutes to_months to_seconds to_timestamp to_weeks to_years today try_strptime week weekday
weekofyear year yearweek

array_contains array_extract array_has array_has_all array_has_any array_length array_to_string
list_any_value list_apply list_avg list_bool_and list_bool_or list_contains list_count list_distinct
list_element list_extract list_filter list_first list_has list_has_all list_has_any list_indexof
list_last list_max list_min list_position list_sort list_sum list_transform list_unique list_value
struct_extract struct_pack

json_array_length json_contains json_exists json_extract json_extract_path json_extract_path_text
json_extract_string json_keys json_type json_valid json_value

coalesce if ifnull nullif typeof
"""

_OPERATORS = frozenset(_OPERATOR_NAMES.split())
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())


def check_filter(
    connection: duckdb.DuckDBPyConnection, condition: str, columns: Collection[str]
) -> frozenset[str]:
    """Checks that a condition is one SQL expression over given columns, and returns the columns named.

    The connection, which may be to any DuckDB database, parses the condition, such as `price < 10 and title
    ilike '%noir%'`, without running the condition. A comparison of different types (`price < 'abc'`) is
    found only when DuckDB runs the condition: callers turn the error that DuckDB then raises into a
    `FilterError` with `filter_failed`.

    Raises:
        FilterError: the condition does not parse, or names an unknown column, or uses SQL that is refused.
    """
    if not condition.strip():
        raise FilterError(
            'The condition of --where is empty; write one such as "price < 10", or leave it out.'
        )
    if len(condition) > MAX_LENGTH:
        raise FilterError(
            f"The condition of --where has {len(condition):,} characters, and {MAX_LENGTH:,} are allowed."
        )
    named: set[str] = set()
    for node, scope in _walk(_parse(connection, condition)):
        kind = node["class"]
        if kind == "COLUMN_REF":
            _check_column(node["column_names"], scope, columns)
            named.add(node["column_names"][0].casefold())
        elif kind == "FUNCTION":
            _check_function(node)
        elif kind not in _EXPRESSIONS:
            what = _REFUSED.get(kind, f"an expression of the kind {kind.lower()}")
            raise FilterError(f"--where {_shown(condition)} is more than a filter: it holds {what}.")
    return frozenset(column for column in columns if column.casefold() in named)


def filter_failed(condition: str, error: Exception) -> FilterError:
    """Returns the error to raise if DuckDB fails to run a condition that `check_filter` accepted."""
    reason = str(error).split("\n", 1)[0].strip()
    return FilterError(f"--where {_shown(condition)} cannot be used: {reason}")


def require_condition(connection: duckdb.DuckDBPyConnection, condition: str, table: str) -> None:
    """Checks that a condition over a table has a boolean value, since DuckDB would also accept a number.

    Callers must check the condition with `check_filter` first.

    Raises:
        FilterError: the value of the condition is not a boolean.
        duckdb.Error: the types in the condition do not fit each other.
    """
    # The line break closes a comment at the end of the condition.
    kind = connection.execute(f"select ({condition}\n) from {table} limit 0").description[0][1]
    if str(kind) != "BOOLEAN":
        raise FilterError(
            f"--where {_shown(condition)} gives a value of type {kind}, but a condition is true or false; "
            'compare it with something, as in "price < 10".'
        )


def _parse(connection: duckdb.DuckDBPyConnection, condition: str) -> dict[str, Any]:
    """Parses a condition into the tree of a where clause; raises FilterError if more than that is found."""
    # Parsing without brackets refuses "true) or (true"; parsing with brackets refuses "true order by 1". The
    # line break ends an SQL comment at the end of the condition.
    _serialize(connection, condition, f"{_PREFIX}{condition}")
    tree = _serialize(connection, condition, f"{_PREFIX}({condition}\n)")
    statements = tree["statements"]
    node = statements[0]["node"]
    where: dict[str, Any] | None = node.get("where_clause")
    if len(statements) != 1 or node["type"] != "SELECT_NODE" or where is None:
        raise FilterError(f"--where {_shown(condition)} holds more than one condition.")
    return where


def _serialize(connection: duckdb.DuckDBPyConnection, condition: str, statement: str) -> dict[str, Any]:
    rows = connection.execute("select json_serialize_sql($1)", [statement]).fetchall()
    try:
        tree: dict[str, Any] = json.loads(rows[0][0])
    except RecursionError as error:
        raise FilterError("The condition of --where is nested too deeply; write it flatter.") from error
    if tree.get("error_type") == "not implemented":
        raise FilterError(f"--where {_shown(condition)} holds more than one statement; write one condition.")
    if tree.get("error"):
        raise FilterError(
            f"--where {_shown(condition)} is not a condition in SQL: {tree['error_message']}; "
            "write one such as \"price < 10 and title ilike '%noir%'\"."
        )
    return tree


def _walk(root: dict[str, Any]) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Yields every expression in a tree, with the names of the lambda parameters in scope there."""
    pending: list[tuple[Any, frozenset[str]]] = [(root, frozenset())]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, list):
            pending.extend((child, scope) for child in node)
        elif isinstance(node, dict):
            if node.get("class") == "LAMBDA":
                inner = scope | _parameters(node["lhs"])
                pending.append((node["lhs"], inner))
                pending.append((node["expr"], inner))
                continue
            if "class" in node:
                yield node, scope
            if node.get("class") not in {"CONSTANT", "TYPE"}:
                pending.extend((child, scope) for child in node.values())


def _parameters(node: dict[str, Any]) -> frozenset[str]:
    """Returns the parameter names of a lambda, read from the tree of the lambda's left side."""
    if node.get("class") == "COLUMN_REF":
        return frozenset(name.casefold() for name in node["column_names"])
    names: frozenset[str] = frozenset()
    for argument in node.get("arguments", []):
        names |= _parameters(argument["expression"])
    for child in node.get("children", []):
        names |= _parameters(child)
    return names


def _check_column(names: list[str], scope: frozenset[str], columns: Collection[str]) -> None:
    known = {column.casefold(): column for column in columns}
    wanted = names[0].casefold()
    if len(names) == 1 and (wanted in scope or wanted in known or wanted == "current_date"):
        return
    shown = ".".join(names)
    close = difflib.get_close_matches(wanted, known, n=2, cutoff=0.6)
    advice = f"did you mean {' or '.join(known[match] for match in close)}? " if close else ""
    raise FilterError(
        f"--where names the column '{shown}', which does not exist; {advice}the columns are "
        f"{', '.join(columns)}; texts stand in single quotes."
    )


def _check_function(node: dict[str, Any]) -> None:
    name = str(node["function_name"]).casefold()
    qualified = bool(node.get("schema") or node.get("catalog"))
    if not qualified and (name in _OPERATORS or name in _FUNCTIONS):
        return
    close = difflib.get_close_matches(name, _FUNCTIONS, n=2, cutoff=0.7)
    advice = (
        f"did you mean {' or '.join(close)}?" if close else "it may compare texts, numbers, dates and lists."
    )
    raise FilterError(
        f"--where calls '{node['function_name']}', which a filter may not: functions that read files, "
        f"tables or settings, or look at other rows, are refused; {advice}"
    )


def _shown(condition: str) -> str:
    flat = " ".join(condition.split())
    return repr(flat if len(flat) <= 120 else f"{flat[:117]}...")
