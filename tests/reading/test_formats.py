from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.config.sections import IngestConfig
from pipelines.ingest.ingest import ingest

if TYPE_CHECKING:
    import duckdb

ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)
EXPECTED = [("1", "10", 4.0, 1262304000), ("1", "20", 2.5, 1293840000), ("2", "10", 5.0, 1325376000)]


def found(database: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return database.execute(
        "select reviewer_id, movie_id, rating, unix_review_time from reviews order by reviewer_row, movie_row"
    ).fetchall()


def amazon_2018(row: tuple[str, str, float, int]) -> str:
    reviewer, movie, rating, time = row
    return json.dumps({"reviewerID": reviewer, "asin": movie, "overall": rating, "unixReviewTime": time})


def amazon_2014(row: tuple[str, str, float, int]) -> str:
    return json.dumps(json.loads(amazon_2018(row)) | {"helpful": [2, 3], "reviewTime": "01 1, 2010"})


def amazon_2023(row: tuple[str, str, float, int]) -> str:
    reviewer, movie, rating, time = row
    return json.dumps({
        "user_id": reviewer, "parent_asin": movie, "asin": "another", "rating": rating,
        "timestamp": time * 1000 + 123, "verified_purchase": True, "text": "Words.",
        "title": "The review's title", "helpful_vote": 7,
    })  # fmt: skip


LINES = {
    "amazon 2018": amazon_2018,
    "amazon 2014": amazon_2014,
    "amazon 2023": amazon_2023,
    "u.data": lambda row: "\t".join(map(str, row)),
    "ratings.dat": lambda row: "::".join(map(str, row)),
    "csv": lambda row: ",".join(map(str, row)),
    "quoted csv": lambda row: ",".join(f'"{value}"' for value in row),
    "tsv": lambda row: "\t".join(map(str, row)),
    "milliseconds": lambda row: ";".join(map(str, (*row[:3], row[3] * 1000))),
    "named columns": lambda row: ",".join(["skip", *map(str, reversed(row))]),
}
HEADERS = {
    "csv": "userId,movieId,rating,timestamp",
    "quoted csv": '"user_id","item_id","stars","time"',
    "tsv": "reviewer_id\tmovie_id\trating\tunix_review_time",
    "milliseconds": "User;Item;Score;Date",
    "named columns": "x,when,how good,thing,who",
}
NAMED = {"reviewer": "who", "movie": "thing", "rating": "how good", "time": "when"}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", LINES)
def test_every_format_gives_the_same_reviews(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, compressed: bool
) -> None:
    text = "\n".join([*([HEADERS[name]] if name in HEADERS else []), *map(LINES[name], EXPECTED)])
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    config = IngestConfig(
        columns=NAMED if name == "named columns" else {}, min_reviews_per_reviewer=1, min_reviews_per_movie=1
    )
    accounting = ingest(database, [path], [], config)
    assert found(database) == EXPECTED
    assert (accounting.read, accounting.kept) == (3, 3)


@pytest.mark.parametrize("time", ["unix", "timestamp"])
def test_parquet_is_read(database: duckdb.DuckDBPyConnection, tmp_path: Path, time: str) -> None:
    path = str(tmp_path / "ratings.parquet")
    when = "time" if time == "unix" else "make_timestamp(time::bigint * 1000000)"
    database.execute(
        "create temp table given as select * from "
        "(values (1, 10, 4.0, 1262304000), (1, 20, 2.5, 1293840000), "
        "(2, 10, 5.0, 1325376000), (2, null, 5.0, 1325376000)) as t (userId, movieId, rating, time)"
    )
    database.sql(f"select * replace ({when} as time) from given").write_parquet(path)
    accounting = ingest(database, [Path(path)], [], ALL)
    assert found(database) == EXPECTED
    assert accounting.rejected_by == {"no movie id": 1}
    assert database.execute("select line from rejected").fetchall() == [(4,)]


def test_files_of_different_formats_are_one_source(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("\n".join(map(amazon_2018, EXPECTED)))
    second.write_text("\n".join([HEADERS["csv"], "1,10,1,1262304000", "3,10,3,1325376000"]))
    accounting = ingest(database, [first, second], [], ALL)
    assert [(file.path, file.rows) for file in accounting.files] == [(str(first), 3), (str(second), 2)]
    assert accounting.duplicate == 1
    # Equally late: the one in the later file counts.
    assert found(database)[0] == ("1", "10", 1.0, 1262304000)


def test_the_words_of_a_review_are_kept_where_asked_for(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.json"
    path.write_text("\n".join(map(amazon_2023, EXPECTED)))
    ingest(database, [path], [], ALL, keep_text=True)
    columns = "review_text, summary, vote, verified"
    assert database.execute(f"select distinct {columns} from reviews").fetchall() == [
        ("Words.", "The review's title", 7, True)
    ]
    ingest(database, [path], [], ALL)
    assert database.execute(f"select distinct {columns} from reviews").fetchall() == [(None, None, 7, True)]


MOVIE_FILES = {
    "u.item": (
        "10|Amélie (2001)|01-Jan-2001||http://imdb/10|0|0|0|0|0|1|0|0|0|0|0|0|0|0|1|0|0|0|0\n"
        "20|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0",
        ["http://imdb/10"],
    ),
    "movies.dat": ("10::Amélie (2001)::Comedy|Romance\n20::unknown::", None),
    "movies.csv": (
        'movieId,title,genres\n10,"Amélie (2001)",Comedy|Romance\n20,unknown,(no genres listed)',
        None,
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("name", MOVIE_FILES)
def test_the_movie_file_beside_movielens_ratings_is_taken(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, encoding: str
) -> None:
    text, links = MOVIE_FILES[name]
    (tmp_path / name).write_bytes(text.encode(encoding))
    ratings = tmp_path / "u.data"
    ratings.write_text("\n".join("\t".join(map(str, row)) for row in EXPECTED))
    accounting = ingest(database, [ratings], [], ALL)
    assert accounting.metadata.movies_described == 2
    movies = database.execute("select movie_id, title, category, year, links from movies").fetchall()
    assert movies == [
        ("10", "Amélie (2001)", "Comedy | Romance", 2001, links),
        ("20", "unknown", None, None, None),
    ]


def test_a_movie_file_that_was_given_is_taken_sooner_than_the_one_beside(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n10,Beside,x\n")
    given = tmp_path / "given.csv"
    given.write_text("item_id;name;year\n10;Given;1999\n")
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("\n".join([HEADERS["csv"], *(",".join(map(str, row)) for row in EXPECTED)]))
    ingest(database, [ratings], [given], ALL)
    assert database.execute("select title, year from movies order by movie_row").fetchall() == [
        ("Given", 1999),
        (None, None),
    ]


def test_metadata_in_parquet_is_read(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    ratings, movies = tmp_path / "r.csv", tmp_path / "movies.parquet"
    ratings.write_text("\n".join([HEADERS["csv"], *(",".join(map(str, row)) for row in EXPECTED)]))
    database.sql(
        "select 10 as movieId, 'A film (1980)' as title, ['Drama', 'War'] as genres, "
        "9.5 as price, 1981 as year"
    ).write_parquet(str(movies))
    ingest(database, [ratings], [movies], ALL)
    movie = database.execute(
        "select title, category, price, year from movies where movie_id = '10'"
    ).fetchall()
    assert movie == [("A film (1980)", "Drama | War", 9.5, 1981)]
