"""Recognises the kind of a file by the first bytes, and says how to convert files that cannot be read."""

from __future__ import annotations

import codecs
import re
import shlex
import zipfile
from pathlib import Path
from typing import NamedTuple

from engine.errors import SourceError
from pipelines.text.streams import MARKS, TextForm, TextStream, members_of

PARQUET_MAGIC = b"PAR1"
_PACKED = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00", "zip": b"PK\x03\x04"}
"""Maps each compression that can be read to the bytes with which a file of the compression begins."""
_ENDINGS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}
_NUM_FIRST = 512
"""The number of bytes at the start of a file that are enough to recognise the kind of the file."""
_HEAD_SIZE = 1 << 20
"""The number of bytes at the start of a text by which the encoding and the line ends are recognised."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1c-\x1f\x7f]")
"""Matches a control character; if more than a tenth of a file's first characters are control characters, the
file is not text."""
_MOST_NAMES = 5
"""The largest number of names of files in a zip archive that an error message shows."""


class _Kind(NamedTuple):
    """Describes a kind of file that cannot be read."""

    magic: bytes
    """The bytes by which a file of this kind is recognised."""
    what: str
    """The name of this kind of file for an error message, such as "a tar archive"."""
    advice: str
    """The advice in an error message, such as a command that unpacks the file; `{path}` stands for the
    path."""
    place: int = 0
    """The position of the bytes `magic` in a file of this kind, counted from 0."""


_AS_CSV = "save the table as CSV"
_AS_PARQUET = "write the table as Parquet with pandas (DataFrame.to_parquet)"
_REFUSED = (
    _Kind(b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it with: zstd -d {path}"),
    _Kind(b"\x04\x22\x4d\x18", "compressed with lz4", "unpack it with: lz4 -d {path}"),
    _Kind(b"\x1f\x9d", "compressed with compress", "unpack it with: uncompress {path}"),
    _Kind(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it with: 7z x {path}"),
    _Kind(b"Rar!\x1a\x07", "a rar archive", "unpack it with: unrar x {path}"),
    _Kind(b"ustar", "a tar archive", "unpack it with: tar xf {path}", place=257),
    _Kind(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls)", "save the sheet as CSV"),
    _Kind(
        b"SQLite format 3\0",
        "an SQLite database",
        "write a table as CSV with: sqlite3 -header -csv {path} 'select * from TABLE' > reviews.csv",
    ),
    _Kind(b"DUCK", "a DuckDB database", "write a table as Parquet with COPY TABLE TO 'reviews.parquet'", 8),
    _Kind(b"ARROW1", "an Arrow file (Feather)", _AS_PARQUET),
    _Kind(b"FEA1", "an Arrow file (Feather)", _AS_PARQUET),
    _Kind(b"\xff\xff\xff\xff", "an Arrow stream", _AS_PARQUET),
    _Kind(b"ORC", "an ORC file", _AS_PARQUET),
    _Kind(b"Obj\x01", "an Avro file", _AS_PARQUET),
    _Kind(b"\x89HDF", "an HDF5 file", _AS_PARQUET),
    _Kind(b"\x80\x02", "a Python pickle", _AS_PARQUET),
    _Kind(b"\x80\x03", "a Python pickle", _AS_PARQUET),
    _Kind(b"\x80\x04", "a Python pickle", _AS_PARQUET),
    _Kind(b"\x80\x05", "a Python pickle", _AS_PARQUET),
    _Kind(b"\x93NUMPY", "a NumPy array", _AS_PARQUET),
    _Kind(b"RDX", "a file of R (.RData)", "write the table as CSV with write.csv"),
    _Kind(b"%PDF", "a PDF document", _AS_CSV),
    _Kind(b"<!doctype html", "a web page (HTML) and no table", "fetch the data that the page links to"),
    _Kind(b"<html", "a web page (HTML) and no table", "fetch the data that the page links to"),
    _Kind(b"<?xml", "an XML document", _AS_CSV),
)
_REFUSED_INSIDE = (
    *_REFUSED,
    *(_Kind(magic, f"packed twice ({name} inside)", "unpack it once") for name, magic in _PACKED.items()),
    _Kind(PARQUET_MAGIC, "a compressed Parquet file", "unpack it, since Parquet is compressed already"),
)
"""The kinds of content that are refused inside a compressed file."""


def form_of(path: Path, file: Path) -> TextForm:
    """Recognises the compression, the encoding and the line ends of a text file by its first bytes.

    Args:
        path: the path that the user gave: error messages name `path`, and its ending must fit the
            compression.
        file: the path of the file whose bytes are read: `path` itself, or a copy of the user's file.

    Raises:
        SourceError: the file cannot be read, is damaged, is empty, or is not text.
    """
    first = first_bytes(path, file)
    packing = next((name for name, magic in _PACKED.items() if first.startswith(magic)), "plain")
    named = _ENDINGS.get(path.suffix.lower(), packing)
    if packing not in (named, "plain") or (packing == "plain" != named):
        raise SourceError(
            f"{path} is named {path.suffix} but holds no {named} data (it begins with {first[:20]!r}); "
            f"fetch it again, or rename it if it is {'plain text' if packing == 'plain' else packing}.",
            path=path,
        )
    _refuse(path, first, _REFUSED)
    if packing == "zip":
        _require_one_member(path, file)
    stream = TextStream(path, file=file, form=TextForm(packing), piece_size=_HEAD_SIZE)
    head = next(stream.unpacked(), b"")
    if packing != "plain":
        _refuse(path, head, _REFUSED_INSIDE)
    encoding = _encoding_of(head)
    text = head.decode(encoding, errors="replace")
    start = text.lstrip()[:_NUM_FIRST]
    if len(_CONTROL.findall(start)) > len(start) / 10:
        raise SourceError(f"{path} is not a text file; expected JSON lines, CSV or Parquet.", path=path)
    return TextForm(packing, encoding, b"\r" if "\r" in text and "\n" not in text else b"\n")


def is_packed(first: bytes) -> bool:
    """Tells, by the first bytes of a file, whether the file is compressed."""
    return first.startswith(tuple(_PACKED.values()))


def first_bytes(path: Path, file: Path) -> bytes:
    """Returns the bytes at the start of a file that are enough to recognise the kind of the file.

    Raises:
        SourceError: the file is missing, empty, a directory or not readable.
    """
    try:
        if file.is_dir():
            raise SourceError(f"{path} is a directory; expected a file.", path=path)
        with file.open("rb") as opened:
            first = opened.read(_NUM_FIRST)
    except FileNotFoundError as error:
        raise SourceError(f"There is no file {path}.", path=path) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"Cannot read {path}: {getattr(error, 'strerror', error)}.", path=path) from error
    if not first:
        raise SourceError(f"{path} is empty; expected reviews, one a line.", path=path)
    return first


def _refuse(path: Path, first: bytes, kinds: tuple[_Kind, ...]) -> None:
    text = first[:_NUM_FIRST].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    for kind in kinds:
        if first.startswith(kind.magic, kind.place) or text.startswith(kind.magic):
            advice = kind.advice.format(path=shlex.quote(str(path)))
            raise SourceError(f"{path} is {kind.what}, which is not read; {advice}.", path=path)


def _require_one_member(path: Path, file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            names, all_names = members_of(archive), archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise SourceError(
            f"{path} is a zip archive that is damaged or ends too early ({error}); fetch it again.", path=path
        ) from error
    if "[Content_Types].xml" in all_names:
        what = "is an Excel workbook, which is not read; save the sheet as CSV"
    elif names and all(name.endswith(".npy") for name in names):
        what = f"holds NumPy arrays, which are not read; {_AS_PARQUET}"
    elif len(names) != 1:
        shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
        what = (
            f"is a zip archive of {len(names):,} files ({shown or 'none'}), and only an archive of one file "
            f"is read; unpack it with: unzip {shlex.quote(str(path))}"
        )
    else:
        return
    raise SourceError(f"{path} {what}.", path=path)


def _encoding_of(head: bytes) -> str:
    """Recognises the encoding of a text by its byte order mark, or without a mark by null bytes."""
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return encoding
    # A file in which less than half of the lines contain null bytes is not UTF-16.
    lines = head.split(b"\n")
    if 2 * sum(b"\0" in line for line in lines) < len(lines):
        return "utf-8"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) / 20 and min(even, odd) < max(even, odd) / 20:
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"
