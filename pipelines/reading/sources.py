"""Checks that a review or metadata file can be read, and recognises the file's format by its content."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.errors import SourceError
from pipelines.reading.lines import GZIP_MAGIC, BlockReader
from pipelines.reading.movie_lines import NUM_ITEM_FIELDS

_HEAD_SIZE = 1 << 20
"""The number of bytes from the start of a file among which its first lines are looked for."""
_NUM_HEAD_LINES = 25
"""The number of lines from the start of a file that decide about the file's format."""
_NUM_SAMPLED = 200
"""The most lines from which the sample of a file is taken."""
_NUM_TEXT_BYTES = 64
"""Bytes at the start of a file in which a null byte shows that the file is no text.

A null byte further on makes only its own line unusable.
"""
_OTHER_ARCHIVES = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_MOVIELENS_RATING = re.compile(r"[^\t]+\t[^\t]+\t[0-9.]+(\t[0-9]+)?")
_MOVIE_FILES = ("u.item", "movies.dat", "movies.csv")
_RATING_FILES = ("u.data", "ratings.dat", "ratings.csv")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Holds the path and the format of a review or metadata file."""

    path: Path
    layout: Literal["json", "delimited", "parquet"]
    compressed: bool = False
    """Whether the file is compressed with gzip."""
    delimiter: str = ""
    """The text that separates the fields in a line of a delimited file."""
    header: tuple[str, ...] = ()
    """The column names of a delimited file, or empty if the file has no header line."""
    header_line: int = 0
    """The line number of the header line, counted from 1, or 0 if the file has no header line."""
    num_fields: int = 0
    """The number of fields in each line of a delimited file."""
    sample: Sequence[Sequence[str]] | Sequence[Mapping[str, object]] = field(
        default=(), compare=False, repr=False
    )
    """The first records after the header, so that columns can be recognised by their values.

    Each record of a delimited file is a sequence of `num_fields` texts, and each record of a JSON file is the
    parsed object. Damaged records are left out. The sample of a Parquet file is empty.
    """

    @property
    def size(self) -> int:
        """Returns the size of the file in bytes."""
        return self.path.stat().st_size


def inspect_source(path: Path, format: str = "auto") -> Source:
    """Checks that a file can be read, and recognises the format of the file by its first lines.

    Args:
        path: the file, which may be compressed with gzip.
        format: "amazon", "movielens" or "table" as given by the user, or "auto" to recognise the format.

    Raises:
        SourceError: the file is missing, empty, a directory, not readable, not text, or of no known format.
    """
    first = _first_bytes(path)
    if first.startswith(b"PAR1"):
        return Source(path=path, layout="parquet")
    compressed = first.startswith(GZIP_MAGIC)
    all_lines = _head(path, compressed)
    lines = all_lines[:_NUM_HEAD_LINES]
    if not lines:
        raise SourceError(f"{path} holds nothing but blank lines; expected reviews, one a line.", path=path)
    texts = [text for _, text in lines]
    has_object = any(map(_is_object, texts))
    # If no line is a JSON object, half of the lines must begin like JSON; a few may be damaged.
    num_begun = sum(text.lstrip().startswith(("{", "[")) for text in texts)
    looks_like_json = has_object or num_begun * 2 >= len(texts)
    if format == "amazon" or (format == "auto" and looks_like_json):
        if not looks_like_json:
            raise SourceError(
                f"{path} is not in Amazon's format: expected one JSON object a line, "
                f"found {_shown(texts[0])}.",
                path=path,
                line=lines[0][0],
            )
        return Source(path=path, layout="json", compressed=compressed, sample=_objects(all_lines))
    if has_object:
        raise SourceError(
            f"{path} holds JSON lines, which are no {format} file; leave --format out, or say "
            "--format amazon.",
            path=path,
        )
    return _inspect_delimited(path, compressed, all_lines, format)


def _objects(lines: Sequence[tuple[int, str]]) -> list[Mapping[str, object]]:
    return [json.loads(text) for _, text in lines if _is_object(text)]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _first_bytes(path: Path) -> bytes:
    """Checks that a file can be read and is no zip, bzip2, xz or zstd archive; returns its first 64 bytes."""
    try:
        if path.is_dir():
            raise SourceError(f"{path} is a directory; expected a file.", path=path)
        with path.open("rb") as file:
            first = file.read(64)
    except FileNotFoundError as error:
        raise SourceError(f"There is no file {path}.", path=path) from error
    except OSError as error:
        raise SourceError(f"Cannot read {path}: {error.strerror}.", path=path) from error
    if not first:
        raise SourceError(f"{path} is empty; expected reviews, one a line.", path=path)
    for magic, kind in _OTHER_ARCHIVES.items():
        if first.startswith(magic):
            raise SourceError(f"{path} is a {kind} archive; unpack it, or pack it with gzip.", path=path)
    if path.suffix == ".gz" and not first.startswith(GZIP_MAGIC):
        raise SourceError(
            f"{path} is named .gz but holds no gzip data (it begins with {first[:20]!r}); "
            "fetch it again, or rename it if it is plain text.",
            path=path,
        )
    return first


def _head(path: Path, compressed: bool) -> list[tuple[int, str]]:
    """Returns the line numbers and the texts of the first lines of a file, except blank lines."""
    block = next(iter(BlockReader(path, compressed=compressed, block_size=_HEAD_SIZE)), None)
    if block is None:
        raise SourceError(f"{path} ends before its first line does; fetch it again.", path=path, line=1)
    if b"\0" in block.data.lstrip()[:_NUM_TEXT_BYTES]:
        raise SourceError(f"{path} is not a text file; expected JSON lines, CSV or Parquet.", path=path)
    text = block.data.decode("utf-8", errors="replace")
    numbered = enumerate(text.split("\n"), block.first_line)
    return [(number, line) for number, line in numbered if line.strip()][:_NUM_SAMPLED]


def _inspect_delimited(path: Path, compressed: bool, lines: Sequence[tuple[int, str]], format: str) -> Source:
    line, first = lines[0]
    delimiter = _delimiter_without_header(first) if format != "table" else None
    if delimiter:
        header: tuple[str, ...] = ()
        line, num_fields = 0, len(first.split(delimiter))
    else:
        delimiter = max((",", "\t", ";", "|"), key=first.count)
        if delimiter not in first:
            raise SourceError(
                f"Cannot tell the format of {path}: expected JSON lines, MovieLens' ratings, CSV with a "
                f"header line or Parquet, found {_shown(first)}.",
                path=path,
                line=line,
            )
        header = tuple(name.strip() for name in next(csv.reader([first], delimiter=delimiter)))
        num_fields = len(header)
    rows = csv.reader((text for number, text in lines if number > line), delimiter=delimiter[0])
    sample = rows if header else (text.split(delimiter) for _, text in lines)
    return Source(
        path=path,
        layout="delimited",
        compressed=compressed,
        delimiter=delimiter,
        header=header,
        header_line=line,
        num_fields=num_fields,
        sample=[fields for fields in sample if len(fields) == num_fields],
    )


def _delimiter_without_header(first: str) -> str | None:
    """Returns the delimiter if the first line looks like a MovieLens file without a header line, else None.

    The files without a header line are u.data, ratings.dat, movies.dat and u.item.
    """
    if "::" in first:
        return "::"
    if _MOVIELENS_RATING.fullmatch(first):
        return "\t"
    return "|" if len(first.split("|")) == NUM_ITEM_FIELDS else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def movie_file_beside(ratings: Path) -> Path | None:
    """Returns the movie file in the same folder as a MovieLens ratings file or a fold such as u1.base.

    Returns None if the ratings file is not named like MovieLens' files, or if the folder has no movie file.
    """
    if ratings.name not in _RATING_FILES and ratings.suffix not in {".base", ".test"}:
        return None
    beside = (ratings.with_name(name) for name in _MOVIE_FILES)
    return next((path for path in beside if path.is_file()), None)
