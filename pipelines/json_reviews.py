"""Stages blocks of JSON reviews: what is as it should be in one sweep, and then the rest line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.blocks import Block, decode_lines
from pipelines.database import run

if TYPE_CHECKING:
    import duckdb

_DOUBTFUL_AT_ONCE = 5_000
_WHITESPACE = np.frombuffer(b" \t\n\r\v\f", dtype=np.uint8)


class _Lines(NamedTuple):
    """The lines of a block that are not blank."""

    data: bytes
    numbers: NDArray[np.int64]
    """int64 [num_lines], their numbers in the file, ascending."""
    starts: NDArray[np.int64]
    """int64 [num_lines], where each begins in the data."""
    ends: NDArray[np.int64]
    """int64 [num_lines], where each ends, without its line feed."""

    def texts(self, places: NDArray[np.intp]) -> list[str]:
        """The lines at some places."""
        bounds = zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True)
        return [self.data[start:end].decode("utf-8") for start, end in bounds]


def stage_json_reviews(
    cursor: duckdb.DuckDBPyConnection,
    blocks: Iterator[Block],
    folder: Path,
    parameters: Mapping[str, object],
) -> None:
    """Appends every line that is not blank to `staged_reviews`; those that cannot be used carry a reason.

    DuckDB reads JSON from a file several times as fast as from a value, so a block is given to it as one.

    Args:
        cursor: a connection with the functions of `add_functions`.
        blocks: of one file.
        folder: where to put a block while it is read.
        parameters: of both statements: file, with_text, with_numbers and min_text_length.
    """
    texts: list[str] = []
    numbers: list[int] = []
    for block in blocks:
        lines = _lines_of(block)
        places = _doubtful_places(cursor, lines, folder / f"{block.first_line}.json", parameters)
        texts += lines.texts(places)
        numbers += lines.numbers[places].tolist()
        if len(texts) >= _DOUBTFUL_AT_ONCE:
            run(cursor, "stage_doubtful_reviews", texts=texts, lines=numbers, **parameters)
            texts, numbers = [], []
    if texts:
        run(cursor, "stage_doubtful_reviews", texts=texts, lines=numbers, **parameters)


def _lines_of(block: Block) -> _Lines:
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
    numbers = np.arange(block.first_line, block.first_line + len(ends))
    # Of most files no line begins with a space, and few do if any.
    spaced = np.flatnonzero(np.isin(values[starts], _WHITESPACE))
    blank = [place for place in spaced.tolist() if not data[starts[place] : ends[place]].strip()]
    if blank:
        numbers, starts, ends = (np.delete(column, blank) for column in (numbers, starts, ends))
    return _Lines(data, numbers, starts, ends)


def _doubtful_places(
    cursor: duckdb.DuckDBPyConnection, lines: _Lines, path: Path, parameters: Mapping[str, object]
) -> NDArray[np.intp]:
    """Stages the lines of which all is well, and gives the places of the others."""
    if not len(lines.numbers):
        return np.empty(0, dtype=np.intp)
    path.write_bytes(lines.data)
    first, last = int(lines.numbers[0]), int(lines.numbers[-1])
    follow = last - first + 1 == len(lines.numbers)
    taken = run(
        cursor,
        "stage_amazon_reviews",
        path=str(path),
        size=len(lines.data) + 1,
        first_line=first,
        lines=None if follow else lines.numbers.tolist(),
        **parameters,
    ).fetchnumpy()["line"]
    path.unlink()
    return np.flatnonzero(~np.isin(lines.numbers, taken))
