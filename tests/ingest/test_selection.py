from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.sections import IngestConfig
from engine.errors import DataError, FilterError
from pipelines.ingest.ingest import ingest
from pipelines.work.database import open_database

if TYPE_CHECKING:
    import duckdb

DAY = 86_400
START = 1_262_304_000  # 2010-01-01


def write(path: Path, rows: list[tuple[str, str, float, int]]) -> Path:
    lines = [
        json.dumps({"reviewerID": reviewer, "asin": movie, "overall": rating, "unixReviewTime": time})
        for reviewer, movie, rating, time in rows
    ]
    path.write_text("\n".join(lines))
    return path


def core_of(pairs: set[tuple[str, str]], num_reviewer: int, num_movie: int) -> set[tuple[str, str]]:
    """The k-core, in plain Python."""
    while True:
        reviewers, movies = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
        kept = {
            (one, two) for one, two in pairs if reviewers[one] >= num_reviewer and movies[two] >= num_movie
        }
        if kept == pairs:
            return kept
        pairs = kept


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 12).map(lambda number: f"R{number}"),
            st.integers(0, 12).map(lambda number: f"M{number}"),
            st.integers(1, 5).map(float),
            st.integers(START, START + 5),
        ),
        min_size=1,
        max_size=120,
    ),
    num_reviewer=st.integers(1, 4),
    num_movie=st.integers(1, 4),
    cut=st.integers(0, 120),
)
def test_what_is_kept_is_what_plain_python_keeps(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, float, int]],
    num_reviewer: int,
    num_movie: int,
    cut: int,
) -> None:
    directory = tmp_path_factory.mktemp("core")
    files = [
        write(directory / f"{name}.json", part)
        for name, part in (("a", rows[:cut]), ("b", rows[cut:]))
        if part
    ]
    latest: dict[tuple[str, str], tuple[int, int, float]] = {}
    for place, (reviewer, movie, rating, time) in enumerate(rows):
        latest[reviewer, movie] = max(latest.get((reviewer, movie), (0, 0, 0.0)), (time, place, rating))
    core = core_of(set(latest), num_reviewer, num_movie)
    config = IngestConfig(min_reviews_per_reviewer=num_reviewer, min_reviews_per_movie=num_movie)
    database = open_database(directory / "work.duckdb", memory_limit="1GB")
    try:
        accounting = ingest(database, files, [], config)
    except DataError:
        assert len({one for one, _ in core}) < 2 or len({two for _, two in core}) < 2
        return
    else:
        found = database.execute(
            "select reviewer_id, movie_id, rating, unix_review_time from reviews"
        ).fetchall()
        assert {(one, two): (time, rating) for one, two, rating, time in found} == {
            pair: (latest[pair][0], latest[pair][2]) for pair in core
        }
        assert accounting.duplicate == len(rows) - len(latest)
        assert accounting.filtered_by["k-core"] == len(latest) - len(core)
        counted = dict(database.execute("select movie_id, movie_count from movies").fetchall())
        assert counted == Counter(two for _, two in core)
    finally:
        database.close()


GRID = [
    (f"R{r}", f"M{m}", float(1 + (r + m) % 5), START + (r * 4 + m) * DAY) for r in range(4) for m in range(4)
]


def test_the_days_of_since_and_until_are_kept_themselves(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    config = IngestConfig(
        since="2010-01-03", until="2010-01-12", min_reviews_per_reviewer=1, min_reviews_per_movie=1
    )
    accounting = ingest(database, [write(tmp_path / "r.json", GRID)], [], config)
    assert accounting.filtered_by["since-until"] == 6
    [(first, last)] = database.execute(
        "select min(review_time)::date::varchar, max(review_time)::date::varchar from reviews"
    ).fetchall()
    assert (first, last) == ("2010-01-03", "2010-01-12")


def test_the_latest_review_within_the_time_counts(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = [*GRID, ("R0", "M0", 5.0, START + 400 * DAY)]
    accounting = ingest(database, [write(tmp_path / "r.json", rows)], [], IngestConfig(until="2010-12-31"))
    assert (accounting.kept, accounting.duplicate, accounting.filtered_by["since-until"]) == (16, 0, 1)
    found = database.execute(
        "select rating from reviews where reviewer_id = 'R0' and movie_id = 'M0'"
    ).fetchall()
    assert found == [(1.0,)]


def test_reviews_without_a_time_fall_outside_any_time(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "views.csv"
    path.write_text(
        "user,item,time\na,x,2015-01-01\nb,x,\na,y,2016-05-05 10:00:00\nb,y,2016-05-05T10:00:00Z\n"
    )
    config = IngestConfig(since="2010-01-01", min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    assert ingest(database, [path], [], config).filtered_by["since-until"] == 1
    found = database.execute("select unix_review_time from reviews order by 1").fetchall()
    assert found == [(1420070400,), (1462442400,), (1462442400,)]


def test_only_verified_reviews(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = [
        {
            "reviewerID": f"R{r}",
            "asin": f"M{m}",
            "overall": 5,
            "verified": True if r < 2 else (None, False)[m],
        }
        for r in range(4)
        for m in range(2)
    ]
    path = tmp_path / "r.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    accounting = ingest(database, [path], [], IngestConfig(verified_only=True))
    assert (accounting.kept, accounting.filtered_by["unverified"]) == (4, 4)
    assert database.execute("select distinct verified from reviews").fetchall() == [(True,)]


def where(condition: str, **others: int) -> IngestConfig:
    return IngestConfig(
        where=condition, **{"min_reviews_per_reviewer": 1, "min_reviews_per_movie": 1} | others
    )  # type: ignore[arg-type]


@pytest.fixture
def grid(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    metadata = tmp_path / "meta.json"
    movies = [
        {"asin": f"M{number}", "title": f"Film {number} (199{number})", "price": f"${number}.50",
         "details": f'<a href="/dp/{number}">x</a>'}
        for number in range(3)
    ]  # fmt: skip
    metadata.write_text("\n".join(map(json.dumps, movies)))
    return [write(tmp_path / "r.json", [*GRID, ("R0", "M0", 3.0, START - DAY)])], [metadata]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("price < 2", 8),
        ("year >= 1991 and title like 'Film%'", 8),
        ("title is null or movie_id = 'M0'", 8),
        ("rating >= 4 and movie_id <> 'M0'", 6),
        ("movie_count = 4 and reviewer_count = 4", 16),
        ("list_contains(links, '/dp/1') or list_contains(links, '/dp/2')", 8),
        ("review_time < timestamp '2010-01-09'", 8),
        ("average_rating > 2.9", 12),
    ],
)
def test_a_condition_chooses_among_prepared_rows(
    database: duckdb.DuckDBPyConnection, grid: tuple[list[Path], list[Path]], condition: str, kept: int
) -> None:
    accounting = ingest(database, *grid, where(condition))
    assert accounting.kept == kept
    assert accounting.filtered_by["where"] == 16 - kept
    assert accounting.duplicate == 1
    if "links" in condition:
        found = database.execute("select movie_id, links from movies order by movie_row").fetchall()
        assert found == [("M1", ["/dp/1"]), ("M2", ["/dp/2"])]


def test_the_core_holds_after_the_condition(
    database: duckdb.DuckDBPyConnection, grid: tuple[list[Path], list[Path]]
) -> None:
    accounting = ingest(database, *grid, where("rating >= 3", min_reviews_per_reviewer=3))
    assert accounting.filtered_by["k-core"] > 0
    assert database.execute("select count(*) from reviewers where reviewer_count < 3").fetchall() == [(0,)]


def test_a_condition_over_words_reads_them_but_does_not_keep_them(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = [
        {"reviewerID": f"R{r}", "asin": f"M{m}", "overall": 5, "reviewText": "good" if r < 2 else "bad"}
        for r in range(4)
        for m in range(2)
    ]
    path = tmp_path / "r.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert ingest(database, [path], [], where("review_text = 'good'")).kept == 4
    assert database.execute("select distinct review_text from reviews").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("prise < 2", "did you mean price"),
        ("price <", "not a condition in SQL"),
        ("price in (select 1)", "subquery"),
        ("read_text('/etc/passwd') = ''", "read_text"),
        ("price < 'cheap'", "cannot be used"),
        ("cast(title as integer) > 1", "cannot be used"),
        ("title", "gives a value of type VARCHAR"),
        ("1", "gives a value of type INTEGER"),
        ("rating", "gives a value of type DOUBLE"),
        ("length(price, title, 3) > 1", "cannot be used"),
    ],
)
def test_a_condition_that_is_no_filter_is_refused(
    database: duckdb.DuckDBPyConnection, grid: tuple[list[Path], list[Path]], condition: str, message: str
) -> None:
    with pytest.raises(FilterError, match=message):
        ingest(database, *grid, where(condition))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (IngestConfig(since="2020-01-01"), r"No review is left \(since-until took 17\); widen --since"),
        (
            IngestConfig(verified_only=True),
            r"No review is left \(unverified took 17\); leave out --verified-only",
        ),
        (where("price > 100"), r"No review is left \(where took 16\); loosen --where"),
        (
            IngestConfig(min_reviews_per_movie=5),
            r"k-core took 16\); lower .*--min-reviews-per-movie \(now 5\)",
        ),
        (where("reviewer_id = 'R1'"), "Only one reviewer is left, with 4 reviews"),
        (where("movie_id = 'M1'"), "Only one movie is left, with 4 reviews"),
    ],
)
def test_too_little_left_says_which_filter_took_it_and_what_to_do(
    database: duckdb.DuckDBPyConnection,
    grid: tuple[list[Path], list[Path]],
    config: IngestConfig,
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        ingest(database, *grid, config)


@pytest.mark.parametrize(("rows", "what"), [([0, 1, 2, 3], "reviewer"), ([0, 4, 8, 12], "movie")])
def test_one_reviewer_or_one_movie_is_too_little(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, rows: list[int], what: str
) -> None:
    path = write(tmp_path / "r.json", [GRID[row] for row in rows])
    config = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    with pytest.raises(DataError, match=f"Only one {what} is left.*at least two reviewers and two movies"):
        ingest(database, [path], [], config)
