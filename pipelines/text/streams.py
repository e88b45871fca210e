"""Reads text files of any compression, encoding and line ends as UTF-8 with line feeds."""

from __future__ import annotations

import bz2
import codecs
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from isal import igzip_lib

from engine.errors import SourceError

MAX_LINE = 64 << 20
"""The largest length of a line in bytes; without a limit, a file without line ends would fill the memory."""

_CHUNK = 1 << 20
"""The largest number of bytes that one read takes from a compressed file."""
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # UTF-32 comes before UTF-16, whose mark is the start of this mark.
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Maps each byte order mark to the encoding of the text behind the mark."""

_DATA_ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError, zipfile.BadZipFile)
"""The exceptions that decompressors raise for damaged data, except `IsalError`."""


class TextForm(NamedTuple):
    """Describes the compression, the encoding and the line ends of a text file."""

    packing: str = "plain"
    """The compression of the file: plain, gzip, bzip2, xz or zip."""
    encoding: str = "utf-8"
    """The encoding of the text, by the name that Python gives the encoding."""
    line_end: bytes = b"\n"
    """The bytes at the end of each line: a line feed, or a carriage return alone; a carriage return before a
    line feed is part of the line end."""


PLAIN = TextForm()
"""The form of UTF-8 text that is not compressed."""


@dataclass(eq=False)
class TextStream:
    """Iterates once over the text of one file, in pieces of UTF-8 that may end anywhere."""

    path: Path
    """The name of the file in error messages."""
    _: KW_ONLY
    file: Path
    """The path of the file that is read."""
    form: TextForm = PLAIN
    on_read: Callable[[int], object] | None = None
    """A function to call during reading, with the number of bytes read since the previous call."""
    piece_size: int = 8 << 20
    """The largest number of bytes that one read takes from the file, and that one piece holds before
    decoding."""
    truncated: bool = field(default=False, init=False)
    """Whether the file's compressed data ended too early; the value is valid after the last piece was
    read."""

    def __iter__(self) -> Iterator[bytes]:
        """Yields the pieces of the text in file order, without a byte order mark.

        Raises:
            SourceError: the file cannot be read, or compressed data in the file are damaged.
        """
        pieces = self._without_mark(self.unpacked())
        if self.form.encoding != "utf-8":
            pieces = self._to_utf8(pieces)
        if self.form.line_end == b"\r":
            pieces = (piece.replace(b"\r", b"\n") for piece in pieces)
        return pieces

    def unpacked(self) -> Iterator[bytes]:
        """Yields the bytes of the file, decompressed but not decoded.

        Raises:
            SourceError: the file cannot be read, or compressed data in the file are damaged.
        """
        try:
            with ExitStack() as stack:
                file = stack.enter_context(self.file.open("rb"))
                if self.form.packing == "plain":
                    yield from iter(lambda: self._told(file.read(self.piece_size)), b"")
                elif self.form.packing == "zip":
                    yield from self._unzip(file)
                else:
                    size = min(_CHUNK, self.piece_size)
                    yield from self._decompress(iter(lambda: self._told(file.read(size)), b""))
        except OSError as error:
            raise SourceError(
                f"Cannot read {self.path}: {error.strerror or error}.", path=self.path
            ) from error

    def _told(self, chunk: bytes) -> bytes:
        if self.on_read:
            self.on_read(len(chunk))
        return chunk

    def _decompress(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Decompresses a gzip, bzip2 or xz file; the file may consist of several compressed members."""
        inflater, started = _decompressor(self.form.packing), False
        for chunk in chunks:
            pending = chunk
            while pending:
                if not started and not pending.strip(b"\0"):
                    break  # The file ends with zero bytes, which some programs add for padding.
                started = True
                while pending or not (inflater.eof or inflater.needs_input):
                    try:
                        piece = inflater.decompress(pending, self.piece_size)
                    except (*_DATA_ERRORS, igzip_lib.IsalError) as error:  # type: ignore[misc]
                        raise self._damaged(error) from error
                    pending = b""
                    if piece:
                        yield piece
                if inflater.eof:
                    pending = inflater.unused_data
                    inflater, started = _decompressor(self.form.packing), False
        self.truncated = started

    def _unzip(self, file: IO[bytes]) -> Iterator[bytes]:
        try:
            with zipfile.ZipFile(file) as archive, archive.open(members_of(archive)[0]) as member:
                before = 0
                while piece := member.read(self.piece_size):
                    place = min(file.tell(), self.file.stat().st_size)
                    if self.on_read:
                        self.on_read(max(0, place - before))
                    before = max(before, place)
                    yield piece
        except (*_DATA_ERRORS, NotImplementedError, RuntimeError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> SourceError:
        return SourceError(
            f"{self.path} is damaged: its {self.form.packing} data cannot be decompressed ({error}); "
            "fetch it again.",
            path=self.path,
        )

    def _without_mark(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        mark = next((mark for mark, name in MARKS.items() if name == self.form.encoding), b"")
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= len(mark):
                break
        yield head.removeprefix(mark)
        yield from pieces

    def _to_utf8(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self.form.encoding)(errors="replace")
        for piece in pieces:
            yield decoder.decode(piece).encode("utf-8")
        yield decoder.decode(b"", final=True).encode("utf-8")


def _decompressor(packing: str) -> Any:
    if packing == "gzip":
        return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return bz2.BZ2Decompressor() if packing == "bzip2" else lzma.LZMADecompressor()


def members_of(archive: zipfile.ZipFile) -> list[str]:
    """Returns the names of the files in a zip archive, without folders and the extra files of macOS."""
    return [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX/") and not name.endswith(".DS_Store")
    ]
