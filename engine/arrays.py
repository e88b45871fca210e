"""Sets of rows as ascending arrays, sorted and searched: NumPy's own functions take detours that cost more.

NumPy sorts numbers of 16 bits by their digits, which takes a third of the time of comparing longer ones.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Positions: a row is the rank of an id, a place is a position in a batch."""
Floats = NDArray[np.float32]
"""Numbers as models keep them."""
Doubles = NDArray[np.float64]
"""Numbers that are added up."""
Whole = TypeVar("Whole", bound=np.integer[Any])

_DIGIT_BITS = 16
_MANY = 2048
"""So many are sorted by their digits; of fewer the passes cost more than comparing."""
_RARE = 8
"""Where there are more rows to one that is looked for, most of them are told off by their hashes."""
_SLOTS = 16
"""Places in the table of hashes for each row in it, at least."""


def distinct(rows: NDArray[Whole]) -> NDArray[Whole]:
    """The different rows, ascending; several times as fast as `np.unique`, which hashes whole numbers.

    Example:
        >>> distinct(np.array([7, 3, 7])).tolist()
        [3, 7]
    """
    ordered = np.sort(rows) if len(rows) < _MANY else rows[_ascending_order(rows)]
    return ordered[are_new(ordered)]


def distinct_places(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different rows, ascending, and of each of `rows` its place among them.

    Example:
        >>> [found.tolist() for found in distinct_places(np.array([7, 3, 7]))]
        [[3, 7], [1, 0, 1]]
    """
    bits = len(rows).bit_length()
    if len(rows) < _MANY and int(rows.max(initial=0)) < 1 << (63 - bits) and rows.min(initial=0) >= 0:
        # A row and its place as one number: of few rows, sorting those is twice as fast as finding the order.
        packed = np.sort((rows.astype(np.int64) << bits) | np.arange(len(rows)))
        order, ordered = packed & ((1 << bits) - 1), packed >> bits
    else:
        order = _ascending_order(rows)
        ordered = rows[order]
    is_new = are_new(ordered)
    places = np.empty(len(rows), dtype=np.int64)
    places[order] = is_new.cumsum() - 1
    return ordered[is_new], places


def are_new(ordered: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which of ordered rows differ from the one before: bool [len(ordered)].

    Example:
        >>> are_new(np.array([3, 3, 7])).tolist()
        [True, False, True]
    """
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return new


def are_held(ascending: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which rows are among ascending ones: bool of the shape of `rows`.

    Example:
        >>> are_held(np.array([3, 7]), np.array([7, 4])).tolist()
        [True, False]
    """
    if not len(ascending):
        return np.zeros(rows.shape, dtype=bool)
    places = np.minimum(ascending.searchsorted(rows), len(ascending) - 1)
    held: NDArray[np.bool_] = ascending[places] == rows
    return held


def places_held(
    ascending: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which rows are among ascending ones, and where: positions in `rows`, and in `ascending`.

    Where few of many rows are, most are told off by a table of hashes: a Bloom filter with one of them.

    Example:
        >>> [found.tolist() for found in places_held(np.array([3, 7]), np.array([7, 4, 3]))]
        [[0, 2], [1, 0]]
    """
    if not len(ascending):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    likely = None
    if len(rows) >= _MANY and _RARE * len(ascending) < len(rows):
        bits = (_SLOTS * len(ascending)).bit_length()
        marks = np.zeros(1 << bits, dtype=bool)
        marks[_hashes(ascending, bits)] = True
        likely = np.flatnonzero(marks[_hashes(rows, bits)])
        rows = rows[likely]
    places = np.minimum(ascending.searchsorted(rows), len(ascending) - 1)
    hits = np.flatnonzero(ascending[places] == rows)
    return hits if likely is None else likely[hits], places[hits]


def _hashes(rows: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """So many of the highest bits of products with a large odd number (Knuth's multiplicative hashing)."""
    products = rows.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (products >> np.uint64(64 - bits)).view(np.int64)


def _ascending_order(rows: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Positions that put rows in ascending order, equal ones as they come: int64 [len(rows)]."""
    if len(rows) < _MANY or rows.min() < 0:
        return np.argsort(rows, kind="stable")
    order = np.argsort((rows & 0xFFFF).astype(np.uint16), kind="stable")
    for shift in range(_DIGIT_BITS, int(rows.max()).bit_length(), _DIGIT_BITS):
        digits = ((rows >> shift) & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
    return order


def spans(begins: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """The positions of several stretches of an array, one behind the other: int64 [lengths.sum()].

    Example:
        >>> spans(np.array([7, 2]), np.array([2, 3])).tolist()
        [7, 8, 2, 3, 4]
    """
    ends = lengths.cumsum()
    shifts: NDArray[np.int64] = (begins - (ends - lengths)).repeat(lengths)
    return shifts + np.arange(len(shifts))


def sums(values: NDArray[np.floating], offsets: NDArray[np.integer]) -> NDArray[Any]:
    """The sum of each stretch of rows, zero where it is empty: [len(offsets) - 1, ...].

    Example:
        >>> sums(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 1, 3])).tolist()
        [1.0, 0.0, 6.0]
    """
    begins, ends = offsets[:-1], offsets[1:]
    filled = ends > begins
    if len(values) and filled.all():
        totals: NDArray[Any] = np.add.reduceat(values, begins, axis=0)
        return totals
    totals = np.zeros((len(begins), *values.shape[1:]), dtype=values.dtype)
    if filled.any():
        totals[filled] = np.add.reduceat(values, begins[filled], axis=0)
    return totals


def best_places(scores: NDArray[np.floating], k: int) -> Rows:
    """Positions of the k highest scores, best first, equal ones by position: int64 [min(k, len(scores))].

    Example:
        >>> best_places(np.array([1.0, 3.0, 3.0, 2.0], dtype=np.float32), 3).tolist()
        [1, 2, 3]
    """
    order: Rows = np.lexsort((np.arange(len(scores)), -scores))[:k]
    return order
