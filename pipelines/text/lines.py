"""Reads a text file in constant memory, as blocks of whole lines, and splits a block into its lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import SourceError
from pipelines.text.streams import MAX_LINE, PLAIN, TextForm, TextStream

BLOCK_SIZE = 12 << 20
"""The approximate number of bytes of text in a block; smaller blocks would need more SQL statements, and
larger blocks would need more memory."""

_IS_WHITESPACE = np.array([bytes([byte]).isspace() for byte in range(256)])
"""bool [256], True for each byte that is a whitespace character of ASCII."""
_ENDS = re.compile(rb"\r+\n")
_WINDOWS = "".join(
    bytes([byte]).decode("cp1252", errors="replace").replace("\ufffd", chr(byte)) for byte in range(256)
)
"""The character for each byte: the character in Windows-1252, or in Latin-1 for the five bytes that
Windows-1252 leaves undefined."""


class Block(NamedTuple):
    """Holds consecutive whole lines of a file."""

    first_line: int
    """The line number of the block's first line in the file, counted from 1."""
    data: bytes
    """The text of the block's lines in UTF-8, separated by line feeds, without a byte order mark."""
    blank: Sequence[int] = ()
    """The positions of the blank lines among the lines of the block, counted from 0."""


@dataclass(eq=False)
class BlockReader:
    """Iterates once over the blocks of one file."""

    path: Path
    """The path that the user gave; error messages name this path."""
    _: KW_ONLY
    file: Path | None = None
    """The path of the file whose lines are read, such as a copy of the user's file; None to read `path`
    itself."""
    form: TextForm = PLAIN
    on_read: Callable[[int, int], object] | None = None
    """A function to call during reading, with the numbers of bytes and lines read since the previous call."""
    block_size: int = BLOCK_SIZE
    """The approximate number of bytes of text in a block."""
    truncated: bool = field(default=False, init=False)
    """Whether the file's compressed data ended too early; the value is valid after the last block was
    read."""
    num_lines: int = field(default=0, init=False)
    """The number of lines read so far, without blank lines."""
    num_foreign: int = field(default=0, init=False)
    """The number of lines read so far that were not UTF-8, and were read as Windows-1252."""

    def __iter__(self) -> Iterator[Block]:
        """Yields the blocks in file order, without the incomplete last line of a truncated file.

        Raises:
            SourceError: the file cannot be read, is damaged, or has a line longer than `MAX_LINE`.
        """
        stream = TextStream(
            self.path,
            file=self.file or self.path,
            form=self.form,
            on_read=lambda num_bytes: self._tell(num_bytes, 0),
            piece_size=self.block_size,
        )
        line = 1
        rest = b""
        for piece in stream:
            data = rest + piece
            if len(data) < self.block_size:
                rest = data
                continue
            end = data.rfind(b"\n") + 1
            if end == 0 and len(data) > MAX_LINE:
                raise SourceError(
                    f"Line {line:,} of {self.path} is longer than {MAX_LINE >> 20} MB; "
                    "expected one review or movie a line.",
                    path=self.path,
                    line=line,
                )
            if end:
                block, num_lines = self._block(line, data[:end])
                yield block
                line += num_lines
            rest = data[end:]
        self.truncated = stream.truncated
        if self.truncated:
            rest = rest[: rest.rfind(b"\n") + 1]
        rest = rest.rstrip(b"\r")
        if rest:
            yield self._block(line, rest)[0]

    def _tell(self, num_bytes: int, num_lines: int) -> None:
        if self.on_read:
            self.on_read(num_bytes, num_lines)

    def _block(self, first_line: int, data: bytes) -> tuple[Block, int]:
        """Returns a block and the block's number of lines; updates `num_lines` and `num_foreign`."""
        if b"\r" in data:
            data = _ENDS.sub(b"\n", data) if b"\r\r" in data else data.replace(b"\r\n", b"\n")
        block = block_of(first_line, data)
        num_lines = data.count(b"\n") + (not data.endswith(b"\n"))
        self._tell(0, num_lines)
        self.num_lines += num_lines - len(block.blank)
        data, num_foreign = to_utf8(data)
        self.num_foreign += num_foreign
        return block._replace(data=data), num_lines


def block_of(first_line: int, data: bytes) -> Block:
    """Makes a block of lines that are separated by line feeds, and notes which lines are blank."""
    starts, ends = _bounds(data)
    # Lines that begin with whitespace are checked one by one, because few files have such lines.
    doubtful = np.flatnonzero(_IS_WHITESPACE[np.frombuffer(data, dtype=np.uint8)[starts]])
    blank = [place for place in doubtful.tolist() if not data[starts[place] : ends[place]].strip()]
    return Block(first_line, data, blank)


def to_utf8(data: bytes) -> tuple[bytes, int]:
    """Converts lines to UTF-8; returns the converted lines, and how many of the lines were not UTF-8.

    Each line that is not UTF-8 is read as Windows-1252, even if other lines are UTF-8.
    """
    if data.isascii():
        return data, 0
    try:
        codecs.utf_8_decode(data, "strict", True)
    except UnicodeDecodeError:
        if b"\n" not in data:
            return codecs.charmap_decode(data, "strict", _WINDOWS)[0].encode("utf-8"), 1
    else:
        return data, 0
    lines = [to_utf8(line) for line in data.split(b"\n")]
    return b"\n".join(line for line, _ in lines), sum(count for _, count in lines)


class Lines(NamedTuple):
    """Holds the lines of a block, except blank lines."""

    data: bytes
    """The bytes of the whole block, blank lines included."""
    numbers: NDArray[np.int64]
    """int64 [num_lines], the number of each line in the file, ascending."""
    starts: NDArray[np.int64]
    """int64 [num_lines], the position in `data` at which each line starts."""
    ends: NDArray[np.int64]
    """int64 [num_lines], the position in `data` at which each line ends, before the line feed."""

    def besides(self, taken: ArrayLike) -> tuple[list[str], list[int]]:
        """Returns the texts and the line numbers of the lines whose line numbers are not in `taken`."""
        places = np.flatnonzero(~np.isin(self.numbers, np.asarray(taken)))
        bounds = zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True)
        return [self.data[start:end].decode("utf-8") for start, end in bounds], self.numbers[places].tolist()


def lines_of(block: Block, numbers: Sequence[int] | None = None) -> Lines:
    """Finds the lines of a block that are not blank.

    The argument `numbers` holds the line number of every line of the block, blank lines included. By default,
    the lines are numbered consecutively from `block.first_line`.
    """
    data = block.data
    starts, ends = _bounds(data)
    if numbers is None:
        given = np.arange(block.first_line, block.first_line + len(ends))
    else:
        given = np.asarray(numbers, dtype=np.int64)
    if block.blank:
        given, starts, ends = (np.delete(column, block.blank) for column in (given, starts, ends))
    return Lines(data, given, starts, ends)


def _bounds(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Finds the positions in a block's data at which the lines start and end, blank lines included."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    if data and not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    return np.append(0, ends[:-1] + 1)[: len(ends)], ends


@contextmanager
def file_of(lines: Lines, folder: Path) -> Iterator[dict[str, object]]:
    """Writes the lines to a temporary file, which is deleted when the `with` statement ends.

    DuckDB reads JSON several times as fast from the file as from a parameter of the SQL statement. Yields the
    parameters of the SQL statement that reads the file: path, size, first_line and lines.
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
