"""Counts the records of a file by simple rules, so that the number can be compared with the reader's number.

No function is fast, and no function uses code of the package `pipelines`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_HEAD = 1 << 20
"""The bytes at the start of a file that decide about its line ends."""
_NESTED = re.compile(r"""(?:[\[\s]*\{\s*u?(["'])[^"'\\]*\1\s*:\s*)+""")
_NUMBER = re.compile(r"[-+0-9.]+")
_MOST_LINES = 1_000
"""The most lines of one record."""


def count_delimited(path: Path, delimiter: str, header_line: int, num_fields: int, *, quoted: bool) -> int:
    """Returns the number of records in a table.

    A record is a line that is neither blank nor the header, with the lines on which its quoted fields go on.
    """
    data, _ = _plain(path.read_bytes(), whole_lines=True)
    lines = [line.decode("utf-8", errors="replace") for line in _lines(data)[header_line:]]
    rows = [row for row in (line.split(delimiter) for line in lines) if len(row) == num_fields]
    numbers = [2 * sum(_is_number(row[n]) for row in rows) > len(rows) for n in range(num_fields)]
    count = place = 0
    while place < len(lines):
        length = _lines_of_record(lines, place, delimiter, numbers) if quoted else 1
        count += not _is_blank(lines[place]) or length > 1
        place += length
    return count


def count_lines(path: Path) -> int:
    """Returns the number of lines that are not blank."""
    data, _ = _plain(path.read_bytes(), whole_lines=True)
    lines = _lines(data)
    return sum(not _is_blank(line.decode("utf-8", errors="replace")) for line in lines)


def count_objects(path: Path, name: str) -> int:
    """Returns the number of JSON objects in a file, or in the lists of a name unless the name is "*".

    Text that is no JSON counts as one object, up to where an object like the one before seems to start. If an
    object is nested too deeply, the objects that open directly in one another count as one, but for the last.
    """
    data, is_whole = _plain(path.read_bytes(), whole_lines=False)
    text = data.decode("utf-8", errors="surrogateescape")
    start = any_start = re.compile(r"""\{\s*u?["'][^"'\\]*["']\s*:""")
    place = count = 0
    inside = False
    while True:
        if name != "*" and not inside:
            found = re.compile(rf"""(["']){re.escape(name)}\1\s*:\s*\[""").search(text, place)
            if found is None:
                return count
            place, inside = found.end(), True
        while place < len(text) and (text[place].isspace() or text[place] in ",\ufeff"):
            place += 1
        if place == len(text):
            return count
        if text[place] in "]}" or (text[place] == "[" and not inside):
            inside = text[place] == "["
            place += 1
            continue
        end, length = _end_of_object(text, place)
        if end is None:
            found = start.search(text, place + length)
            end = found.start() if found else len(text)
            count += bool(text[place:end].strip(" \t\r\n,]")) and (found is not None or is_whole)
        else:
            count += 1
            if first := any_start.match(text, place):
                start = re.compile(r"\{\s*" + re.escape(first[0][1:].strip()))
        place = end


def _end_of_object(text: str, place: int) -> tuple[int | None, int]:
    """Returns the place behind the JSON value or the Python literal at a place, or None if it is damaged.

    Also returns the number of characters of a damaged value in which no other object starts.
    """
    try:
        if re.compile(r"\{\s*u?'").match(text, place):
            return _end_of_literal(text, place), 0
        return json.JSONDecoder(strict=False).raw_decode(text, place)[1], 0
    except ValueError:
        return None, 1
    except RecursionError:
        nested = _NESTED.match(text, place)
        return None, max(1, text.rfind("{", place, nested.start(1)) - place) if nested else 1


def _end_of_literal(text: str, place: int) -> int:
    """Returns the place behind the Python literal at a place.

    Raises:
        ValueError: brackets do not match, a value has no name, or a word follows a string.
        RecursionError: more than 500 brackets are open.
    """
    string = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
    opened, before = "", ""
    while place < len(text):
        sign = text[place]
        if sign in "\"'":
            found = string.match(text, place)
            if found is None or not re.compile(r"""\s*([\]}),:"']|u["']|u?$)""").match(text, found.end()):
                raise ValueError
            place = found.end() - 1
        elif sign in "[{(":
            if before == "," and opened.endswith("{"):
                raise ValueError
            opened += sign
            if len(opened) > 500:
                raise RecursionError
        elif sign in "]})":
            if opened[-1:] + sign not in ("[]", "{}", "()"):
                raise ValueError
            opened = opened[:-1]
            if not opened:
                return place + 1
        before = before if sign.isspace() else sign
        place += 1
    raise ValueError


def count_parquet(path: Path) -> int:
    """Returns the number of rows that DuckDB counts in a Parquet file without reading a column."""
    import duckdb

    [(count,)] = duckdb.execute("select count(*) from read_parquet($1)", [str(path)]).fetchall()
    return int(count)


def _plain(data: bytes, *, whole_lines: bool) -> tuple[bytes, bool]:
    """Returns the bytes of a file as UTF-8 without a mark, and whether compressed bytes are all there.

    If compressed bytes end too early, the bytes behind the last line end are left out with `whole_lines`.
    """
    is_whole = True
    if data.startswith(b"\x1f\x8b"):
        data, is_whole = _inflated(data)
    text = _in_utf8(data)
    if whole_lines and not is_whole:
        text = text[: text.rfind(b"\n") + 1]
    return text, is_whole


def _in_utf8(data: bytes) -> bytes:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace").encode()
    head = data[:_HEAD]
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[start::2].count(0) > len(head) // 3:
            return data.decode(encoding, errors="replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _inflated(data: bytes) -> tuple[bytes, bool]:
    """Returns the bytes in all members of a gzip file, and whether the last member is complete.

    If the data are damaged, the bytes before the damage are returned. Bytes go in and come out one at a time,
    since zlib keeps to itself what it inflates in the call that fails.
    """
    found = bytearray()
    while data.strip(b"\0"):
        inflater, place = zlib.decompressobj(wbits=31), 0
        try:
            while place < len(data) and not inflater.eof:
                pending = data[place : place + 1]
                while inflated := inflater.decompress(pending, 1):
                    found += inflated
                    pending = inflater.unconsumed_tail
                place += 1
        except zlib.error:
            return bytes(found), False
        if not inflater.eof:
            return bytes(found), False
        data = data[place:]
    return bytes(found), True


def _lines(data: bytes) -> list[bytes]:
    head = data[:_HEAD]
    if b"\r" in head and b"\n" not in head:
        data = data.replace(b"\r", b"\n")
    lines = data.split(b"\n")
    lines = [line.rstrip(b"\r") for line in lines]
    return lines if lines[-1] else lines[:-1]


def _is_blank(line: str) -> bool:
    return not line.strip(" \t\r\v\f")


def _lines_of_record(lines: Sequence[str], place: int, delimiter: str, numbers: Sequence[bool]) -> int:
    """Returns how many lines a record has, which is 1 unless a quoted field goes on and ends properly.

    `numbers` tells which columns hold numbers. A line that has numbers there is a record of its own, but the
    last line is one only if the first line is one too.
    """
    record = lines[place]
    if '"' not in record:
        return 1
    for length in range(1, min(_MOST_LINES, len(lines) - place + 1)):
        fields = _fields(record, delimiter)
        if fields is not None:
            *between, last = lines[place + 1 : place + length] or [""]
            is_one = len(_without_surplus(fields, numbers)) == len(numbers)
            is_one &= not any(_is_own(line, delimiter, numbers) for line in between)
            is_one &= not (_is_own(lines[place], delimiter, numbers) and _is_own(last, delimiter, numbers))
            return length if is_one else 1
        if place + length < len(lines):
            record += "\n" + lines[place + length]
    return 1


def _is_own(line: str, delimiter: str, numbers: Sequence[bool]) -> bool:
    """Tells whether a line alone has the right number of fields, and numbers in the columns of numbers."""
    fields = _without_surplus(_fields(line, delimiter) or line.split(delimiter), numbers)
    if len(fields) != len(numbers):
        fields = _without_surplus(line.split(delimiter), numbers)
    return len(fields) == len(numbers) and all(
        _is_number(field) for field, is_number in zip(fields, numbers, strict=True) if is_number
    )


def _without_surplus(fields: list[str], numbers: Sequence[bool]) -> list[str]:
    return fields[:-1] if len(fields) == len(numbers) + 1 and not fields[-1].strip() else fields


def _is_number(field: str) -> bool:
    return bool(_NUMBER.fullmatch(field.strip('"')))


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
