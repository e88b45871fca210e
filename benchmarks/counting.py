"""Counts the records of a file by simple rules, so that the number can be compared with the reader's number.

No function is fast, and no function uses code of the package `pipelines`.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_HEAD = 1 << 20
"""The bytes at the start of a file that decide about its line ends."""
_MOST_LINES = 1_000
"""The most lines of one record."""


def count_delimited(path: Path, delimiter: str, header_line: int, num_fields: int, *, quoted: bool) -> int:
    """Returns the number of records in a table.

    A record is a line that is neither blank nor the header, with the lines on which its quoted fields go on.
    """
    data = _plain(path.read_bytes())
    lines = [line.decode("utf-8", errors="replace") for line in _lines(data)[header_line:]]
    count = place = 0
    while place < len(lines):
        length = _lines_of_record(lines, place, delimiter, num_fields) if quoted else 1
        count += not _is_blank(lines[place]) or length > 1
        place += length
    return count


def count_json(path: Path) -> int:
    """Returns the number of lines that are not blank, or the number of elements if the file is one array."""
    data = _plain(path.read_bytes())
    lines = [line for line in _lines(data) if not _is_blank(line.decode("utf-8", errors="replace"))]
    return len(lines)


def count_parquet(path: Path) -> int:
    """Returns the number of rows that the footer of a Parquet file states."""
    import duckdb

    [(count,)] = duckdb.execute("select num_rows from parquet_file_metadata($1)", [str(path)]).fetchall()
    return int(count)


def _plain(data: bytes) -> bytes:
    """Returns the bytes of a file unpacked and as UTF-8, without the byte order mark.

    Of a file that ends too early, returns the complete lines.
    """
    if data.startswith(b"\x1f\x8b"):
        data = _inflated(data)
    elif data.startswith(b"BZh"):
        data = bz2.decompress(data)
    elif data.startswith(b"\xfd7zXZ"):
        data = lzma.decompress(data)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[2:].decode(encoding, errors="replace").encode()
    head = data[:200]
    if head[1::2].count(0) > len(head) // 3:
        return data.decode("utf-16-le", errors="replace").encode()
    if head[::2].count(0) > len(head) // 3:
        return data.decode("utf-16-be", errors="replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _inflated(data: bytes) -> bytes:
    found = []
    while data.strip(b"\0"):
        inflater = zlib.decompressobj(wbits=31)
        try:
            found.append(inflater.decompress(data))
        except zlib.error:
            break
        if not inflater.eof:
            whole = b"".join(found)
            return whole[: whole.rfind(b"\n") + 1]
        data = inflater.unused_data
    return b"".join(found)


def _lines(data: bytes) -> list[bytes]:
    head = data[:_HEAD]
    if b"\r" in head and b"\n" not in head:
        data = data.replace(b"\r", b"\n")
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _is_blank(line: str) -> bool:
    return not line.strip(" \t\r\v\f")


def _lines_of_record(lines: Sequence[str], place: int, delimiter: str, num_fields: int) -> int:
    """Returns how many lines a record has, which is 1 unless a quoted field goes on and ends properly."""
    record = lines[place]
    if '"' not in record:
        return 1
    for length in range(1, min(_MOST_LINES, len(lines) - place + 1)):
        fields = _fields(record, delimiter)
        if fields is not None:
            whole = length == 1 or len(fields) == num_fields
            return length if whole else 1
        if place + length == len(lines):
            break
        swallowed = lines[place + length]
        if '"' not in swallowed and swallowed.count(delimiter) + 1 == num_fields:
            return 1
        record += "\n" + swallowed
    return 1


def _fields(record: str, delimiter: str) -> list[str] | None:
    """Returns the fields of a record of CSV, or None if a quoted field does not end."""
    mark = re.escape(delimiter)
    field = re.compile(rf'"(?:[^"]|"")*"(?={mark}|$)|(?!")[^\n]*?(?={mark}|$)', re.DOTALL)
    found, place = [], 0
    while True:
        match = field.match(record, place)
        if match is None:
            return None
        found.append(match.group())
        place = match.end()
        if place == len(record):
            return found
        place += len(delimiter)
