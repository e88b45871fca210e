"""Arrays of an artifact laid out anew for more reviewers: rows are ranks of ids, so all of them shift."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, spans
from engine.artifact.ids import IdTable

_ROWS_AT_ONCE = 100_000


def ranks_of_new(table: IdTable, new_ids: Sequence[str]) -> Rows:
    """The rows that new ids get among those of a table, int64 [num_new].

    Args:
        table: the ids that are there.
        new_ids: none of those, distinct, in the order of their UTF-8 bytes.
    """
    keys = range(len(table))
    encoded = [text.encode("utf-8", "surrogatepass") for text in new_ids]
    before = [
        bisect_left(keys, text, key=lambda row: table.id(row).encode("utf-8", "surrogatepass"))
        for text in encoded
    ]
    return np.array(before, dtype=np.int64) + np.arange(len(before))


def blocks(count: int) -> Iterator[slice]:
    """Cuts so many rows into slices that memory has room for."""
    for begin in range(0, count, _ROWS_AT_ONCE):
        yield slice(begin, min(begin + _ROWS_AT_ONCE, count))


def spread_rows(
    old: NDArray[Any], old_rows: Rows, new: NDArray[Any], new_rows: Rows, target: NDArray[Any]
) -> None:
    """Fills an array with old and new rows, block by block.

    Args:
        old: [num_old, ...].
        old_rows: int64 [num_old], where each old row goes.
        new: [num_new, ...].
        new_rows: int64 [num_new], where each new row goes.
        target: [num_old + num_new, ...], which may be a mapped file.
    """
    for block in blocks(len(old_rows)):
        target[old_rows[block]] = old[block]
    target[new_rows] = new


def replace_records(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    rows: Rows,
    texts: Sequence[bytes],
    *,
    inserted: bool,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Puts texts into a table of texts of any length, among the old ones or in their place.

    Args:
        data: uint8 [total length], the texts one behind the other.
        offsets: int64 [num_texts + 1].
        rows: int64 [len(texts)], ascending, the rows that the texts have in the result.
        texts: the new ones.
        inserted: whether they are more texts, or stand for those in the same rows.

    Returns:
        The data and the offsets of the result.
    """
    num_rows = len(offsets) - 1 + (len(texts) if inserted else 0)
    is_new = np.zeros(num_rows, dtype=bool)
    is_new[rows] = True
    kept = np.arange(len(offsets) - 1) if inserted else np.flatnonzero(~is_new)
    lengths = np.zeros(num_rows, dtype=np.int64)
    lengths[~is_new] = np.diff(offsets)[kept]
    lengths[rows] = [len(text) for text in texts]
    merged_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    merged = np.empty(merged_offsets[-1], dtype=np.uint8)
    targets = np.flatnonzero(~is_new)
    for block in blocks(len(kept)):
        sizes = lengths[targets[block]]
        sources = spans(np.asarray(offsets)[kept[block]], sizes)
        merged[spans(merged_offsets[targets[block]], sizes)] = data[sources]
    for row, text in zip(rows.tolist(), texts, strict=True):
        merged[merged_offsets[row] : merged_offsets[row + 1]] = np.frombuffer(text, dtype=np.uint8)
    return merged, merged_offsets


def rows_beside(new_rows: NDArray[np.integer], num_old: int) -> NDArray[np.int64]:
    """The rows that old movies get where new ones take theirs, int64 [num_old], in the same order.

    Example:
        >>> rows_beside(np.array([0, 2]), 3).tolist()
        [1, 3, 4]
    """
    taken = np.zeros(num_old + len(new_rows), dtype=bool)
    taken[new_rows] = True
    return np.flatnonzero(~taken)


def insert_rows(old: NDArray[Any], new: NDArray[Any], new_rows: NDArray[np.integer]) -> NDArray[Any]:
    """Puts new values among old ones.

    Args:
        old: [num_old, ...], in the order of their rows.
        new: [num_new, ...], likewise.
        new_rows: int [num_new], the rows that the new ones have in the result, ascending.

    Returns:
        [num_old + num_new, ...], of the type of `old`.
    """
    merged = np.empty((len(old) + len(new), *old.shape[1:]), dtype=old.dtype)
    merged[rows_beside(new_rows, len(old))] = old
    merged[new_rows] = new
    return merged
