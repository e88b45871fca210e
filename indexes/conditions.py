"""Describes conditions on the columns of movies, which an index in a database can check during a search."""

from __future__ import annotations

from typing import NamedTuple

Value = str | int | float
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
"""The operators of a `ColumnTest` that compare a column with one value."""


class ColumnTest(NamedTuple):
    """Compares one column with values.

    A movie whose value in the column is unknown passes no test except `is null`.

    Example:
        >>> ColumnTest("year", ">=", (1990,))
        ColumnTest(column='year', operator='>=', values=(1990,))
    """

    column: str
    operator: str
    """One of `COMPARISONS`, with one value; `in` or `not in`, with any number of values; `like` or `not
    like`, with one pattern in which % stands for any text; `is null` or `is not null`, without a value."""
    values: tuple[Value, ...] = ()


class Combination(NamedTuple):
    """Joins conditions: with the word `and`, all must hold, and with the word `or`, at least one."""

    word: str
    parts: tuple[Condition, ...]


Condition = ColumnTest | Combination
"""A condition is known for each movie to hold or not to hold; no condition is negated as a whole."""
