"""Checks that the SQL condition of `--where` runs fast, and only compares values of known columns.

DuckDB parses the condition into a tree with `json_serialize_sql`, without running the condition; the code in
this file checks every node of the tree. A condition may call only the functions that
`engine/catalogue/allowed.py` lists. A list of allowed functions keeps a condition from reading files, reading
other tables or changing data, even if a later version of DuckDB adds functions. The allowed functions are
cheap; limits on the number and the nesting of operations keep the whole condition cheap. The module
`engine/catalogue/matching.py` stops a condition that runs too long.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.catalogue.allowed import COPYING, check_cast, check_constant, check_function, function_name
from engine.errors import FilterError, shown

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
"""The largest number of characters in a condition; a longer condition is refused before DuckDB parses it."""
MAX_WHENS = 20
"""The largest number of times that the word WHEN may occur in a condition.

DuckDB's parser copies the operand of a CASE for each WHEN, so a CASE inside a CASE multiplies the number of
copies.
"""
MAX_BRACKETS = 500
"""The largest number of opening brackets in a condition, because DuckDB's parser needs seconds for thousands
of brackets."""
MAX_OPERATIONS = 500
"""The largest number of comparisons, calls and other operations in a condition; values and column names do
not count."""
MAX_DEPTH = 30
"""The largest depth of nested operations in a condition."""
MAX_COPIED = 3
"""The largest depth to which CASE, IF, BETWEEN, nullif and split_part (the set `COPYING`) may be nested in a
condition. DuckDB copies an operand of each operation in `COPYING`, so each further level of nesting doubles
the running time of a condition."""

MAX_PATTERNS = 1_000
"""The largest total cost of all regular expressions in a condition. The function `check_function` computes
the cost from the number of characters and the repetition counts, such as {4}, of a regular expression."""

_PREFIX = "select * from filtered where "

_EXPRESSIONS = frozenset({"BETWEEN", "CASE", "COMPARISON", "CONJUNCTION", "OPERATOR"})

_REFUSED = {
    "SUBQUERY": "a subquery; compare the columns themselves",
    "WINDOW": "a window function, which looks at other rows",
    "STAR": "a star; name the columns",
    "PARAMETER": "a parameter; write the value itself",
    "LAMBDA": "a function of its own (a lambda, or ->); read a field of JSON with ->>",
}


def check_filter(
    connection: duckdb.DuckDBPyConnection, condition: str, columns: Collection[str]
) -> frozenset[str]:
    """Checks that a condition is one SQL expression over `columns`; returns the columns in the condition.

    DuckDB parses the condition, such as `price < 10 and title ilike '%noir%'`, but does not run the
    condition. The function uses the connection only to parse the condition, so the connection may belong to
    any DuckDB database. A comparison of different types, such as `price < 'abc'`, passes the check, but
    DuckDB fails when it runs the condition. If DuckDB fails to run the checked condition, the caller must
    raise the error that `filter_failed` returns.

    Raises:
        FilterError: the condition cannot be parsed; the condition names an unknown column; the condition uses
            SQL that is refused.
    """
    if not isinstance(condition, str):
        raise FilterError(f"The condition of --where must be a text with SQL, but is {shown(condition)}.")
    if not condition.strip():
        raise FilterError(
            'The condition of --where is empty; write one such as "price < 10", or leave it out.'
        )
    if len(condition) > MAX_LENGTH:
        raise FilterError(
            f"The condition of --where has {len(condition):,} characters, and {MAX_LENGTH:,} are allowed."
        )
    _check_text(condition)
    named: set[str] = set()
    operations = patterns = 0
    for node, depth, copied in _walk(parse_condition(connection, condition)):
        kind = node["class"]
        operations += kind not in {"COLUMN_REF", "CONSTANT"}
        if operations > MAX_OPERATIONS:
            raise _too_much(condition, f"more than {MAX_OPERATIONS} operations")
        if depth > MAX_DEPTH:
            raise _too_much(condition, f"more than {MAX_DEPTH} operations within one another")
        if copied > MAX_COPIED:
            raise _too_much(
                condition,
                f"more than {MAX_COPIED} of CASE, IF, BETWEEN, nullif or split_part within one another",
            )
        if kind == "COLUMN_REF":
            _check_column(node["column_names"], columns)
            named.add(node["column_names"][0].casefold())
        elif kind == "FUNCTION":
            patterns += check_function(node)
            if patterns > MAX_PATTERNS:
                raise _too_much(condition, "regular expressions that are too long together")
        elif kind == "CONSTANT":
            check_constant(node)
        elif kind == "CAST":
            check_cast(node)
        elif kind not in _EXPRESSIONS:
            what = _REFUSED.get(kind, f"an expression of the kind {kind.lower()}")
            raise FilterError(f"--where {shown_condition(condition)} is more than a filter: it holds {what}.")
    return frozenset(column for column in columns if column.casefold() in named)


def filter_failed(condition: str, error: Exception) -> FilterError:
    """Returns the error to raise if DuckDB fails to run a condition that `check_filter` accepted."""
    reason = str(error).split("\n", 1)[0].strip()
    return FilterError(f"--where {shown_condition(condition)} cannot be used: {reason}")


def require_condition(connection: duckdb.DuckDBPyConnection, condition: str, table: str) -> None:
    """Checks that the value of a condition is true or false, since DuckDB would also accept a number.

    The caller must have checked the condition with `check_filter`.

    Raises:
        FilterError: the value of the condition is not a boolean.
        duckdb.Error: the condition compares values of types that cannot be compared.
    """
    # The line break ends an SQL comment at the end of the condition.
    kind = connection.execute(f"select ({condition}\n) from {table} limit 0").description[0][1]
    if str(kind) != "BOOLEAN":
        raise FilterError(
            f"--where {shown_condition(condition)} gives a value of type {kind}, but a condition is true or "
            'false; compare it with something, as in "price < 10".'
        )


def _check_text(condition: str) -> None:
    """Checks the text of a condition before DuckDB parses the text, since some texts block the parser."""
    try:
        condition.encode()
    except UnicodeEncodeError as error:
        raise FilterError(f"--where {shown_condition(condition)} is not Unicode text.") from error
    if len(re.findall(r"\bwhen\b", condition, re.IGNORECASE)) > MAX_WHENS:
        raise _too_much(condition, f"more than {MAX_WHENS} times the word WHEN")
    if sum(map(condition.count, "([{")) > MAX_BRACKETS:
        raise _too_much(condition, f"more than {MAX_BRACKETS} opening brackets")


def parse_condition(connection: duckdb.DuckDBPyConnection, condition: str) -> dict[str, Any]:
    """Parses a condition into DuckDB's tree; raises FilterError if the text is not exactly one condition."""
    # Parsing without brackets refuses "true) or (true"; parsing with brackets refuses "true order by 1". The
    # line break ends an SQL comment at the end of the condition.
    _serialize(connection, condition, f"{_PREFIX}{condition}")
    tree = _serialize(connection, condition, f"{_PREFIX}({condition}\n)")
    statements = tree["statements"]
    node = statements[0]["node"]
    where: dict[str, Any] | None = node.get("where_clause")
    if len(statements) != 1 or node["type"] != "SELECT_NODE" or where is None:
        raise FilterError(f"--where {shown_condition(condition)} holds more than one condition.")
    return where


def _serialize(connection: duckdb.DuckDBPyConnection, condition: str, statement: str) -> dict[str, Any]:
    rows = connection.execute("select json_serialize_sql($1)", [statement]).fetchall()
    try:
        tree: dict[str, Any] = json.loads(rows[0][0])
    except RecursionError as error:
        raise _too_much(condition, f"more than {MAX_DEPTH} operations within one another") from error
    if tree.get("error_type") == "not implemented":
        raise FilterError(
            f"--where {shown_condition(condition)} holds more than one statement; write one condition."
        )
    if tree.get("error"):
        raise FilterError(
            f"--where {shown_condition(condition)} is not a condition in SQL: {tree['error_message']}; "
            "write one such as \"price < 10 and title ilike '%noir%'\"."
        )
    return tree


class _Visit(NamedTuple):
    """Holds a node of a parsed condition, and how deeply the node is nested in operations."""

    node: dict[str, Any]
    depth: int
    copied: int


def _walk(root: dict[str, Any]) -> Iterator[_Visit]:
    """Yields every expression in a parsed condition; skips types, such as INTEGER in `year::INTEGER`."""
    pending: list[tuple[Any, int, int]] = [(root, 0, 0)]
    while pending:
        node, depth, copied = pending.pop()
        if isinstance(node, list):
            pending.extend((child, depth, copied) for child in node)
        elif isinstance(node, dict):
            kind = node.get("class")
            if kind == "TYPE":
                continue
            if kind is not None:
                depth += 1
                copied += kind in COPYING or function_name(node) in COPYING
                yield _Visit(node, depth, copied)
            if kind != "CONSTANT":
                pending.extend((child, depth, copied) for child in node.values())


def _check_column(names: list[str], columns: Collection[str]) -> None:
    known = {column.casefold(): column for column in columns}
    wanted = names[0].casefold()
    if len(names) == 1 and (wanted in known or wanted == "current_date"):
        return
    shown = ".".join(names)
    close = difflib.get_close_matches(wanted, known, n=2, cutoff=0.6)
    advice = f"did you mean {' or '.join(known[match] for match in close)}? " if close else ""
    raise FilterError(
        f"--where names the column '{shown}', which does not exist; {advice}the columns are "
        f"{', '.join(columns)}; texts stand in single quotes."
    )


def _too_much(condition: str, what: str) -> FilterError:
    return FilterError(f"--where {shown_condition(condition)} holds {what}; write a simpler condition.")


def shown_condition(condition: str) -> str:
    """Returns a condition for an error message: in quotes, on one line, and cut to 120 characters."""
    return shown(" ".join(condition.split()), 120)
