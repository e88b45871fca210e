"""The delimiter and the header of a table are recognised by its first lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.sections import IngestConfig
from pipelines.reading.formats import inspect_source
from pipelines.reading.records import RecordReader
from pipelines.reading.sources import Source
from pipelines.reading.staging import open_blocks

ROWS = [[f"u{n}", f"m{n % 7}", str(n % 5 + 1), str(1_400_000_000 + n)] for n in range(40)]
HEADER = ("user_id", "item_id", "rating", "timestamp")


def source_of(folder: Path, text: str, format: str = "auto") -> Source:
    path = folder / "table"
    path.write_text(text, newline="")
    return inspect_source(path, format)


def table(delimiter: str = ",", rows: list[list[str]] = ROWS) -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", " "])
def test_a_first_line_that_looks_like_data_is_data(tmp_path: Path, delimiter: str) -> None:
    source = source_of(tmp_path, table(delimiter))
    assert (source.header, source.header_line, source.num_fields) == ((), 0, 4)
    assert source.delimiter == delimiter
    assert source.sample == ROWS


@pytest.mark.parametrize(
    "rows",
    [
        [row[:3] for row in ROWS],
        [row[:2] for row in ROWS],
        [[f"B00{n:07}", f"A{n:013}", "5.0", "1400000000"] for n in range(9)],
        [["17", "4", "3"]],
    ],
)
def test_ids_and_ratings_without_a_header(tmp_path: Path, rows: list[list[str]]) -> None:
    assert source_of(tmp_path, table(",", rows)).sample == rows


@pytest.mark.parametrize(
    "header",
    [
        "user_id,item_id,rating,timestamp",
        "who,what,how,when",
        "0,1,2,3",
        "customer,5,grade,2017",
        '"user\nid","item_id",rating,timestamp',
    ],
)
def test_a_header_stays_a_header(tmp_path: Path, header: str) -> None:
    source = source_of(tmp_path, f"{header}\n{table()}")
    assert len(source.header) == 4
    assert source.header_line == source.num_header_lines == header.count("\n") + 1
    assert source.sample == ROWS


def test_a_table_that_is_said_to_have_a_header_has_one(tmp_path: Path) -> None:
    assert source_of(tmp_path, table(), "table").header == tuple(ROWS[0])


def test_excel_and_r_write_a_little_more(tmp_path: Path) -> None:
    source = source_of(tmp_path, "sep=;\n" + ";".join(HEADER) + "\n" + table(";"))
    assert (source.header, source.header_line, source.num_header_lines) == (HEADER, 2, 2)
    rows = [[str(n), *row] for n, row in enumerate(ROWS)]
    assert source_of(tmp_path, ",".join(HEADER) + "\n" + table(",", rows)).header == ("", *HEADER)


def test_the_sample_holds_whole_records(tmp_path: Path) -> None:
    text = ",".join((*HEADER, "text")) + "\n" + 'u1,m1,5,1,"one\ntwo, ""three"""\nu2,m2\nu3,m3,4,2,"odd\n'
    assert source_of(tmp_path, text).sample == [
        ["u1", "m1", "5", "1", 'one\ntwo, "three"'],
        ["u3", "m3", "4", "2", '"odd'],
    ]


def test_repeated_headers_are_not_in_the_sample_and_change_no_record(tmp_path: Path) -> None:
    header = ", ".join((*HEADER, "text")) + "\n"
    rows = [
        f'u{n},m1,{n % 5 + 1},{1_400_000_000 + n},"fine\n{header if n % 5 == 0 else ""}end"\n'
        for n in range(20)
    ]
    source = source_of(tmp_path, header + header.join(rows))
    assert [row[0] for row in source.sample] == [f"u{n}" for n in range(20)]
    records = RecordReader(source, open_blocks(source, IngestConfig()))
    found = [fields for some in records for _, fields in some.fields()]
    assert [row[0] for row in found if row[0] != "user_id"] == [f"u{n}" for n in range(20)]
    assert len(found) == 39


def test_quotes_behind_backslashes_do_not_add_columns(tmp_path: Path) -> None:
    rows = "".join(f'u{n},m{n % 7},{1 + n % 5},"said \\"hi\\", all right"\n' for n in range(60))
    path = tmp_path / "spark.csv"
    path.write_text("user,item,rating,summary\n" + rows)
    source = inspect_source(path)
    assert source.header == ("user", "item", "rating", "summary")
    assert {len(fields) for fields in source.sample} == {4}


def test_texts_over_several_lines_do_not_add_columns(tmp_path: Path) -> None:
    rows = "".join(f'u{n},m{n % 7},{1 + n % 5},"Great, with ""mustard""\nand more"\n' for n in range(60))
    source = source_of(tmp_path, "user,item,rating,review\n" + rows)
    assert source.header == ("user", "item", "rating", "review")
    assert source.sample[0][3] == 'Great, with "mustard"\nand more'


def test_a_carriage_return_in_a_header_is_a_space(tmp_path: Path) -> None:
    source = source_of(tmp_path, 'user,it\rem,rating,"review\n' + table())
    assert source.header == ("user", "it em", "rating", "review")
