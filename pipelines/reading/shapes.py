"""Tells whether a line reads like a record of a table, by how the values of each column are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

_RARE = 0.03
"""The share of the values of a column that may differ from the others without saying anything."""
_MOST_LOOKED_AT = 100
"""The number of characters of a value that tell how the values of a column are written."""


def record_test(sample: Sequence[Sequence[str]], num_fields: int) -> Callable[[Sequence[str]], bool]:
    """Returns a function that tells whether fields look like those of the records of a sample.

    A column of numbers tells most: all columns of numbers must hold what a number is written with. Of the
    other columns whose values hold no spaces, such as ids, half must hold what the ids are written with.
    Columns of texts tell nothing.
    """
    shapes = [_Shape.of(values) for values in zip(*sample, strict=True)] if sample else []
    numbers = [place for place, shape in enumerate(shapes) if shape.is_number]
    ids = [place for place, shape in enumerate(shapes) if shape.is_id]

    def reads_like_a_record(fields: Sequence[str]) -> bool:
        if len(fields) != num_fields:
            return False
        if not all(shapes[place].fits(fields[place]) for place in numbers):
            return False
        return 2 * sum(shapes[place].fits(fields[place]) for place in ids) >= len(ids)

    return reads_like_a_record


class _Shape(NamedTuple):
    """Says with which kinds of characters the values of a column are written."""

    may: frozenset[str]
    """The kinds of characters that the values may hold."""
    must: frozenset[str]
    """The kinds of characters that nearly all values hold."""
    may_be_empty: bool

    @classmethod
    def of(cls, values: Sequence[str]) -> _Shape:
        """Finds the kinds of characters of some values."""
        given = [kinds for value in values if (kinds := _kinds(value))]
        counts = Counter(kind for kinds in given for kind in kinds)
        may = frozenset(kind for kind, count in counts.items() if count > _RARE * len(given))
        must = frozenset(kind for kind, count in counts.items() if count >= (1 - _RARE) * len(given))
        return cls(may, must, len(given) < len(values))

    @property
    def is_number(self) -> bool:
        """Tells whether the values are numbers or dates in figures."""
        return "9" in self.must and not {"a", "A"} & self.may

    @property
    def is_id(self) -> bool:
        """Tells whether the values are words without spaces that are no numbers."""
        return bool(self.may) and " " not in self.may and not self.is_number

    def fits(self, value: str) -> bool:
        """Tells whether a value is written with the kinds of characters of the column."""
        kinds = _kinds(value)
        if not kinds:
            return self.may_be_empty
        if self.is_number:
            return "9" in kinds and not {"a", "A"} & kinds
        return self.must <= kinds <= self.may


def _kinds(value: str) -> frozenset[str]:
    """Returns the kinds of characters of a value: figures, small and capital letters, spaces, and others."""
    return frozenset(
        "9"
        if one.isdigit()
        else "A"
        if one.isupper()
        else "a"
        if one.isalpha()
        else " "
        if one.isspace()
        else one
        for one in value[:_MOST_LOOKED_AT].strip()
    )
