"""Offers set operations on sorted NumPy arrays, sums of segments, top-k selection, and names of array types.

A *row* is the position of an id, such as a movie id, in the list of all ids. A *place* is the position of a
reviewer in a batch of reviewers.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""An int64 array of positions: of ids in the list of all ids, or of reviewers in a batch."""
Floats = NDArray[np.float32]
"""A float32 array, the type in which a trained model stores vectors and weights."""
Doubles = NDArray[np.float64]
"""A float64 array, the type in which sums are computed."""
Whole = TypeVar("Whole", bound=np.integer[Any])
Number = TypeVar("Number", bound=np.generic)

_MANY = 2048
"""If the array `rows` has fewer numbers than this, `places_held` uses no Bloom filter, because making the
filter would take longer than the filter saves."""
_RARE = 8
"""`places_held` uses a Bloom filter only if the array `rows` is more than this many times as long as the
array `ascending`."""
_LONG = 64
"""If slices have at least this mean length, `parts_of` copies each slice as a whole."""
_SLOTS = 16
"""The least number of slots of a Bloom filter for each value that is searched for; with fewer slots, the
filter lets more unwanted values pass."""
_FEW = 16
"""If a matrix has at most this many columns, `k_highest_of_rows` sorts whole rows of the matrix."""
_MANY_COLUMNS = 4096
_MANY_TIMES = 32
"""The function `k_highest_of_rows`, which finds the k highest scores of each row, compares a sample of the
columns first if a matrix has at least `_MANY_COLUMNS` columns and at least `_MANY_TIMES * k` columns."""
_SAMPLING = 8
"""`k_highest_of_rows` takes every eighth column of a wide matrix as a sample; `_SAMPLING` is the distance
from one column of the sample to the next."""


def distinct(rows: NDArray[Whole]) -> NDArray[Whole]:
    """Returns the distinct integers of an array, ascending; sorts them, which is faster than `np.unique`.

    Example:
        >>> distinct(np.array([7, 3, 7])).tolist()
        [3, 7]
    """
    ordered = np.sort(rows)
    return ordered[are_new(ordered)]


def distinct_places(rows: Rows) -> tuple[Rows, Rows]:
    """Returns the sorted distinct values of `rows`, and the position of each entry among these values.

    Example:
        >>> [found.tolist() for found in distinct_places(np.array([7, 3, 7]))]
        [[3, 7], [1, 0, 1]]
    """
    order = np.argsort(rows)
    ordered = rows[order]
    is_new = are_new(ordered)
    places = np.empty(len(rows), dtype=np.int64)
    places[order] = is_new.cumsum() - 1
    return ordered[is_new], places


def are_new(ordered: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Marks the values of a sorted array that differ from the previous value: bool [len(ordered)].

    Example:
        >>> are_new(np.array([3, 3, 7])).tolist()
        [True, False, True]
    """
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return new


def are_held(ascending: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tells which entries of `rows` occur in the sorted array `ascending`: a bool array shaped like `rows`.

    Example:
        >>> are_held(np.array([3, 7]), np.array([7, 4])).tolist()
        [True, False]
    """
    if not len(ascending):
        return np.zeros(rows.shape, dtype=bool)
    places = np.minimum(ascending.searchsorted(rows), len(ascending) - 1)
    held: NDArray[np.bool_] = ascending[places] == rows
    return held


def places_held(ascending: Rows, rows: Rows) -> tuple[Rows, Rows]:
    """Finds the entries of `rows` that also occur in the sorted array `ascending`.

    If `rows` is much longer than `ascending`, a Bloom filter with one hash function first discards most of
    the entries of `rows` that do not occur in `ascending`.

    Returns:
        The positions in `rows` of the entries found, and the positions in `ascending` of the same entries.

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


def _hashes(rows: Rows, bits: int) -> Rows:
    """Hashes row numbers (int64) to numbers of `bits` bits, by which `places_held` looks up row numbers.

    The hash of a row is the top `bits` bits of `row * 0x9E3779B97F4A7C15 % 2**64` (Knuth's multiplicative
    hashing).
    """
    products = rows.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (products >> np.uint64(64 - bits)).view(np.int64)


def spans(begins: NDArray[np.integer], lengths: NDArray[np.integer]) -> Rows:
    """Concatenates ranges of integers as int64; range i holds `lengths[i]` integers, from `begins[i]` on.

    Example:
        >>> spans(np.array([7, 2]), np.array([2, 3])).tolist()
        [7, 8, 2, 3, 4]
    """
    ends = lengths.cumsum()
    shifts: Rows = (begins - (ends - lengths)).repeat(lengths)
    return shifts + np.arange(len(shifts))


def parts_of(
    values: NDArray[Number], begins: NDArray[np.integer], lengths: NDArray[np.integer]
) -> NDArray[Number]:
    """Concatenates the slices `values[begins[i]:begins[i] + lengths[i]]` for all i.

    If the slices are long, the function copies each slice as a whole. Copying whole slices is several times
    as fast as picking every single value by an array of positions.

    Example:
        >>> parts_of(np.array([5, 6, 7, 8]), np.array([2, 0]), np.array([2, 1])).tolist()
        [7, 8, 5]
    """
    if lengths.sum() < _LONG * len(begins):
        return values[spans(begins, lengths)]
    bounds = zip(begins.tolist(), (begins + lengths).tolist(), strict=True)
    return np.concatenate([values[:0], *(values[begin:end] for begin, end in bounds)])


def sums(values: NDArray[np.floating], offsets: NDArray[np.integer]) -> NDArray[Any]:
    """Sums each segment `values[offsets[i]:offsets[i + 1]]` of an array; an empty segment has the sum 0.

    Returns:
        The sum of each segment, an array of the shape [len(offsets) - 1, ...].

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


def k_highest(scores: NDArray[np.floating | np.integer], k: int) -> Rows:
    """Finds the positions of the k highest scores, highest score first; equal scores are ordered by position.

    Returns:
        The positions, int64 [min(k, len(scores))].

    Example:
        >>> k_highest(np.array([1.0, 3.0, 3.0, 2.0]), 3).tolist()
        [1, 2, 3]
    """
    order: Rows = np.argsort(-scores, kind="stable")[:k]
    return order


def k_highest_of_rows(scores: NDArray[np.floating], k: int) -> Rows:
    """Finds the columns of the k highest scores in each row of a matrix, highest score first.

    Equal scores are ordered by column. Only the k highest scores of a row are sorted, so that the running
    time grows linearly with the number of columns.

    Returns:
        The columns, int64 [num_rows, min(k, num_columns)].

    Example:
        >>> k_highest_of_rows(np.array([[1.0, 3.0, 3.0, 2.0], [4.0, 0.0, 1.0, 0.0]]), 3).tolist()
        [[1, 2, 3], [0, 2, 1]]
    """
    num = scores.shape[1]
    # The scores are negated, because `np.partition` is slow on many equal scores unless the equal scores are
    # last.
    falling = -scores
    if not 0 < k < num or num <= _FEW:
        return np.argsort(falling, axis=1, kind="stable")[:, :k]
    if num < _MANY_TIMES * k or num < _MANY_COLUMNS:
        return _k_lowest_of_rows(falling, k)
    # Most scores of a long row are below a bound that every eighth score tells.
    columns, bounded = _below_bounds(falling, k)
    return np.take_along_axis(columns, _k_lowest_of_rows(bounded, k), axis=1)


def _k_lowest_of_rows(numbers: NDArray[np.floating], k: int) -> Rows:
    """Finds the columns of the k lowest numbers in each row, lowest first; equal numbers by column."""
    num_rows, num = numbers.shape
    if k == num:
        return np.argsort(numbers, axis=1, kind="stable")
    last = np.partition(numbers, k - 1, axis=1)[:, k - 1, None]  # float [num_rows, 1]
    kept = numbers <= last
    crowded = np.flatnonzero(np.count_nonzero(kept, axis=1) > k)
    if len(crowded):  # Of several numbers equal to the k-th lowest number, the leftmost are kept.
        equal = numbers[crowded] == last[crowded]
        spare = k - np.count_nonzero(numbers[crowded] < last[crowded], axis=1)
        kept[crowded] &= ~equal | (equal.cumsum(axis=1) <= spare[:, None])
    columns = np.flatnonzero(kept).reshape(num_rows, k) % num
    order = np.argsort(np.take_along_axis(numbers, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def _below_bounds(numbers: NDArray[np.floating], k: int) -> tuple[Rows, NDArray[np.floating]]:
    """Finds candidates for the k lowest numbers of each row of a matrix.

    For each row, the function chooses a bound, so that at least k numbers of the row are less than or equal
    to the bound. The candidates of the row are the numbers of the row that are less than or equal to the
    bound. If far more than k numbers of a row are less than or equal to the row's bound, the numbers equal to
    the bound are taken from the left, and only until the row has k candidates. The k lowest numbers of a row
    are always among the candidates of the row.

    Returns:
        The columns of the candidates for the k lowest numbers, int64 [num_rows, most], ascending in each row;
        and the candidates themselves, float [num_rows, most]. The row of `numbers` with the most candidates
        has `most` candidates. A row with fewer candidates ends with zeros in the array of columns, and with
        infinities in the array of candidates.
    """
    num_rows, num = numbers.shape
    sampled = numbers[:, ::_SAMPLING]
    place = min(3 * k // (2 * _SAMPLING) + _SAMPLING, sampled.shape[1] - 1)
    bounds = np.partition(sampled, place, axis=1)[:, place, None]
    kept = numbers <= bounds
    counts = np.count_nonzero(kept, axis=1)
    short = np.flatnonzero(counts < k)
    if len(short):
        bounds[short] = np.partition(numbers[short], k - 1, axis=1)[:, k - 1, None]
        kept[short] = numbers[short] <= bounds[short]
        counts[short] = np.count_nonzero(kept[short], axis=1)
    crowded = np.flatnonzero(counts > _MANY_TIMES // 4 * k)
    if len(crowded):  # Of many numbers equal to the bound, only the leftmost may be among the k lowest.
        kept[crowded] = numbers[crowded] < bounds[crowded]
        equal = numbers[crowded] == bounds[crowded]
        spare = np.maximum(k - np.count_nonzero(kept[crowded], axis=1), 0)
        kept[crowded] |= equal & (equal.cumsum(axis=1, dtype=np.int32) <= spare[:, None])
        counts[crowded] = np.count_nonzero(kept[crowded], axis=1)
    rows, found = np.divmod(np.flatnonzero(kept), num)
    places = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = np.zeros((num_rows, int(counts.max())), dtype=np.int64)
    bounded = np.full(columns.shape, np.inf, dtype=numbers.dtype)
    columns[rows, places], bounded[rows, places] = found, numbers[rows, found]
    return columns, bounded
