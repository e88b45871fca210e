"""Blocks are staged by several threads: all or none, whatever goes wrong, and no line is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from engine.config.sections import IngestConfig
from pipelines.ingest.ingest import ingest
from pipelines.reading import staging
from pipelines.reading.reviews import stage_json_reviews
from pipelines.reading.staging import scratch_folder, stage_blocks
from pipelines.text.lines import block_of
from pipelines.work.database import add_functions, open_cursor, open_database, run

NO_TEXT = {"file": 0, "time_pattern": None, "with_text": False, "min_text_length": None}
GOOD = {"overall": 5.0, "reviewerID": "A1", "asin": "B1", "unixReviewTime": 1_400_000_000}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_database(tmp_path / "work.duckdb") as database:
        add_functions(database)
        run(database, "staging/create_staging")
        database.execute("create table numbers (number integer)")
        yield database


def insert_numbers(cursor: duckdb.DuckDBPyConnection, numbers: Iterator[int]) -> None:
    for number in numbers:
        if number < 0:
            raise ValueError(f"number {number}")
        cursor.execute("insert into numbers values (?)", [number])


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_every_item_is_staged_once(database: duckdb.DuckDBPyConnection, threads: int) -> None:
    stage_blocks(database, iter(range(100)), insert_numbers, threads=threads)
    assert database.execute("select number from numbers order by number").fetchall() == [
        (number,) for number in range(100)
    ]


def test_after_an_error_nothing_is_staged_and_no_thread_is_left(database: duckdb.DuckDBPyConnection) -> None:
    before = threading.active_count()
    numbers = [*range(50), -1, *range(50)]
    with pytest.raises(ValueError, match="number -1"):
        stage_blocks(database, iter(numbers), insert_numbers, threads=3)
    assert database.execute("select count(*) from numbers").fetchall() == [(0,)]
    assert threading.active_count() == before


def test_an_error_of_the_items_is_raised_too(database: duckdb.DuckDBPyConnection) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        stage_blocks(database, items(), insert_numbers, threads=2)
    assert database.execute("select count(*) from numbers").fetchall() == [(0,)]


def test_of_several_errors_that_of_the_earliest_item_is_raised(database: duckdb.DuckDBPyConnection) -> None:
    both = threading.Barrier(2, timeout=10)

    def fail_together(_: duckdb.DuckDBPyConnection, items: Iterator[int]) -> None:
        for item in items:
            both.wait()
            raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        stage_blocks(database, iter(range(9)), fail_together, threads=2)


def test_good_doubtful_blank_and_bad_lines_keep_their_numbers(database: duckdb.DuckDBPyConnection) -> None:
    lines = [
        json.dumps(GOOD).encode(),
        b"",
        json.dumps(GOOD | {"reviewerID": "[A]", "unixReviewTime": None, "reviewTime": "05 3, 2014"}).encode(),
        b" \t ",
        b'{"overall": 5',
        b" " + json.dumps(GOOD | {"unixReviewTime": "1400000000999"}).encode(),
        json.dumps(GOOD | {"reviewText": "B\u00e9"}, ensure_ascii=False).encode(),
        json.dumps(GOOD | {"overall": "many"}).encode(),
        json.dumps(GOOD | {"asin": ["B1"]}).encode(),
        json.dumps(GOOD).encode() + b" " + json.dumps(GOOD).encode(),
    ]
    block = block_of(11, b"\n".join(lines))
    with scratch_folder(database) as folder:
        stage_json_reviews(database, iter([block]), folder, NO_TEXT)
        assert list(folder.iterdir()) == []
    rows = database.execute(
        "select line, reviewer_id, coalesce(unix_review_time::varchar, raw_time), reason "
        "from staged_reviews order by line"
    ).fetchall()
    assert rows == [
        (11, "A1", "1400000000", None),
        (13, "[A]", "05 3, 2014", None),
        (15, None, None, "not a JSON object"),
        (16, "A1", "1400000000", None),
        (17, "A1", "1400000000", None),
        (18, "A1", "1400000000", "rating is not a number"),
        (19, "A1", "1400000000", "no movie id"),
        (20, None, None, "not a JSON object"),
    ]


def test_a_file_of_many_blocks_is_staged_alike_by_any_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "block_size_for", lambda *_: 5_000)
    path = tmp_path / "reviews.json"
    rows = [
        GOOD | {"reviewerID": f"A{row % 17}", "asin": f"B{row * 7 % 29}", "unixReviewTime": 10**9 + row % 5}
        for row in range(3_000)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = []
    for threads in (1, 2, 4):
        with open_database(tmp_path / f"{threads}.duckdb") as database:
            ingest(database, [path], [], IngestConfig(threads=threads))
            found.append(database.execute("select * from reviews order by all").fetchall())
    assert found[0] == found[1] == found[2]


def test_tables_on_disk_are_written_in_small_groups_of_rows(tmp_path: Path) -> None:
    with open_database(tmp_path / "it's.duckdb") as database:
        with open_cursor(database) as cursor:
            cursor.execute("create table texts as select range as place from range(50_000)")
        database.execute("checkpoint")
        groups = database.execute(
            "select count(distinct row_group_id) from pragma_storage_info('texts')"
        ).fetchall()
    assert groups == [(7,)]
