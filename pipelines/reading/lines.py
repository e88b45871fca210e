"""Reads a text file in constant memory, as blocks of whole lines, and splits a block into its lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from isal import isal_zlib
from isal.igzip_lib import IsalError
from numpy.typing import ArrayLike, NDArray

from engine.errors import SourceError

BLOCK_SIZE = 8 << 20
"""Approximate bytes of text in a block: smaller blocks need more SQL statements, larger ones more memory."""
MAX_LINE = 64 << 20
"""The greatest length of a line in bytes; without a limit, a file without line ends would fill the memory."""
GZIP_MAGIC = b"\x1f\x8b"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CHUNK = 1 << 20
"""Compressed bytes that one read call takes from a gzip file."""
_MAX_STEPS_BACK = 1_000
"""The most lines to go back to find a line end outside a quoted field; an unpaired quote would go further."""
_WHITESPACE = np.frombuffer(b" \t\n\r\v\f", dtype=np.uint8)


class Block(NamedTuple):
    """Holds consecutive whole lines of a file."""

    first_line: int
    """The line number of the block's first line in the file, counted from 1."""
    data: bytes
    """The bytes of the lines, separated by line feeds alone, without a byte order mark."""


@dataclass(eq=False)
class BlockReader:
    """Iterates once over the blocks of one file."""

    path: Path
    _: KW_ONLY
    compressed: bool
    """Whether the file is compressed with gzip."""
    quoted: bool = False
    """Whether a block must not end inside a quoted field, because a quoted field may contain line breaks."""
    on_read: Callable[[int, int], object] | None = None
    """Callback that receives the number of bytes and the number of lines read since its last call."""
    block_size: int = BLOCK_SIZE
    """The approximate number of bytes of text in a block."""
    truncated: bool = field(default=False, init=False)
    """Whether the gzip data ended too early, which is known only after the last block was read."""

    def __iter__(self) -> Iterator[Block]:
        """Yields the blocks in file order, without the incomplete last line of a truncated gzip file.

        Raises:
            SourceError: the file cannot be read, is damaged, or has a line longer than `MAX_LINE`.
        """
        line = 1
        rest = b""
        for position, piece in enumerate(self._pieces()):
            data = rest + (piece if position else piece.removeprefix(_BYTE_ORDER_MARK))
            if len(data) < self.block_size:
                rest = data
                continue
            end = self._end_of_lines(data)
            if end == 0 and len(data) > MAX_LINE:
                raise SourceError(
                    f"Line {line:,} of {self.path} is longer than {MAX_LINE >> 20} MB; "
                    "expected one review or movie a line.",
                    path=self.path,
                    line=line,
                )
            if end:
                num_lines = data.count(b"\n", 0, end)
                self._tell(0, num_lines)
                yield _block(line, data[:end])
                line += num_lines
            rest = data[end:]
        if self.truncated:
            rest = rest[: rest.rfind(b"\n") + 1]
        if rest:
            self._tell(0, rest.count(b"\n") + (not rest.endswith(b"\n")))
            yield _block(line, rest)

    def _tell(self, num_bytes: int, num_lines: int) -> None:
        if self.on_read:
            self.on_read(num_bytes, num_lines)

    def _end_of_lines(self, data: bytes) -> int:
        """Returns the offset behind the last whole line of the data, or 0 if no line is whole."""
        end = data.rfind(b"\n") + 1
        num_quotes = data.count(b'"', 0, end)
        if not self.quoted or num_quotes % 2 == 0:
            return end
        # An odd number of quotes means that the last line break is inside a quoted field, or that a quote is
        # unpaired.
        shorter = end
        for _ in range(_MAX_STEPS_BACK):
            previous = data.rfind(b"\n", 0, shorter - 1) + 1
            num_quotes -= data.count(b'"', previous, shorter)
            if previous == 0:
                break
            if num_quotes % 2 == 0:
                return previous
            shorter = previous
        return end

    def _pieces(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                if self.compressed:
                    yield from self._inflate(iter(lambda: self._read(file.read(_CHUNK)), b""))
                else:
                    yield from iter(lambda: self._read(file.read(self.block_size)), b"")
        except OSError as error:
            raise SourceError(f"Cannot read {self.path}: {error.strerror}.", path=self.path) from error

    def _read(self, chunk: bytes) -> bytes:
        self._tell(len(chunk), 0)
        return chunk

    def _inflate(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Decompresses all members of a gzip file, and yields pieces of at most `block_size` bytes."""
        inflater = isal_zlib.decompressobj(wbits=31)
        started = False
        for chunk in chunks:
            pending = chunk
            while pending:
                if not started and not pending.strip(b"\0"):
                    break  # zero bytes that pad the file after the last gzip member
                started = True
                try:
                    piece = inflater.decompress(pending, self.block_size)
                except IsalError as error:  # type: ignore[misc]  # a class, whatever its stub says
                    raise SourceError(
                        f"{self.path} is damaged: its gzip data cannot be decompressed ({error}); "
                        "fetch it again.",
                        path=self.path,
                    ) from error
                if piece:
                    yield piece
                pending = inflater.unconsumed_tail
                if inflater.eof:
                    pending = inflater.unused_data
                    inflater = isal_zlib.decompressobj(wbits=31)
                    started = False
        while started and (piece := inflater.decompress(b"", self.block_size)):
            yield piece
        self.truncated = started


def _block(first_line: int, data: bytes) -> Block:
    return Block(first_line, data.replace(b"\r\n", b"\n") if b"\r" in data else data)


def decode_lines(data: bytes) -> str:
    """Decodes a block as UTF-8; a line in another encoding becomes a null character and escaped bytes."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(_decode_line(line) for line in data.split(b"\n"))


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return "\0" + line.decode("utf-8", errors="backslashreplace")


class Lines(NamedTuple):
    """Holds the lines of a block, except blank lines."""

    data: bytes
    """The bytes of the whole block, blank lines included."""
    numbers: NDArray[np.int64]
    """int64 [num_lines], the line number of each line in the file, ascending."""
    starts: NDArray[np.int64]
    """int64 [num_lines], the offset in the data at which each line starts."""
    ends: NDArray[np.int64]
    """int64 [num_lines], the offset in the data at which each line ends, before its line feed."""

    def besides(self, taken: ArrayLike) -> tuple[list[str], list[int]]:
        """Returns the texts and the line numbers of all lines except the line numbers in `taken`."""
        places = np.flatnonzero(~np.isin(self.numbers, np.asarray(taken)))
        bounds = zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True)
        return [self.data[start:end].decode("utf-8") for start, end in bounds], self.numbers[places].tolist()


def lines_of(block: Block, numbers: Sequence[int] | None = None) -> Lines:
    """Finds the lines of a block that are not blank.

    `numbers` holds the line number of every line of the block; by default lines are numbered consecutively
    from `block.first_line`. `decode_lines` says what becomes of a line that is not UTF-8.
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
    # A blank line begins with whitespace or is empty; in most files no line begins with whitespace.
    spaced = np.flatnonzero(np.isin(values[starts], _WHITESPACE))
    blank = [place for place in spaced.tolist() if not data[starts[place] : ends[place]].strip()]
    if blank:
        given, starts, ends = (np.delete(column, blank) for column in (given, starts, ends))
    return Lines(data, given, starts, ends)


@contextmanager
def file_of(lines: Lines, folder: Path) -> Iterator[dict[str, object]]:
    """Writes the lines to a temporary file, which is deleted when the `with` statement ends.

    DuckDB reads JSON from a file several times as fast as from a parameter. Yields the parameters for the SQL
    statement that reads the file: path, size, first_line and lines.
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
