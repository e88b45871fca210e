"""Keeps sorted ids on disk in one array of bytes, so that a table of millions of ids opens without delay.

The row of an id is the position of the id in the sorted order of all ids. Ids are sorted by their UTF-8
bytes, as DuckDB sorts text. A binary search in the file finds an id, so that no dictionary of ids is needed
in memory. Ids have no fixed width, so one very long id does not make other ids take more space.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.artifact.arrays import damage_of
from engine.errors import DataError

_NEIGHBOURS = 50
"""To find known ids that resemble an unknown id, the engine compares the unknown id with the known ids next
to it in sorted order: with this many known ids that sort before the unknown id, and with this many that sort
after it."""
_LONGEST_COMPARED = 40
"""The largest number of characters of an unknown id for which similar ids are looked for; the number of
possible spellings grows with the length of the id."""
_SAMPLED = 256
"""The approximate number of known ids whose letters are used to correct an unknown id. To find known ids that
resemble an unknown id, the engine puts one letter in place of a letter of the unknown id, or inserts one
letter. The engine tries only letters that occur in a sample of about `_SAMPLED` known ids."""
_LARGEST_ALPHABET = 64
"""To find a known id that resembles an unknown id, the engine tries at most this many different letters at
each position of the unknown id."""


def build_id_arrays(sorted_ids: Iterable[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Joins the bytes of all ids into one array; returns the bytes, uint8 [num_bytes], and the offsets.

    The offsets, int64 [num_ids + 1], are the positions of the first byte of each id, and, as the last number,
    the total number of bytes.

    Raises:
        DataError: an id occurs twice; the ids are not sorted by their UTF-8 bytes.
    """
    data = bytearray()
    offsets = array("q", [0])
    previous: bytes | None = None
    for text in sorted_ids:
        encoded = _encode(text)
        if previous is not None and encoded <= previous:
            raise DataError(
                f"Ids must be distinct and in byte order, but {text[:60]!r} follows a later or equal one"
            )
        data += encoded
        offsets.append(len(data))
        previous = encoded
    return np.frombuffer(bytes(data), dtype=np.uint8), np.array(offsets, dtype=np.int64)


class IdTable:
    """Finds ids by row, and rows by id, in the two arrays that `build_id_arrays` makes.

    Example:
        >>> table = IdTable(*build_id_arrays(["A1", "B2"]))
        >>> table.row("B2"), table.row("b2"), table.id(0), table.close_matches("b2")
        (1, None, 'A1', ['B2'])
    """

    def __init__(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        self._data = np.ascontiguousarray(data, dtype=np.uint8).data
        self._offsets = np.ascontiguousarray(offsets, dtype=np.int64).data

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.row(text) is not None

    def __iter__(self) -> Iterator[str]:
        return map(self.id, range(len(self)))

    def row(self, text: str) -> int | None:
        """Returns the row of an id, or None if the table does not hold the id."""
        encoded = _encode(text)
        row = self._insertion_row(encoded)
        return row if row < len(self) and self._bytes(row) == encoded else None

    def rows(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Returns the rows of many ids: int64 [len(texts)], -1 for an id that the table does not hold."""
        found = (self.row(text) for text in texts)
        return np.fromiter((-1 if row is None else row for row in found), dtype=np.int64, count=len(texts))

    def id(self, row: int) -> str:
        """Returns the id at a row.

        Raises:
            IndexError: `row` is not a row of the table.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"Row {row} is not one of the {len(self):,} rows of this table of ids")
        return self._bytes(row).decode("utf-8", "replace")

    def ids(self, rows: Iterable[int]) -> list[str]:
        """Returns the ids at many rows, in the order of `rows`."""
        return [self.id(int(row)) for row in rows]

    def close_matches(self, text: str, n: int = 3) -> list[str]:
        """Finds up to `n` ids that resemble an unknown id, the most similar id first.

        The function tries the unknown id in upper and lower case and with one letter changed. The function
        compares the unknown id with the known ids beside the unknown id in sorted order. The running time of
        the function hardly grows with the number of ids in the table.
        """
        import difflib

        text = text.strip()
        cases = [text, text.upper(), text.lower(), text.title(), text.swapcase()]
        found = dict.fromkeys(case for case in cases if case in self)
        if len(text) <= _LONGEST_COMPARED:
            for spelling in (text, text.upper()):
                found.update(dict.fromkeys(edit for edit in self._edits(spelling) if edit in self))
            neighbours = {near for case in cases for near in self._neighbours(case)}
            found.update(dict.fromkeys(difflib.get_close_matches(text, sorted(neighbours), n=n, cutoff=0.7)))
        return list(found)[:n]

    def _bytes(self, row: int) -> bytes:
        begin, end = self._offsets[row], self._offsets[row + 1]
        if not 0 <= begin <= end <= len(self._data):
            raise damage_of("ids")
        return bytes(self._data[begin:end])

    def _insertion_row(self, encoded: bytes) -> int:
        return bisect_left(range(len(self)), encoded, key=self._bytes)

    def _neighbours(self, text: str) -> Iterator[str]:
        place = self._insertion_row(_encode(text))
        near = range(max(0, place - _NEIGHBOURS), min(len(self), place + _NEIGHBOURS))
        return (found for found in map(self.id, near) if len(found) <= 2 * _LONGEST_COMPARED)

    def _edits(self, text: str) -> Iterator[str]:
        step = max(1, len(self) // _SAMPLED)
        sampled = "".join(self.id(row)[:_LONGEST_COMPARED] for row in range(0, len(self), step))
        alphabet = sorted(set(sampled))[:_LARGEST_ALPHABET]
        for place in range(len(text) + 1):
            before, after = text[:place], text[place:]
            if len(after) > 1:
                yield before + after[1] + after[0] + after[2:]
            if after:
                yield before + after[1:]
                yield from (before + letter + after[1:] for letter in alphabet)
            yield from (before + letter + after for letter in alphabet)


def _encode(text: str) -> bytes:
    # A command-line argument that is not UTF-8 arrives with surrogates; the argument is an unknown id, not an
    # error.
    return text.encode("utf-8", "surrogatepass")
