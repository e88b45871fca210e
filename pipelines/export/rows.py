"""Inserts rows for new movies and new reviewers into the arrays of an index.

The row of a movie or a reviewer is the rank of the movie's or reviewer's id among all ids, so each new id
raises all later rows by 1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, spans
from engine.artifact.ids import IdTable

_ROWS_AT_ONCE = 100_000
"""The number of rows in a block; an array is copied block by block, so that copying a large memory-mapped
array takes little memory."""


def ranks_of_new(table: IdTable, new_ids: Sequence[str]) -> Rows:
    """Finds the rows that new ids will get when inserted into a sorted table of ids: int64 [num_new].

    The new ids must be distinct, not in the table, and sorted by the bytes of their UTF-8 encoding.
    """
    keys = range(len(table))
    encoded = [text.encode("utf-8", "surrogatepass") for text in new_ids]
    before = [
        bisect_left(keys, text, key=lambda row: table.id(row).encode("utf-8", "surrogatepass"))
        for text in encoded
    ]
    return np.array(before, dtype=np.int64) + np.arange(len(before))


def rows_beside(new_rows: NDArray[np.integer], num_old: int) -> Rows:
    """Finds the rows that old items get when new items are inserted at the rows `new_rows`: int64 [num_old].

    The old items keep their order, and fill the rows that are not in `new_rows`.

    >>> rows_beside(np.array([0, 2]), 3).tolist()
    [1, 3, 4]
    """
    taken = np.zeros(num_old + len(new_rows), dtype=bool)
    taken[new_rows] = True
    return np.flatnonzero(~taken)


def insert_rows(
    old: NDArray[Any], new: NDArray[Any], new_rows: NDArray[np.integer], target: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Merges new values into an array of old values, block by block, so that mapped files take little memory.

    Args:
        old: the old values, [num_old, ...].
        new: the new values, [num_new, ...].
        new_rows: the rows of the new values in the returned array, int [num_new], ascending.
        target: the array to which the merged values are written, [num_old + num_new, ...], such as a
            memory-mapped file; None to write to a new array of the type of `old`.

    >>> insert_rows(np.array([1.0, 2.0]), np.array([7.0]), np.array([1])).tolist()
    [1.0, 7.0, 2.0]
    """
    if target is None:
        target = np.empty((len(old) + len(new), *old.shape[1:]), dtype=old.dtype)
    old_rows = rows_beside(new_rows, len(old))
    for block in _blocks(len(old)):
        target[old_rows[block]] = old[block]
    target[new_rows] = new
    return target


def replace_records(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], rows: Rows, texts: Sequence[bytes], *, inserted: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Inserts or replaces texts in a table of concatenated texts; returns the new bytes and the new offsets.

    Args:
        data: uint8 [total length], the concatenated bytes of the old texts.
        offsets: int64 [num_texts + 1], the position in `data` at which each old text starts, and at the end
            the length of `data`.
        rows: int64 [len(texts)], ascending, the row of each new text in the returned table.
        texts: the bytes of each new text.
        inserted: True to insert the new texts between the old texts; False to replace the old texts in the
            rows `rows` by the new texts.
    """
    num_rows = len(offsets) - 1 + (len(texts) if inserted else 0)
    is_new = np.zeros(num_rows, dtype=bool)
    is_new[rows] = True
    targets = np.flatnonzero(~is_new)
    kept = np.arange(len(offsets) - 1) if inserted else targets
    lengths = np.zeros(num_rows, dtype=np.int64)
    lengths[targets] = np.diff(offsets)[kept]
    lengths[rows] = [len(text) for text in texts]
    merged_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    merged = np.empty(merged_offsets[-1], dtype=np.uint8)
    for block in _blocks(len(kept)):
        sizes = lengths[targets[block]]
        sources = spans(np.asarray(offsets)[kept[block]], sizes)
        merged[spans(merged_offsets[targets[block]], sizes)] = data[sources]
    for row, text in zip(rows.tolist(), texts, strict=True):
        merged[merged_offsets[row] : merged_offsets[row + 1]] = np.frombuffer(text, dtype=np.uint8)
    return merged, merged_offsets


def _blocks(count: int) -> Iterator[slice]:
    for begin in range(0, count, _ROWS_AT_ONCE):
        yield slice(begin, min(begin + _ROWS_AT_ONCE, count))
