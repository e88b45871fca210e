from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config.sections import IngestConfig
from engine.errors import DataError
from pipelines.ingest.accounting import Accounting, FileAccount, write_rejected
from pipelines.ingest.ingest import ingest
from pipelines.work.database import open_database

if TYPE_CHECKING:
    import duckdb

ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)


def review(reviewer: object, movie: object, **fields: object) -> dict[str, Any]:
    return {"reviewerID": reviewer, "asin": movie, "overall": 4.0, "unixReviewTime": 1352419200} | fields


GOOD = [json.dumps(review(f"R{number % 3}", f"M{number // 3}")) for number in range(6)]

DIRT = {
    "this is not JSON": "not a JSON object",
    '{"overall": 5.0, "reviewerID": "A': "not a JSON object",
    "[1, 2]": "not a JSON object",
    "null": "not a JSON object",
    '"text"': "not a JSON object",
    json.dumps({"asin": "M1", "overall": 3.0}): "no reviewer id",
    json.dumps(review("", "M1")): "no reviewer id",
    json.dumps(review(" ", "M1")): "no reviewer id",
    json.dumps(review(None, "M1")): "no reviewer id",
    json.dumps(review(["R"], "M1")): "no reviewer id",
    json.dumps(review({"id": "R"}, "M1")): "no reviewer id",
    json.dumps({"reviewerID": "R1", "overall": 3.0}): "no movie id",
    json.dumps(review("R1", ["M1"])): "no movie id",
    json.dumps({"reviewerID": "R1", "asin": "M1"}): "no rating",
    json.dumps(review("R1", "M1", overall=None)): "no rating",
    json.dumps(review("R1", "M1", overall="five")): "rating is not a number",
    json.dumps(review("R1", "M1", overall=True)): "rating is not a number",
    json.dumps(review("R1", "M1", overall=[5])): "rating is not a number",
    json.dumps(review("R1", "M1", overall=float("nan"))): "rating is not finite",
    json.dumps(review("R1", "M1", overall=float("inf"))): "rating is not finite",
    json.dumps(review("R1", "M1", overall=float("-inf"))): "rating is not finite",
    json.dumps(review("R1", "M1", overall=-1e300)): "rating is out of range",
}


@pytest.mark.parametrize(("line", "reason"), DIRT.items())
def test_a_bad_row_is_rejected_with_its_file_line_and_reason(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, line: str, reason: str
) -> None:
    path = tmp_path / "reviews.json"
    path.write_text("\n".join([*GOOD[:3], "", line, "  ", *GOOD[3:]]))
    accounting = ingest(database, [path], [], ALL)
    assert (accounting.read, accounting.kept, accounting.rejected_by) == (7, 6, {reason: 1})
    assert database.execute("from rejected").fetchall() == [(str(path), 5, reason, line)]


def test_a_line_that_is_not_utf8_is_read_as_windows_1252_and_its_neighbours_are_not(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "reviews.json"
    legacy = json.dumps(review("R1", "Amélie"), ensure_ascii=False).encode("cp1252")
    path.write_bytes(
        "\n".join(GOOD).encode() + b"\n" + legacy + b"\n" + GOOD[0].replace("R0", "Zoë").encode()
    )
    accounting = ingest(database, [path], [], ALL)
    assert (accounting.kept, accounting.rejected) == (8, 0)
    assert {"Amélie"} <= {movie for (movie,) in database.execute("select movie_id from movies").fetchall()}
    assert {"Zoë"} <= {name for (name,) in database.execute("select reviewer_id from reviewers").fetchall()}
    assert "not UTF-8 and were read as Windows-1252: 1" in caplog.text


def test_the_rejected_go_into_a_ledger(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path, metadata = tmp_path / "reviews.json", tmp_path / "meta.json"
    path.write_text("\n".join([*GOOD, "x" * 2000, "{}"]))
    metadata.write_text('{"asin": "M1", "title": "One"}\nbroken\n')
    accounting = ingest(database, [path], [metadata], ALL)
    assert accounting.metadata.lines_rejected == 1
    assert write_rejected(database, tmp_path / "rejected.parquet") == 3
    rows = database.execute("from read_parquet($1)", [str(tmp_path / "rejected.parquet")]).fetchall()
    assert rows == [
        ("review", str(path), 7, "not a JSON object", "x" * 500),
        ("review", str(path), 8, "no reviewer id", "{}"),
        ("metadata", str(metadata), 2, "not a JSON object", "broken"),
    ]


IDS = [
    "x" * 10_000,
    "日本語 🎬",
    "line\nbreak",
    'quo"te',
    "back\\slash",
    "tab\there",
    "{brace",
    "[list",
    "'",
    "a,b",
    "é",
]


def test_strange_ids_survive(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "reviews.json"
    path.write_text("\n".join(json.dumps(review(reviewer, movie)) for reviewer in IDS for movie in IDS))
    accounting = ingest(database, [path], [], ALL)
    assert accounting.kept == len(IDS) ** 2
    by_bytes = sorted(IDS, key=lambda text: text.encode())
    for kind in ("reviewer", "movie"):
        found = database.execute(f"select {kind}_row, {kind}_id from {kind}s order by 1").fetchall()
        assert found == list(enumerate(by_bytes))


def test_strange_ids_survive_in_csv(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    import csv

    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("user", "item"), *((one, two) for one in IDS for two in IDS)])
    ingest(database, [path], [], ALL)
    found = [row for (row,) in database.execute("select movie_id from movies order by movie_row").fetchall()]
    assert found == sorted(IDS, key=lambda text: text.encode())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_marks_and_line_ends_make_no_difference(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, end: str, mark: str, last: bool
) -> None:
    table, lines = tmp_path / "ratings.csv", tmp_path / "reviews.json"
    rows = ["userId,movieId,rating", "1,10,3.5", "2,10,4", "2,11,", "3,11,4.5"]
    table.write_bytes((mark + end.join(rows) + (end if last else "")).encode())
    lines.write_bytes((mark + end.join(GOOD) + (end if last else "")).encode())
    accounting = ingest(database, [table, lines], [], ALL)
    assert [file.rows for file in accounting.files] == [4, 6]
    assert accounting.rejected_by == {"no rating": 1}
    assert database.execute("select line, text from rejected").fetchall() == [(4, "2,11,")]


def test_a_source_without_any_rating_has_null_ratings(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "views.csv"
    path.write_text("user,item\na,x\nb,x\na,y\nb,y\n")
    accounting = ingest(database, [path], [], IngestConfig())
    assert (accounting.kept, accounting.rejected) == (4, 0)
    assert database.execute("select distinct rating, unix_review_time from reviews").fetchall() == [
        (None, None)
    ]
    assert database.execute("select distinct average_rating from movies").fetchall() == [(None,)]


def test_numbers_as_texts_and_numeric_ids_are_read(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.json"
    rows = [
        review(1, 10, overall="4.5", vote="1,234"),
        review(2, 10, overall="3", unixReviewTime="1352419200"),
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n" + json.dumps(review(2, 11)))
    ingest(database, [path], [], ALL)
    found = database.execute("select reviewer_id, rating, vote from reviews order by 1, movie_row").fetchall()
    assert found == [("1", 4.5, 1234), ("2", 3.0, None), ("2", 4.0, None)]


def test_a_record_over_several_lines_carries_the_line_that_it_begins_on(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text('user,item,rating\n"a\nb",x,1\nc,x,bad\n\n"d\n\n",y,\nc,y,2\ne\n')
    accounting = ingest(database, [path], [], ALL)
    assert accounting.read == 5
    assert database.execute("select line, reason from rejected order by line").fetchall() == [
        (4, "rating is not a number"),
        (6, "no rating"),
        (10, "wrong number of fields"),
    ]


ROWS = st.lists(
    st.one_of(
        st.builds(
            lambda reviewer, movie, rating, time: json.dumps(
                review(f"R{reviewer}", f"M{movie}", overall=rating, unixReviewTime=time, verified=rating > 2)
            ),
            st.integers(0, 5),
            st.integers(0, 5),
            st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0]),
            st.integers(1_300_000_000, 1_500_000_000),
        ),
        st.sampled_from([*DIRT, "", "   "]),
        st.text(max_size=20).map(lambda text: "#" + "".join(text.split())),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=ROWS,
    config=st.sampled_from([ALL, IngestConfig(), IngestConfig(since="2012-06-01", verified_only=True)]),
)
def test_the_account_adds_up_whatever_the_dirt(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], config: IngestConfig
) -> None:
    directory = tmp_path_factory.mktemp("dirt")
    path = directory / "reviews.json"
    path.write_text("\n".join([GOOD[0], *rows]), encoding="utf-8", errors="surrogatepass")
    database = open_database(directory / "work.duckdb", memory_limit="1GB")
    try:
        accounting = ingest(database, [path], [], config)
    except DataError as error:
        assert "left" in str(error) or "can be used" in str(error)  # noqa: PT017
    else:
        num_rows = 1 + sum(bool(row.strip(" \t\r")) for row in rows)
        assert accounting.read == num_rows
        whole = accounting.kept + accounting.duplicate + accounting.filtered + accounting.rejected
        assert whole == num_rows
        [(num_rejected,)] = database.execute("select count(*) from rejected").fetchall()
        assert num_rejected == accounting.rejected
    finally:
        database.close()


def test_an_account_that_does_not_add_up_is_an_error() -> None:
    with pytest.raises(DataError, match="Rows went missing: 5 read"):
        Accounting(read=5, kept=3, duplicate=1, files=[FileAccount(path="x", rows=5)])


def test_the_account_reads_well() -> None:
    accounting = Accounting(
        read=5000,
        kept=4000,
        duplicate=41,
        filtered_by={"where": 0, "k-core": 900},
        rejected_by={"no rating": 59},
        files=[FileAccount(path="a.gz", rows=5000, truncated=True)],
    )
    assert str(accounting) == (
        "5,000 rows read = 4,000 kept + 41 duplicate + 900 filtered (k-core 900) "
        "+ 59 rejected (no rating 59); cut off early: a.gz"
    )
    assert json.loads(json.dumps(accounting.to_dict()))["files"][0]["truncated"] is True
