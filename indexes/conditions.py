"""Describes conditions on the columns of movies, which an index in a database can check during a search."""

from __future__ import annotations

from typing import NamedTuple

Value = str | int | float
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
"""The operators of a `ColumnTest` that compare a column with one value."""


class ColumnTest(NamedTuple):
    """Compares one column of the movies with values.

    A movie whose value in the column is unknown passes a `ColumnTest` only if the operator is `is null`.

    Example:
        >>> ColumnTest("year", ">=", (1990,))
        ColumnTest(column='year', operator='>=', values=(1990,))
    """

    column: str
    operator: str
    """The operator of the comparison: one of `COMPARISONS`, with one value; `in` or `not in`, with any number
    of values; `like` or `not like`, with one pattern in which % stands for any text; `is null` or `is not
    null`, without a value."""
    values: tuple[Value, ...] = ()


class Combination(NamedTuple):
    """Joins conditions with a word: with `and`, all must hold; with `or`, one condition or more must hold."""

    word: str
    parts: tuple[Condition, ...]


Condition = ColumnTest | Combination
"""A condition on the columns of movies: one test, or tests joined by `and` and `or`; a condition as a whole
cannot be negated."""
