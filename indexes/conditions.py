"""Describes conditions on the columns of movies, which a vector database checks during a search."""

from __future__ import annotations

from typing import NamedTuple

Value = str | int | float


class ColumnTest(NamedTuple):
    """Tests the value that each movie has in one column.

    A movie without a value in the column passes a test only if the operator of the test is `is null`.

    Example:
        >>> ColumnTest("year", ">=", (1990,))
        ColumnTest(column='year', operator='>=', values=(1990,))
    """

    column: str
    operator: str
    """The operator of the test. The operators `=`, `<>`, `<`, `<=`, `>` and `>=` compare with one value. The
    operators `in` and `not in` take any number of values. The operators `like` and `not like` take a pattern,
    in which % stands for any text. The operators `is null` and `is not null` take no value."""
    values: tuple[Value, ...] = ()


class Combination(NamedTuple):
    """Joins conditions with a word: "and" if all must hold, "or" if at least one must hold."""

    word: str
    parts: tuple[Condition, ...]


Condition = ColumnTest | Combination
"""A condition on the columns of movies: a single test, or tests that "and" and "or" join; there is no "not"
before a condition."""
