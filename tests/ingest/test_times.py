from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.sections import IngestConfig
from engine.errors import ConfigError
from pipelines.dataset.movie_figures import decayed_popularity
from pipelines.ingest.accounting import Accounting
from pipelines.ingest.dates import read_dates
from pipelines.ingest.ingest import ingest
from pipelines.ingest.times import read_times
from pipelines.reading.sources import Source
from pipelines.work.database import add_functions, run

if TYPE_CHECKING:
    import duckdb

START = 1_500_000_000
SECONDS = [START + 86_400 * day + 3_661 * day for day in range(100)]
"""Times from 14 July 2017 on, at all hours of the day."""
LATEST = date(2026, 12, 1)


def written(seconds: int, form: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(form)


def read(
    database: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    times: Sequence[object],
    time_format: str | None = None,
    **settings: object,
) -> tuple[Accounting, list[int | None]]:
    """Reads a table with a review for each time; returns the account and the times in unix seconds."""
    path = tmp_path / "reviews.csv"
    rows = (f"u{row},m{row % 7},{row % 5 + 1},{time}" for row, time in enumerate(times))
    path.write_text(
        "user\titem\trating\ttime\n" + "\n".join(row.replace(",", "\t", 3) for row in rows) + "\n"
    )
    config = IngestConfig(
        min_reviews_per_reviewer=1, min_reviews_per_movie=1, time_format=time_format, **settings
    )  # type: ignore[arg-type]
    accounting = ingest(database, [path], [], config, few=True)
    found = database.execute("select unix_review_time from reviews order by line").fetchall()
    return accounting, [time for (time,) in found]


DAYS = {
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%y-%m-%d", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d %B %Y", "%B %d, %Y", "%b %d, %Y",
    "%d-%b-%Y", "%d-%b-%y", "%d %b. %Y", "%Y %b %d", "%A, %d %B %Y", "%m %d, %Y", "%a %b %d %Y",
    "Reviewed in the United States on %B %d, %Y", "Reviewed on %d %B %Y", "%Y年%m月%d日", "%dth of %B %Y",
}  # fmt: skip
MINUTES = {
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y, %H:%M",
    "%Y%m%d%H%M",
    "%Y-%m-%d %H:%M",
    "%b %d, %Y %I:%M %p",
}
MOMENTS = {
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%S.123456789",
    "%Y-%m-%dT%H:%M:%S+0000", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ", "%Y%m%d%H%M%S", "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p", "%d-%b-%Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S +0000 %Y",
    "%a %b %d %H:%M:%S UTC %Y", "%b %d, %Y, %I:%M:%S %p", "%d.%m.%Y %H:%M:%S,5", "%s", "%s000", "%s000000",
    "%s000000000", "%s.75",
}  # fmt: skip


def read_columns(
    database: duckdb.DuckDBPyConnection, columns: Sequence[Sequence[str]]
) -> list[list[int | None]]:
    """Stages the times of each column as the times of a file; returns the unix seconds of each column."""
    add_functions(database)
    run(database, "staging/create_staging")
    for file, times in enumerate(columns):
        database.execute(
            "insert into staged_reviews (file, line, unix_review_time, raw_time) "
            "select $file, row_number() over (), clear_time(time, null), "
            "case when clear_time(time, null) is null then present_time(time) end "
            "from (select unnest($times::varchar[]) as time)",
            {"file": file, "times": list(times)},
        )
    paths = [Path(f"{file}.csv") for file in range(len(columns))]
    sources = [Source(path=path, file=path, layout="delimited") for path in paths]
    assert read_times(database, sources, None) == {}
    found: list[list[int | None]] = [[] for _ in columns]
    rows = "select file, unix_review_time from staged_reviews order by file, line"
    for file, time in database.execute(rows).fetchall():
        found[file].append(time)
    return found


def test_a_column_of_times_is_read_in_every_form(database: duckdb.DuckDBPyConnection) -> None:
    forms = sorted(DAYS | MINUTES | MOMENTS)
    seconds = SECONDS[::4]
    columns = [[written(second, form.replace("%s", str(second))) for second in seconds] for form in forms]
    found = dict(zip(forms, read_columns(database, columns), strict=True))
    steps = {form: 86_400 if form in DAYS else 60 if form in MINUTES else 1 for form in forms}
    assert found == {form: [second // step * step for second in seconds] for form, step in steps.items()}


ALONE = [
    ("Sat Oct 28 01:52:25 -0700 2017", "2017-10-28 08:52:25"),
    ("2017-10-28T01:52:25+02:00", "2017-10-27 23:52:25"),
    ("2017-10-28 01:52:25 PDT", "2017-10-28 08:52:25"),
    ("10/28/2017 12:05 AM", "2017-10-28 00:05:00"),
    ("10/28/2017 12:05 p.m.", "2017-10-28 12:05:00"),
    ("10/28/2017, 1:52:25\u202fPM", "2017-10-28 13:52:25"),
    ("28 Oct 2017 01:52 EST", "2017-10-28 06:52:00"),
    ("2017", "2017-01-01 00:00:00"),
    ("2017-10", "2017-10-01 00:00:00"),
    ("10/2017", "2017-10-01 00:00:00"),
    ("201710", "2017-10-01 00:00:00"),
    ("Oct 2017", "2017-10-01 00:00:00"),
    ("43036", "2017-10-28 00:00:00"),
    ("43036.25", "2017-10-28 06:00:00"),
    ("1509155545123", "2017-10-28 01:52:25"),
    ("1.509155545e9", "2017-10-28 01:52:25"),
]
"""Times that are alone in their column, and the moments that they mean."""


def test_a_time_alone_is_read(database: duckdb.DuckDBPyConnection) -> None:
    found = read_columns(database, [[time] * 3 for time, _ in ALONE])
    for (time, expected), seconds in zip(ALONE, found, strict=True):
        assert [written(second or 0, "%Y-%m-%d %H:%M:%S") for second in seconds] == [expected] * 3, time


def test_one_day_over_twelve_decides_the_whole_column(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, found = read(database, tmp_path, ["03/04/2017", "05/06/2017", "13/07/2017"])
    assert [written(second or 0, "%m-%d") for second in found] == ["04-03", "06-05", "07-13"]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_dates_that_may_be_read_in_two_ways_are_told(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = ["03/04/2017", "05/06/2017", "07/07/2017"]
    _, found = read(database, tmp_path, times)
    assert [written(second or 0, "%m-%d") for second in found] == ["03-04", "05-06", "07-07"]
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "such as '03/04/2017' and '05/06/2017', may be month-first or day-first" in warning
    assert "--time-format day-first" in warning
    caplog.clear()
    _, found = read(database, tmp_path, times, "day-first")
    assert [written(second or 0, "%m-%d") for second in found] == ["04-03", "06-05", "07-07"]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("time_format", "times", "expected"),
    [
        ("excel", ["1", "43036"], [None, "2017-10-28"]),
        ("unix", ["43036", "1509155545"], [None, "2017-10-28"]),
        ("year-first", ["10/11/12", "10/11/13"], ["2010-11-12", "2010-11-13"]),
        ("%Y-%d-%m", ["2017-05-10", "2017-28-10"], ["2017-10-05", "2017-10-28"]),
        ("%d|%m|%y", ["28|10|17", "2017-10-28"], ["2017-10-28", None]),
    ],
)
def test_the_format_of_times_can_be_given(
    database: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    time_format: str,
    times: list[str],
    expected: list[str],
) -> None:
    _, found = read(database, tmp_path, times, time_format)
    assert [second and written(second, "%Y-%m-%d") for second in found] == expected


@pytest.mark.parametrize("time_format", ["day first", "%Q", "Y-m-d", "50%"])
def test_a_format_that_is_none_is_refused(time_format: str) -> None:
    with pytest.raises(ConfigError, match=r"ingest.time_format.*month-first.*%d.%m.%Y"):
        IngestConfig(time_format=time_format)


def test_places_in_a_sequence_keep_their_order(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    places = random.Random(1).sample(range(5000), 100)
    accounting, found = read(database, tmp_path, places)
    assert found == places
    assert accounting.times_lost == 0


@pytest.mark.parametrize(
    "absent", ["", "null", "NULL", "NA", "None", "-", "\\N", "nan", "NaT", "0000-00-00", "n/a"]
)
def test_an_absent_time_is_no_lost_time(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, absent: str
) -> None:
    accounting, found = read(database, tmp_path, [START, absent, START + 1])
    assert found == [START, None, START + 1]
    assert (accounting.kept, accounting.times_lost) == (3, 0)


def test_zeros_alone_are_no_times(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    accounting, found = read(database, tmp_path, [0, 0, 0])
    assert found == [None] * 3
    assert accounting.times_lost_by == {"too early": 3}


def test_a_day_between_year_and_month_makes_the_column_doubtful(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, found = read(database, tmp_path, ["2017-28-10", "2017-05-10"])
    assert found[0] is None
    assert "say --time-format %Y-%d-%m" in caplog.text


def test_a_time_that_cannot_be_used_costs_only_itself(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    odd = [
        "last week",
        "1969-12-31",
        "0",
        "-1",
        "9999-12-31",
        "253402214400",
        "9" * 400,
        "1_500_000_000",
        "0x59682F00",
    ]
    accounting, found = read(database, tmp_path, [*map(str, SECONDS), soon.isoformat(), *odd, "31.12.2099"])
    assert found == [*SECONDS, int(soon.timestamp()), *[None] * 10]
    assert accounting.rejected == 0
    assert accounting.times_lost_by == {"cannot be read": 4, "too early": 3, "in the future": 3}
    assert "111 kept" in str(accounting)
    assert "; 10 without their time (cannot be read 4, " in str(accounting)
    assert accounting.to_dict()["times_lost"] == 10
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "4 cannot be read (first 'last week' in line 103)" in warning
    assert "--time-format" in warning


def test_a_few_other_numbers_among_dates_written_as_numbers_are_lost(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    times = [written(second, "%Y%m%d") for second in SECONDS]
    odd = ["0"] * 80 + ["99999999"] * 10 + ["20171345"]
    accounting, found = read(database, tmp_path, [*times, *odd])
    assert found[:100] == [second // 86_400 * 86_400 for second in SECONDS]
    assert found[100:] == [None] * 91
    assert accounting.times_lost == 91


def test_json_reviews_with_dates_and_places_are_read(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.json"

    def lines(field: str, times: Sequence[object]) -> str:
        return "\n".join(
            json.dumps({"reviewerID": f"u{row}", "asin": "m", "overall": row % 5, field: time})
            for row, time in enumerate(times)
        )

    every: list[tuple[str, list[object], list[int]]] = [
        ("unixReviewTime", [3, 1, 2], [3, 1, 2]),
        ("unixReviewTime", [START, str(START + 1), START + 2], [START, START + 1, START + 2]),
        ("reviewTime", ["09 13, 2009"] * 3, [1_252_800_000] * 3),
        (
            "timestamp",
            ["28.10.2017", "01.02.2017", "29.10.2017"],
            [1_509_148_800, 1_485_907_200, 1_509_235_200],
        ),
    ]
    for field, times, expected in every:
        path.write_text(lines(field, times))
        ingest(database, [path], [], IngestConfig(min_reviews_per_reviewer=1), few=True)
        found = database.execute("select unix_review_time from reviews order by line").fetchall()
        assert [time for (time,) in found] == expected


def test_each_file_has_its_own_format(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.csv", "b.csv")]
    for path, form in zip(paths, ("%d/%m/%Y", "%m/%d/%Y"), strict=True):
        rows = (f"{path.stem}{row},m,{row % 5},{written(second, form)}" for row, second in enumerate(SECONDS))
        path.write_text("user,item,rating,time\n" + "\n".join(rows))
    ingest(database, paths, [], IngestConfig(min_reviews_per_reviewer=1), few=True)
    found = database.execute("select unix_review_time from reviews order by file, line").fetchall()
    assert [time for (time,) in found] == [second // 86_400 * 86_400 for second in SECONDS] * 2


def test_reviews_without_time_fall_outside_a_range_of_days(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    times = ["14.07.2017", "", "15.07.2017", "soon", "16.08.2017"]
    accounting, found = read(database, tmp_path, times, since="2017-07-15", until="2017-07-31")
    assert found == [1_500_076_800]
    assert accounting.filtered_by["since-until"] == 4


@pytest.mark.parametrize(
    ("texts", "order", "other"),
    [
        (["05.06.2017", "06.07.2017"], "day-first", "month-first"),
        (["10-11-12", "13-11-12"], "day-first", "year-first"),
        (["31-12-99", "10-11-12"], "day-first", None),
        (["17-oct-28", "17-oct-12"], "year-first", None),
        (["5/5/2017"], None, None),
        (["2017-10-28"], None, None),
        (["nonsense", "1.2.3.4", "oct", "may may 2017", "123", "2017 2018", "-"], None, None),
    ],
)
def test_the_order_that_makes_most_dates_possible_is_taken(
    texts: list[str], order: str | None, other: str | None
) -> None:
    found = read_dates(dict.fromkeys(texts, 1), LATEST)
    assert (found.order, found.other_order) == (order, other)


def test_one_wrong_time_does_not_make_all_others_old() -> None:
    import numpy as np

    rows, times = np.array([0] * 60 + [1] * 40), np.full(100, START)
    expected = decayed_popularity(rows, times, 2, 100.0) + np.array([0, 1])
    more = np.append(rows, 1)
    for odd in (START + 20 * 365 * 86_400, 0):
        np.testing.assert_allclose(decayed_popularity(more, np.append(times, odd), 2, 100.0), expected)


def test_a_review_without_time_is_older_than_the_same_review_with_one(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("user,item,rating,time\nu,m,1,14.07.2017\nu,m,2,soon\nu,n,3,\nv,m,4,15.07.2017\n")
    accounting = ingest(database, [path], [], IngestConfig(min_reviews_per_movie=1), few=True)
    assert accounting.duplicate == 1
    found = database.execute(
        "select movie_id, rating from reviews where reviewer_id = 'u' order by 1"
    ).fetchall()
    assert found == [("m", 1.0), ("n", 3.0)]
