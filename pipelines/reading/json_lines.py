"""Lines of JSON, and files of them: DuckDB reads JSON from a file several times as fast as from a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.reading.lines import Block, decode_lines

_WHITESPACE = np.frombuffer(b" \t\n\r\v\f", dtype=np.uint8)


class Lines(NamedTuple):
    """The lines of a block that are not blank."""

    data: bytes
    numbers: NDArray[np.int64]
    """int64 [num_lines], their numbers in the file, ascending."""
    starts: NDArray[np.int64]
    """int64 [num_lines], where each begins in the data."""
    ends: NDArray[np.int64]
    """int64 [num_lines], where each ends, without its line feed."""

    def besides(self, taken: ArrayLike) -> tuple[list[str], list[int]]:
        """The texts and the numbers of the lines whose numbers are not among those."""
        places = np.flatnonzero(~np.isin(self.numbers, np.asarray(taken)))
        bounds = zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True)
        return [self.data[start:end].decode("utf-8") for start, end in bounds], self.numbers[places].tolist()


def lines_of(block: Block, numbers: Sequence[int] | None = None) -> Lines:
    """Finds the lines of a block; one that is not UTF-8 is spelled out, as `decode_lines` does.

    Args:
        block: the text.
        numbers: of the lines, where they do not follow each other.
    """
    data = block.data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = decode_lines(data).encode("utf-8")
    values = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(values == ord("\n"))
    if data and not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.append(0, ends[:-1] + 1)[: len(ends)]
    if numbers is None:
        given = np.arange(block.first_line, block.first_line + len(ends))
    else:
        given = np.asarray(numbers, dtype=np.int64)
    # Of most files no line begins with a space, and few do if any.
    spaced = np.flatnonzero(np.isin(values[starts], _WHITESPACE))
    blank = [place for place in spaced.tolist() if not data[starts[place] : ends[place]].strip()]
    if blank:
        given, starts, ends = (np.delete(column, blank) for column in (given, starts, ends))
    return Lines(data, given, starts, ends)


@contextmanager
def file_of(lines: Lines, folder: Path) -> Iterator[dict[str, object]]:
    """Writes the lines to a file that lives as long as the context.

    Yields:
        What statements that read it take: path, size, first_line and lines.
    """
    first, last = int(lines.numbers[0]), int(lines.numbers[-1])
    follow = last - first + 1 == len(lines.numbers)
    path = folder / f"{first}.json"
    path.write_bytes(lines.data)
    try:
        yield {
            "path": str(path),
            "size": len(lines.data) + 1,
            "first_line": first,
            "lines": None if follow else lines.numbers.tolist(),
        }
    finally:
        path.unlink()
