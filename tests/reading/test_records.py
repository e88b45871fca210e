"""Every line of delimited text is a record or a part of one, whatever its quotes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.reading.formats import inspect_source
from pipelines.reading.records import RecordReader
from pipelines.reading.sources import Source
from pipelines.text.lines import Block, block_of

HEADER = ["user", "item", "rating", "summary"]
LETTERS = st.sampled_from("ab ,;\"'\\é|\n\t\r\x1e\x1f\0")
WORDS = st.text(LETTERS, max_size=12).map(lambda text: text.rstrip("\r"))
ROWS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(1, 5), WORDS), max_size=12)
PLAIN = [[f"u{n}", f"m{n % 7}", str(n % 5 + 1), "fine"] for n in range(30)]


def table(rows: Sequence[Sequence[object]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue()


def blocks(text: str, sizes: Sequence[int] = ()) -> Iterator[Block]:
    """Divides a text into blocks of the given numbers of lines, and one block of all lines that are left."""
    lines = io.StringIO(text, newline="\n").readlines()
    line = 1
    for size in [*sizes, len(lines)]:
        if some := lines[line - 1 : line - 1 + size]:
            yield block_of(line, "".join(some).encode())
        line += size


def source_of(folder: Path, text: str) -> Source:
    path = folder / "table.csv"
    path.write_text(text, newline="")
    return inspect_source(path, "table")


def read(source: Source, divided: Iterator[Block]) -> tuple[list[tuple[int, list[str]]], int]:
    reader = RecordReader(source, divided)
    records = [record for some in reader for record in some.fields()]
    return records, reader.num_continued


def safe(value: object) -> str:
    text = str(value)
    for character in "\0\x1e\x1f":
        text = text.replace(character, "\ufffd")
    return text


@settings(max_examples=60)
@given(rows=ROWS, sizes=st.lists(st.integers(1, 5), max_size=8))
def test_what_a_csv_writer_wrote_is_read_back_however_it_is_divided(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int, str]], sizes: list[int]
) -> None:
    written = [*PLAIN[:20], *([f"u{a}", f"m{b}", str(c), text] for a, b, c, text in rows)]
    text = table(written)
    source = source_of(tmp_path_factory.mktemp("table"), text)
    records, _ = read(source, blocks(text, sizes))
    assert [fields for _, fields in records] == [list(map(safe, row)) for row in written]
    assert read(source, blocks(text)) == read(source, blocks(text, sizes))


@settings(max_examples=100)
@given(
    places=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 14)), max_size=6),
    sizes=st.lists(st.integers(1, 9), max_size=8),
)
def test_stray_quotes_cost_at_most_their_own_lines(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]], sizes: list[int]
) -> None:
    lines = [",".join(row) for row in PLAIN]
    for line, place in places:
        lines[line] = lines[line][:place] + '"' + lines[line][place:]
    text = "\n".join([",".join(HEADER), *lines]) + "\n"
    source = source_of(tmp_path_factory.mktemp("table"), text)
    records, num_continued = read(source, blocks(text, sizes))
    assert [line for line, _ in records] == list(range(2, 32))
    assert num_continued == 0
    sound = {line for line in range(30) if line not in {place for place, _ in places}}
    assert all(records[line][1] == PLAIN[line] for line in sound)
    assert read(source, blocks(text)) == (records, 0)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['u1,m1,5,"said \\"hi\\", twice"'], [["u1", "m1", "5", 'said "hi", twice']]),
        (['u1,m1,5,"\\"one\\"', 'two \\" three"'], [["u1", "m1", "5", '"one"\ntwo " three']]),
        (['u1,m1,5,5" disk'], [["u1", "m1", "5", '5" disk']]),
        (['u1,m1,5,"bright, loud'], [["u1", "m1", "5", "bright, loud"]]),
        (['u1, "m1, the first", 5, x'], [["u1", "m1, the first", "5", "x"]]),
        (['"u1,m1,5,x'], [['"u1', "m1", "5", "x"]]),
        (['u1,m1,5,"x",'], [["u1", "m1", "5", "x"]]),
        (["u1,m1,5,x,y"], [["u1", "m1", "5", "x", "y"]]),
        (["u1,m1"], [["u1", "m1"]]),
        (['u1,m1,5,"a', "", 'b"'], [["u1", "m1", "5", "a\n\nb"]]),
        (['u1,m1,5,"a', "u2,m2,4,fine", 'u3,m3,3,b"'], None),
        (['u1,m1,5,"a', 'u3,m3,3,b"'], None),
        (["u1,m1,5,a\x85b\u2028c\x0cd\re"], [["u1", "m1", "5", "a\x85b\u2028c\x0cd\re"]]),
        (["u1,m1,5," + '"' + "long, " * 30_000 + '"'], [["u1", "m1", "5", "long, " * 30_000]]),
    ],
)
def test_quotes_of_every_kind(tmp_path: Path, lines: list[str], expected: list[list[str]] | None) -> None:
    text = table(PLAIN) + "".join(f"{line}\n" for line in lines)
    records, _ = read(source_of(tmp_path, text), blocks(text))
    found = [fields for _, fields in records[len(PLAIN) :]]
    assert found == (expected or [line.split(",") for line in lines])


def test_a_field_in_front_may_go_on_over_lines(tmp_path: Path) -> None:
    text = 'title,item,rating\n"A\nB, C",m1,5\n"D\n\n",m2,4\nE,m3,3\n'
    records, num_continued = read(source_of(tmp_path, text), blocks(text))
    assert records == [(2, ["A\nB, C", "m1", "5"]), (4, ["D\n\n", "m2", "4"]), (7, ["E", "m3", "3"])]
    assert num_continued == 2


def test_a_lone_carriage_return_ends_no_record(tmp_path: Path) -> None:
    rows = [*PLAIN, ["u\r1", "m1", "5", "one\ntwo"]]
    text = table(PLAIN) + 'u\r1,m1,5,"one\ntwo"\n'
    found, num_continued = read(source_of(tmp_path, text), blocks(text))
    assert [fields for _, fields in found] == [*rows[:-1], ["u 1", "m1", "5", "one\ntwo"]]
    assert num_continued == 1


def test_tabs_quote_nothing_unless_the_header_is_in_quotes(tmp_path: Path) -> None:
    rows = [[*row[:3], '"Loved it' if n in (3, 9) else "ok"] for n, row in enumerate(PLAIN)]
    text = "\n".join("\t".join(row) for row in [HEADER, *rows]) + "\n"
    records, _ = read(source_of(tmp_path, text), blocks(text))
    assert [fields for _, fields in records] == rows
    quoted = text.replace("user\titem\trating\tsummary", '"user"\t"item"\t"rating"\t"summary"')
    quoted += 'u1\tm1\t5\t"a ""b""\tc"\n'
    records, _ = read(source_of(tmp_path, quoted), blocks(quoted))
    assert records[-1][1] == ["u1", "m1", "5", 'a "b"\tc']
