"""Text files, plain or gzip, as blocks of whole lines, read ahead in a thread and in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from isal import isal_zlib
from isal.igzip_lib import IsalError

from engine.errors import SourceError

BLOCK_SIZE = 8 << 20
"""Bytes of text in a block, about: large enough for a statement to be worth it, small enough for memory."""

MAX_LINE = 64 << 20
"""Bytes of the longest line that is read."""

GZIP_MAGIC = b"\x1f\x8b"

_MARK = b"\xef\xbb\xbf"  # the byte order mark of UTF-8
_CHUNK = 1 << 20
_MAX_STEPS_BACK = 1_000


class Block(NamedTuple):
    """Whole lines of a file."""

    first_line: int
    """The number of the first of them, from 1."""
    data: bytes
    """The lines, without a byte order mark and with line feeds alone between them."""


class BlockReader:
    """Reads one file once, block by block.

    Args:
        path: the file.
        compressed: whether it is gzip.
        quoted: end no block within a quoted field, as CSV may have line breaks there.
        on_read: told how many more bytes of the file have been read, and how many lines they gave.
        block_size: bytes of text in a block.
    """

    def __init__(
        self,
        path: Path,
        *,
        compressed: bool,
        quoted: bool = False,
        on_read: Callable[[int, int], object] | None = None,
        block_size: int = BLOCK_SIZE,
    ) -> None:
        self._path = path
        self._compressed = compressed
        self._quoted = quoted
        self._on_read = on_read
        self._block_size = block_size
        self.truncated = False
        """Whether the gzip data ended too early; known when the last block is out."""

    def __iter__(self) -> Iterator[Block]:
        """Gives the blocks in order. The line that a truncated file breaks off in is left out.

        Raises:
            SourceError: the file cannot be read, is damaged, or has a line that is no line.
        """
        line = 1
        rest = b""
        for position, piece in enumerate(self._pieces()):
            data = rest + (piece if position else piece.removeprefix(_MARK))
            if len(data) < self._block_size:
                rest = data
                continue
            end = self._end_of_lines(data)
            if end == 0 and len(data) > MAX_LINE:
                raise SourceError(
                    f"Line {line:,} of {self._path} is longer than {MAX_LINE >> 20} MB; "
                    "expected one review or movie a line.",
                    path=self._path,
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
        if self._on_read:
            self._on_read(num_bytes, num_lines)

    def _end_of_lines(self, data: bytes) -> int:
        """Where the last whole line ends; 0 if none does."""
        end = data.rfind(b"\n") + 1
        if not self._quoted or data.count(b'"', 0, end) % 2 == 0:
            return end
        # An odd number of quotes: the break is inside a field, or a quote is astray. Look further up.
        shorter, num_quotes = end, data.count(b'"', 0, end)
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
            with self._path.open("rb") as file:
                if self._compressed:
                    yield from self._inflate(iter(lambda: self._read(file.read(_CHUNK)), b""))
                else:
                    yield from iter(lambda: self._read(file.read(self._block_size)), b"")
        except OSError as error:
            raise SourceError(f"Cannot read {self._path}: {error.strerror}.", path=self._path) from error

    def _read(self, chunk: bytes) -> bytes:
        self._tell(len(chunk), 0)
        return chunk

    def _inflate(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Decompresses one gzip member after the other, a bounded piece at a time."""
        inflater = isal_zlib.decompressobj(wbits=31)
        started = False
        for chunk in chunks:
            pending = chunk
            while pending:
                if not started and not pending.strip(b"\0"):
                    break  # padding after the last member
                started = True
                try:
                    piece = inflater.decompress(pending, self._block_size)
                except IsalError as error:  # type: ignore[misc]  # a class, whatever its stub says
                    raise SourceError(
                        f"{self._path} is damaged: its gzip data cannot be decompressed ({error}); "
                        "fetch it again.",
                        path=self._path,
                    ) from error
                if piece:
                    yield piece
                pending = inflater.unconsumed_tail
                if inflater.eof:
                    pending = inflater.unused_data
                    inflater = isal_zlib.decompressobj(wbits=31)
                    started = False
        while started and (piece := inflater.decompress(b"", self._block_size)):
            yield piece
        self.truncated = started


def decode_lines(data: bytes) -> str:
    """Decodes a block; a line that is not UTF-8 is spelled out and marked with a leading null character."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(_decode_line(line) for line in data.split(b"\n"))


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return "\0" + line.decode("utf-8", errors="backslashreplace")


def _block(first_line: int, data: bytes) -> Block:
    return Block(first_line, data.replace(b"\r\n", b"\n") if b"\r" in data else data)
