"""What a source file is: checked before anything is read, its format told by what is in it."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.errors import SourceError
from pipelines.reading.lines import GZIP_MAGIC, BlockReader

Layout = Literal["json", "delimited", "parquet"]

_HEAD_SIZE = 1 << 20
_NUM_HEAD_LINES = 25
_NUM_TEXT_BYTES = 64
_PARQUET_MAGIC = b"PAR1"
_OTHER_ARCHIVES = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_MOVIELENS_RATING = re.compile(r"[^\t]+\t[^\t]+\t[0-9.]+(\t[0-9]+)?")
_NUM_ITEM_FIELDS = 24
"""Fields of a line of MovieLens' u.item: id, title, two dates, address, and a flag for each of 19 genres."""


_MOVIE_FILES = ("u.item", "movies.dat", "movies.csv")
_RATING_FILES = ("u.data", "ratings.dat", "ratings.csv")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that can be read, and how."""

    path: Path
    layout: Layout
    compressed: bool = False
    """Whether it is gzip."""
    delimiter: str = ""
    """What stands between the fields of a delimited file."""
    header: tuple[str, ...] = ()
    """The column names of a delimited file that has them."""
    header_line: int = 0
    """The line that they stand on; 0 if there are none."""
    num_fields: int = 0
    """Fields of a line of a delimited file."""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size


def inspect_source(path: Path, format: str = "auto") -> Source:
    """Checks that a file can be read and tells its format by its first lines.

    Args:
        path: the file, plain or gzip.
        format: "auto", or "amazon", "movielens" or "table" where the user knows.

    Raises:
        SourceError: it is missing, empty, a directory, not readable, not text, or of no format that we know.
    """
    compressed = _check_file(path)
    if not compressed and _first_bytes(path).startswith(_PARQUET_MAGIC):
        return Source(path=path, layout="parquet")
    lines = _head(path, compressed)
    if not lines:
        raise SourceError(f"{path} holds nothing but blank lines; expected reviews, one a line.", path=path)
    texts = [text for _, text in lines]
    looks_like_json = _look_like_json(texts)
    if format == "amazon" or (format == "auto" and looks_like_json):
        if not looks_like_json:
            raise SourceError(
                f"{path} is not in Amazon's format: expected one JSON object a line, "
                f"found {_shown(texts[0])}.",
                path=path,
                line=lines[0][0],
            )
        return Source(path=path, layout="json", compressed=compressed)
    if any(map(_is_object, texts)):
        raise SourceError(
            f"{path} holds JSON lines, which are no {format} file; leave --format out, or say "
            "--format amazon.",
            path=path,
        )
    return _inspect_delimited(path, compressed, lines, format)


def _look_like_json(texts: Sequence[str]) -> bool:
    """Whether some line is an object, or most at least begin like one: a few bad lines decide nothing."""
    if sum(text.lstrip().startswith(("{", "[")) for text in texts) * 2 >= len(texts):
        return True
    return any(_is_object(text) for text in texts)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _check_file(path: Path) -> bool:
    """Whether a file that can be read is gzip."""
    try:
        if path.is_dir():
            raise SourceError(f"{path} is a directory; expected a file.", path=path)
        first = _first_bytes(path)
    except FileNotFoundError as error:
        raise SourceError(f"There is no file {path}.", path=path) from error
    except OSError as error:
        raise SourceError(f"Cannot read {path}: {error.strerror}.", path=path) from error
    if not first:
        raise SourceError(f"{path} is empty; expected reviews, one a line.", path=path)
    for magic, kind in _OTHER_ARCHIVES.items():
        if first.startswith(magic):
            raise SourceError(f"{path} is a {kind} archive; unpack it, or pack it with gzip.", path=path)
    compressed = first.startswith(GZIP_MAGIC)
    if path.suffix == ".gz" and not compressed:
        raise SourceError(
            f"{path} is named .gz but holds no gzip data (it begins with {first[:20]!r}); "
            "fetch it again, or rename it if it is plain text.",
            path=path,
        )
    return compressed


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _head(path: Path, compressed: bool) -> list[tuple[int, str]]:
    """The first lines that are not blank, with their numbers."""
    reader = BlockReader(path, compressed=compressed, block_size=_HEAD_SIZE)
    # Of a file that breaks off within its first line nothing is left: reading it says so later.
    block = next(iter(reader), None)
    if block is None:
        raise SourceError(
            f"{path} ends before its first line does; fetch it again.",
            path=path,
            line=1,
        )
    # Further on, a null character is the fault of one line, which is then rejected.
    if b"\0" in block.data.lstrip()[:_NUM_TEXT_BYTES]:
        raise SourceError(f"{path} is not a text file; expected JSON lines, CSV or Parquet.", path=path)
    text = block.data.decode("utf-8", errors="replace")
    numbered = (
        (number, line) for number, line in enumerate(text.split("\n"), block.first_line) if line.strip()
    )
    return list(itertools.islice(numbered, _NUM_HEAD_LINES))


def _inspect_delimited(path: Path, compressed: bool, lines: Sequence[tuple[int, str]], format: str) -> Source:
    line, first = lines[0]
    bare = _delimiter_without_header(first) if format != "table" else None
    if bare:
        return Source(
            path=path,
            layout="delimited",
            compressed=compressed,
            delimiter=bare,
            num_fields=len(first.split(bare)),
        )
    delimiter = max((",", "\t", ";", "|"), key=first.count)
    if delimiter not in first:
        raise SourceError(
            f"Cannot tell the format of {path}: expected JSON lines, MovieLens' ratings, CSV with a "
            f"header line or Parquet, found {_shown(first)}.",
            path=path,
            line=line,
        )
    header = tuple(name.strip() for name in next(csv.reader([first], delimiter=delimiter)))
    return Source(
        path=path,
        layout="delimited",
        compressed=compressed,
        delimiter=delimiter,
        header=header,
        header_line=line,
        num_fields=len(header),
    )


def _delimiter_without_header(first: str) -> str | None:
    """The delimiter of MovieLens' files that have no header: u.data, ratings.dat, movies.dat, u.item."""
    if "::" in first:
        return "::"
    if _MOVIELENS_RATING.fullmatch(first):
        return "\t"
    return "|" if len(first.split("|")) == _NUM_ITEM_FIELDS else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def movie_file_beside(ratings: Path) -> Path | None:
    """The movie file in the folder of a MovieLens ratings file, if there is one.

    Folds such as u1.base belong to u.data's folder as well.
    """
    known = ratings.name in _RATING_FILES or ratings.suffix in {".base", ".test"}
    if not known:
        return None
    beside = (ratings.with_name(name) for name in _MOVIE_FILES)
    return next((path for path in beside if path.is_file()), None)


def require_complete(source: Source, num_rows: int, *, allow_truncated: bool) -> None:
    """Refuses a file whose gzip data ended too early, unless that was allowed.

    Args:
        source: the file.
        num_rows: the rows that could be read of it.
        allow_truncated: be content with those.

    Raises:
        SourceError: it was not.
    """
    if not allow_truncated:
        raise SourceError(
            f"{source.path} ends too early: {num_rows:,} complete rows could be read before its gzip data "
            "breaks off; fetch it again, or use those rows with --allow-truncated.",
            path=source.path,
        )
