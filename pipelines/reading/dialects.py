"""Recognises the dialect of a table by its first lines: the delimiter, and whether there is a header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from engine.errors import SourceError
from pipelines.reading.names import MOVIE_COLUMNS, NUM_ITEM_FIELDS, REVIEW_COLUMNS, plain_name
from pipelines.reading.records import RecordReader, split_line
from pipelines.reading.shapes import record_test
from pipelines.reading.sources import Source
from pipelines.text.lines import block_of

NUM_SAMPLED = 200
"""The largest number of records that are read from the start of a file as a sample."""
_MOST_HEADER_LINES = 20
"""The largest number of lines of a header; a header has several lines if a quoted name contains a line
break."""
_DELIMITERS = (",", "\t", ";", "|")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_MOVIELENS_RATING = re.compile(r"[^\t]+\t[^\t]+\t[0-9.]+(\t[0-9]+)?")
_NUMBER = re.compile(r"[-+]?[0-9]+([.,][0-9]+)?")
_KNOWN_NAMES = {
    name for columns in (REVIEW_COLUMNS, MOVIE_COLUMNS) for names in columns.values() for name in names
}


class Line(NamedTuple):
    """Holds a line at the start of a file, and the number of the line."""

    number: int
    """The number of the line in the file, counted from 1."""
    text: str


def inspect_table(source: Source, lines: Sequence[Line], *, has_header: bool | None) -> Source:
    """Returns a copy of `source` with the delimiter, the header and the first records of a table file.

    The field `sample` of the returned Source holds the first records of the table file. The argument `lines`
    holds the first lines of the table file, without blank lines. The argument `has_header` tells whether the
    first line is a header; if `has_header` is None, the function decides by the content of the lines.

    Raises:
        SourceError: no delimiter is found.
    """
    first = lines[0].text
    if not has_header and (delimiter := _delimiter_without_header(first)):
        source = replace(source, delimiter=delimiter, num_fields=len(first.split(delimiter)))
        return replace(source, sample=_sampled(source, lines))
    said = re.fullmatch(
        r"sep=(.)", first.strip("\r\ufeff")
    )  # Excel may write a first line such as "sep=;", which names the delimiter.
    num_skipped = int(said is not None and len(lines) > 1)
    first = lines[num_skipped].text
    outside = _QUOTED.sub("", "\n".join(line.text for line in lines[num_skipped:][:_MOST_HEADER_LINES]))
    outside = outside.partition("\n")[0]
    delimiter = said[1] if said else max(_DELIMITERS, key=outside.count)
    if delimiter not in outside and _are_spaced(lines):
        delimiter = " "
    if delimiter not in outside:
        raise SourceError(
            f"Cannot tell the format of {source.path}: expected JSON lines, MovieLens' ratings, CSV with a "
            f"header line or Parquet, found {shown(first)}.",
            path=source.path,
            line=lines[num_skipped].number,
        )
    # In a table whose delimiter is a tab, a quote is usually part of a text, and does not enclose a field.
    quoted = delimiter != "\t" or all(re.fullmatch(_QUOTED, name) for name in first.strip().split("\t"))
    names, num_lines = _header(lines[num_skipped:], delimiter) if quoted else (first.split("\t"), 1)
    source = replace(source, delimiter=delimiter, quoted=quoted)
    following = lines[num_skipped + num_lines :]
    usual = _usual_number_of_fields(following, delimiter, quoted=quoted) or len(names)
    if has_header is False or (has_header is None and _looks_like_data(names, following, delimiter)):
        source = replace(source, num_fields=usual)
    else:
        if usual == len(names) + 1 and names[-1].strip():
            names = ["", *names]  # R writes a first column of row names without a name in the header.
        source = replace(
            source,
            header=tuple(name.strip() for name in names),
            header_line=lines[num_skipped + num_lines - 1].number,
            num_header_lines=num_skipped + num_lines,
            num_fields=len(names),
        )
    return replace(source, sample=_sampled(source, lines))


def _are_spaced(lines: Sequence[Line]) -> bool:
    """Tells whether spaces seem to separate the fields of a table."""
    rows = [line.text.strip().split(" ") for line in lines[:NUM_SAMPLED]]
    numbers = sum(any(map(_NUMBER.fullmatch, row[2:])) for row in rows)
    return len(rows) > 1 and len(set(map(len, rows))) == 1 and numbers >= len(rows) - 1


def _header(lines: Sequence[Line], delimiter: str) -> tuple[list[str], int]:
    """Returns the names in the header of a table, and the number of lines of the header."""
    texts = [f"{line.text}\n" for line in lines[:_MOST_HEADER_LINES]]
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    try:
        return next(reader), reader.line_num
    except csv.Error:
        # Python's CSV reader refuses a carriage return in a field without quotes.
        return next(csv.reader([texts[0].replace("\r", " ")], delimiter=delimiter)), 1


def _usual_number_of_fields(lines: Sequence[Line], delimiter: str, *, quoted: bool) -> int:
    """Returns the most frequent number of fields in the first lines of a table; 0 if no line is counted.

    A line with an odd number of quotes is not counted, because the line's last field may continue on the next
    line.
    """
    texts = [line.text.removesuffix(delimiter) for line in lines[:NUM_SAMPLED]]
    closed = [text for text in texts if not quoted or text.count('"') % 2 == 0]
    counts = Counter(len(split_line(text, delimiter)) for text in closed)
    return counts.most_common(1)[0][0] if counts else 0


def _looks_like_data(names: Sequence[str], following: Sequence[Line], delimiter: str) -> bool:
    """Tells whether the first line of a table seems to be a record, and not a header."""
    words = set(map(plain_name, names))
    if words & _KNOWN_NAMES or list(names) == [str(place) for place in range(len(names))]:
        return False
    if not any(any(map(str.isdigit, name)) for name in names):
        return False
    rows = [split_line(line.text, delimiter) for line in following[:NUM_SAMPLED]]
    rows = [row for row in rows if len(row) == len(names)]
    if not rows:
        return any(_NUMBER.fullmatch(name.strip()) for name in names)
    return record_test(rows, len(names))(names)


def _sampled(source: Source, lines: Sequence[Line]) -> list[list[str]]:
    """Returns the first records of a table that have `source.num_fields` fields, without repeated headers."""
    # In a file that was made by joining several files, the header appears again above the records of each
    # file.
    rows = (
        line
        for line in lines
        if line.number > source.header_line
        and [name.strip() for name in split_line(line.text, source.delimiter)] != list(source.header)
    )
    below = list(islice(rows, NUM_SAMPLED))
    # Lines with an odd number of quotes are left out, because such a line is often the end of a record of
    # several lines.
    alone = [
        split_line(line.text, source.delimiter, quoted=source.quoted)
        for line in below
        if not (source.quoted and line.text.count('"') % 2)
    ]
    rough = replace(
        source, header_line=0, sample=[fields for fields in alone if len(fields) == source.num_fields]
    )
    text = "".join(f"{line.text}\n" for line in below)
    records = RecordReader(rough, [block_of(1, text.encode("utf-8"))])
    found = (fields for some in records for _, fields in some.fields())
    return [fields for fields in found if len(fields) == source.num_fields]


def _delimiter_without_header(first: str) -> str | None:
    """Returns the delimiter if `first` is a line of a MovieLens file without a header line, or else None.

    MovieLens' files without a header line are u.data, ratings.dat, movies.dat and u.item.
    """
    if "::" in first:
        return "::"
    if _MOVIELENS_RATING.fullmatch(first):
        return "\t"
    return "|" if len(first.split("|")) == NUM_ITEM_FIELDS else None


def shown(text: str) -> str:
    """Returns the start of a line, in quotes, for an error message."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
