"""Splits delimited text, such as CSV, into records, so that an unclosed quote damages at most one record."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, compress, repeat
from typing import Any, NamedTuple, cast

from pipelines.reading.shapes import record_test
from pipelines.reading.sources import Source
from pipelines.text.lines import Block
from pipelines.text.streams import MAX_LINE

BLANKS = " \t\r\n\v\f"
"""The characters of which a blank line consists."""

_FIELD_END = "\x1f"
"""ASCII's unit separator, which `Records` puts between the fields of a record whose quotes were removed."""
_RECORD_END = "\x1e"
"""ASCII's record separator, which `Records` puts between records, because a record may contain line
breaks."""
_SEPARATORS = ("\0", _RECORD_END, _FIELD_END)
"""The characters that divide records and fields in the text of `Records`; if a file contains one of these
characters, a replacement character takes its place."""
_MOST_LINES = 1_000
"""The largest number of lines of a record; a quote that stays open for more lines does not enclose a
field."""
_MOST_CHARACTERS = 1 << 20
"""The largest number of characters of a record of several lines."""
# Python has one limit of the length of a field for all CSV readers of the process.
csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))


class Records(NamedTuple):
    """Holds consecutive records of a file as one text.

    The SQL statement `stage_records` has a parameter for each attribute of `Records`, with the attribute's
    name.
    """

    text: str
    """The text of the records, without blank lines and without the header."""
    first_line: int
    """The number of the line at which the first record begins in the file."""
    lines: list[int] | None = None
    """The number of the line at which each record begins, or None if every line is one record."""
    delimiter: str = _FIELD_END
    """The text between two fields of a record."""
    record_end: str = _RECORD_END
    """The text between two records."""

    def fields(self) -> Iterator[tuple[int, list[str]]]:
        """Yields, for each record, the number of the record's first line, and the record's fields."""
        for place, record in enumerate(self.text.split(self.record_end)):
            line = self.lines[place] if self.lines else self.first_line + place
            yield line, record.split(self.delimiter)


@dataclass(eq=False)
class RecordReader:
    """Iterates once over the records in the blocks of a delimited file.

    A line that contains no quote is one record. A quoted field may contain line breaks, as RFC 4180 says. A
    record of several lines must have the right number of fields, and no line inside the record may look like
    a record. A quote that encloses no field is an ordinary character. The records do not depend on how the
    file is divided into blocks.
    """

    source: Source
    blocks: Iterable[Block]
    num_continued: int = field(default=0, init=False)
    """The number of lines read so far that continue the record of an earlier line; blank lines do not
    count."""
    _reads_like_a_record: Callable[[list[str]], bool] = field(init=False)

    def __iter__(self) -> Iterator[Records]:
        """Yields the records in file order, including records with a wrong number of fields.

        Raises:
            SourceError: the file cannot be read.
        """
        sample = cast("Sequence[Sequence[str]]", self.source.sample)
        self._reads_like_a_record = record_test(sample, self.source.num_fields)
        rest = ""
        first_line = 1
        for block in self.blocks:
            text = block.data.decode("utf-8")
            for separator in _SEPARATORS:
                if separator in text:
                    text = text.replace(separator, "\ufffd")
            if not rest:
                num_skipped = max(0, self.source.header_line + 1 - block.first_line)
                first_line = block.first_line + num_skipped
                text = _after_lines(text, num_skipped)
                if not (self.source.quoted and '"' in text):
                    blank = {place - num_skipped for place in block.blank}
                    yield from self._unquoted(first_line, text, blank)
                    continue
            found, first_line, rest = self._split(first_line, rest + text, more=True)
            yield from found
        found, _, _ = self._split(first_line, rest, more=False)
        yield from found

    def _unquoted(self, first_line: int, text: str, blank: set[int]) -> Iterator[Records]:
        """Yields the records of a block that contains no quotes: each line is one record.

        The method does not split the block's lines into fields. The block's lines at the positions in `blank`
        are left out.
        """
        text = text.removesuffix("\n")
        numbers = None
        if blank:
            kept = [place for place in enumerate(text.split("\n")) if place[0] not in blank]
            text = "\n".join(line for _, line in kept)
            numbers = [first_line + place for place, _ in kept]
        if text:
            yield Records(text, first_line, numbers, self.source.delimiter, "\n")

    def _split(self, first_line: int, text: str, *, more: bool) -> tuple[list[Records], int, str]:
        """Splits the lines of `text` into records.

        Returns the records, the line number at which the unsplit rest of `text` begins, and the unsplit rest
        of `text`. The rest of `text` stays unsplit because its record may continue in the next lines of the
        file. The caller must split the unsplit rest of `text` again, together with the next lines of the
        file. If `more` is false, the file has no lines after `text`, and the whole of `text` is split.
        """
        lines = io.StringIO(text, newline="\n").readlines()
        if not lines:
            return [], first_line, ""
        numbers, records = self._split_fast(lines)
        end = numbers.pop()
        if end < len(lines):
            end = self._split_slowly(lines, end, numbers, records, more=more)
        found = []
        if records:
            is_plain = len(records) == len(lines)
            at = None if is_plain else [first_line + number for number in numbers]
            found = [Records(_RECORD_END.join(records), at[0] if at else first_line, at)]
        return found, first_line + end, "".join(lines[end:])

    def _split_fast(self, lines: list[str]) -> tuple[list[int], list[str]]:
        """Splits lines with Python's CSV reader; stops before the first record that may be split wrongly.

        The first returned list holds the position in `lines` of each record's first line, followed by the
        position after the last record. The second returned list holds the records, without the quotes that
        enclose fields.
        """
        rows: list[list[str]] = []
        with suppress(csv.Error):
            rows += self._csv(lines)
        records = list(map(_FIELD_END.join, rows))
        breaks = list(map(str.count, records, repeat("\n")))
        starts = list(accumulate((1 + count for count in breaks), initial=0))
        num_fields, good = self.source.num_fields, len(rows)
        if set(map(len, rows)) - {num_fields}:
            good = next(place for place, fields in enumerate(rows) if len(fields) != num_fields)
        for place in compress(range(good), breaks):
            start, end = starts[place], starts[place + 1]
            if not self._is_one(lines, start, end):
                good = place
                break
            self._note(lines[start + 1 : end])
        return starts[: good + 1], records[:good]

    def _split_slowly(
        self, lines: list[str], place: int, numbers: list[int], records: list[str], *, more: bool
    ) -> int:
        """Splits `lines` from the position `place` on, and appends to the lists that `_split_fast` returned.

        Returns the position of the first line whose record may continue in text that was not read yet.
        """

        def add(start: int, end: int, fields: list[str]) -> None:
            numbers.append(start)
            records.append(_FIELD_END.join(fields))
            self._note(lines[start + 1 : end])

        while place < len(lines):
            # A new CSV reader is started after each line with faulty quotes.
            reader = self._csv(map(lines.__getitem__, range(place, len(lines))))
            start = place
            with suppress(csv.Error):
                for fields in reader:
                    end = place + reader.line_num
                    right = self._right(fields)
                    if end == start + 1:
                        if lines[start].strip(BLANKS):
                            add(start, end, right or self._alone(lines[start]))
                    elif right and self._is_one(lines, start, end):
                        add(start, end, right)
                    else:
                        break
                    start = end
            if start == len(lines):
                break
            taken = self._take(lines, start, more=more)
            if taken is None:
                return start
            fields, place = taken
            add(start, place, fields)
        return len(lines)

    def _note(self, continued: Sequence[str]) -> None:
        self.num_continued += sum(1 for line in continued if line.strip(BLANKS))

    def _take(self, lines: list[str], start: int, *, more: bool) -> tuple[list[str], int] | None:
        """Reads the record that begins at `lines[start]`, even if the quotes in that line are faulty.

        If the quotes do not enclose fields, the line `lines[start]` alone is the record, and the quotes are
        ordinary characters of the record's fields.

        Returns the fields of the record, and the position in `lines` after the record. Returns None if the
        record may continue in text that was not read yet.
        """
        end = min(len(lines), start + _MOST_LINES)
        near = end == len(lines) and sum(map(len, lines[start:end])) <= _MOST_CHARACTERS
        for escape in (None, "\\"):
            reader = self._csv(lines[start:end], escape=escape)
            try:
                fields = self._right(next(reader, []))
            except csv.Error as error:
                if "new-line character" in str(error):
                    # Python's CSV reader refuses a carriage return in a field without quotes.
                    spaced = [line.replace("\r", " ") for line in lines[start:end]]
                    taken = self._take(spaced, 0, more=more and near)
                    if taken is None:
                        return None
                    if taken[1] > 1:
                        return taken[0], start + taken[1]
                    break
                if more and near and "unexpected end" in str(error):
                    return None
            else:
                if fields and self._is_one(lines, start, start + reader.line_num):
                    return fields, start + reader.line_num
            if not any('\\"' in line for line in lines[start : start + reader.line_num]):
                break
        return self._alone(lines[start]), start + 1

    def _is_one(self, lines: list[str], start: int, end: int) -> bool:
        """Tells whether the lines from `start` to before `end` may be one record with line breaks in fields.

        Returns False if any line between the first and the last of the lines looks like a complete record.
        Returns False for several lines whose first line and last line both look like complete records. If
        only the last line looks like a complete record, the lines may be one record, because the last line of
        a quoted field often looks like a record by chance. More than _MOST_LINES lines, or more than
        _MOST_CHARACTERS characters, are never one record.
        """
        if end - start > _MOST_LINES or sum(map(len, lines[start:end])) > _MOST_CHARACTERS:
            return False
        if any(map(self._is_record, lines[start + 1 : end - 1])):
            return False
        return end == start + 1 or not (self._is_record(lines[end - 1]) and self._is_record(lines[start]))

    def _is_record(self, line: str) -> bool:
        enough = line.count(self.source.delimiter) >= self.source.num_fields - 1
        return enough and self._reads_like_a_record(self._alone(line))

    def _alone(self, line: str) -> list[str]:
        """Splits a single line into fields, even if the quotes in the line are faulty."""
        text = line.removesuffix("\n")
        literal = text.split(self.source.delimiter)
        readers = (
            self._csv([text]),
            self._csv([text], escape="\\"),
            iter([literal]),
            self._csv([text], strict=False),
        )
        for reader in readers:
            try:
                right = self._right(next(reader, []))
            except csv.Error:
                continue
            if right:
                return right
        return literal

    def _csv(self, lines: Iterable[str], *, escape: str | None = None, strict: bool = True) -> Any:
        return csv.reader(
            lines,
            delimiter=self.source.delimiter,
            escapechar=escape,
            strict=strict,
            skipinitialspace=not strict,
        )

    def _right(self, fields: list[str]) -> list[str] | None:
        """Drops one surplus empty field at a record's end; returns None if the number of fields is wrong."""
        surplus = len(fields) - self.source.num_fields
        if surplus == 1 and not fields[-1].strip():
            return fields[:-1]
        return None if surplus else fields


def split_line(line: str, delimiter: str, *, quoted: bool = True) -> list[str]:
    """Splits a line into fields; if the quotes in the line are faulty, quotes become part of the fields."""
    if quoted and '"' in line and len(delimiter) == 1:
        for escape in (None, "\\") if '\\"' in line else (None,):
            try:
                return next(csv.reader([line], delimiter=delimiter, escapechar=escape, strict=True))
            except csv.Error:
                continue
    return line.split(delimiter)


def _after_lines(text: str, num_lines: int) -> str:
    """Returns a text without the first `num_lines` lines."""
    place = 0
    for _ in range(num_lines):
        place = text.find("\n", place) + 1
        if not place:
            return ""
    return text[place:]
