"""Tells whether a line looks like a record of a table, by the kinds of characters in each field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

_RARE = 0.03
"""When the kinds of characters in a column are described, a kind that occurs in at most this share of the
values is ignored."""
_MOST_LOOKED_AT = 100
"""The number of characters at the start of a value that are classified as digits, letters and so on; the rest
of a longer value is ignored."""


def record_test(sample: Sequence[Sequence[str]], num_fields: int) -> Callable[[Sequence[str]], bool]:
    """Returns a function that tells whether the fields of a line look like the records in `sample`.

    The argument `sample` holds the first records of a file; the returned function tests lines of the same
    file. A line that looks like a record has `num_fields` fields, and a number in every column of numbers. In
    at least half of the columns of ids, the line has a value with the same kinds of characters, such as
    digits or capital letters, as the ids in `sample`. An empty value passes the test if `sample` has empty
    values in the same column. Columns of text with spaces are not tested.
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
    """Describes which kinds of characters, such as digits, occur in the values of a column."""

    may: frozenset[str]
    """The kinds of characters that a value of the column may contain."""
    must: frozenset[str]
    """The kinds of characters that nearly every value of the column contains."""
    may_be_empty: bool

    @classmethod
    def of(cls, values: Sequence[str]) -> _Shape:
        """Describes the kinds of characters in the values of a column."""
        given = [kinds for value in values if (kinds := _kinds(value))]
        counts = Counter(kind for kinds in given for kind in kinds)
        may = frozenset(kind for kind, count in counts.items() if count > _RARE * len(given))
        must = frozenset(kind for kind, count in counts.items() if count >= (1 - _RARE) * len(given))
        return cls(may, must, len(given) < len(values))

    @property
    def is_number(self) -> bool:
        """Tells whether the values of the column are numbers, or dates written in digits."""
        return "9" in self.must and not {"a", "A"} & self.may

    @property
    def is_id(self) -> bool:
        """Tells whether the values of the column may be ids: words without spaces, and not numbers."""
        return bool(self.may) and " " not in self.may and not self.is_number

    def fits(self, value: str) -> bool:
        """Tells whether a value has the kinds of characters that are usual in the column."""
        kinds = _kinds(value)
        if not kinds:
            return self.may_be_empty
        if self.is_number:
            return "9" in kinds and not {"a", "A"} & kinds
        return self.must <= kinds <= self.may


def _kinds(value: str) -> frozenset[str]:
    """Returns the kinds of characters in a value, such as "9" for digits.

    Digits, small letters, capital letters and spaces are one kind each: "9", "a", "A" and " ". Every other
    character, such as "-", is a kind of its own.
    """
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
