from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.config.sections import IngestConfig
from engine.errors import ConfigError, SourceError
from pipelines.ingest.ingest import ingest
from pipelines.reading.names import LOG_COLUMNS, match_columns

if TYPE_CHECKING:
    import duckdb


def config(**columns: str) -> IngestConfig:
    return IngestConfig(columns=columns, min_reviews_per_reviewer=1, min_reviews_per_movie=1)


def read(database: duckdb.DuckDBPyConnection, path: Path, text: str, **columns: str) -> list[tuple[Any, ...]]:
    path.write_text(text)
    ingest(database, [path], [], config(**columns), few=True)
    return database.execute(
        "select reviewer_id, movie_id, rating, unix_review_time from reviews order by 1, 2"
    ).fetchall()


HEADERS = {
    "marketplace customer_id review_id product_id product_title star_rating review_date": (1, 3, 5, 6),
    "reviewerID asin overall unixReviewTime": (0, 1, 2, 3),
    "user_id parent_asin asin rating timestamp": (0, 1, 3, 4),
    "User-ID ISBN Book-Rating": (0, 1, 2, None),
    "user_id:token item_id:token rating:float timestamp:float": (0, 1, 2, 3),
    "product/productId review/userId review/profileName review/score review/time": (1, 0, 3, 4),
    "Id ProductId UserId ProfileName Score Time": (2, 1, 4, 5),
    "user_id book_id is_read rating date_added": (0, 1, 3, 4),
    "review_id user_id business_id stars date": (1, 2, 3, 4),
    "Cust_Id Movie_Id Rating Date": (0, 1, 2, 3),
    "userID artistID weight": (0, 1, 2, None),
    "user artist track plays": (0, 2, 3, None),
    "app_id user_id recommended hours date": (1, 0, 2, 4),
    "user item stars at note": (0, 1, 2, 3),
    '"userId" "movieId" "rating" "ts"': (0, 1, 2, 3),
}


@pytest.mark.parametrize("header", HEADERS)
def test_the_names_of_well_known_data_sets_are_recognised(header: str) -> None:
    places = match_columns(header.split(), {}, LOG_COLUMNS)
    assert tuple(map(places.get, ("reviewer", "movie", "rating", "time"))) == HEADERS[header]


def test_each_reading_says_what_each_column_was_taken_for(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path, movies = tmp_path / "log.csv", tmp_path / "movies.csv"
    path.write_text("user,movie,stars,at,note\nu,m,4,1300000000,x\nv,n,5,1300000001,y\n")
    movies.write_text("id;name;colour\nm;One;red\n")
    ingest(database, [path], [movies], config(), few=True)
    assert f"{path}: using user as reviewer, movie, stars as rating, at as time; ignored: note" in caplog.text
    assert f"{movies}: using id as movie, name as title; ignored: colour" in caplog.text
    assert "No column of" not in caplog.text


def test_missing_ratings_and_times_are_warned_of_and_a_column_of_numbers_is_asked_about(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = read(database, tmp_path / "log.csv", "user,grade,item,text\nu,4,m,a\nv,5,m,b\nv,3,n,c\n")
    assert found == [("u", "m", None, None), ("v", "m", None, None), ("v", "n", None, None)]
    assert "No column of ratings or times was found among user, grade, item, text" in caplog.text
    assert "Is grade (4, 5, 3) the rating? Say --columns rating=grade." in caplog.text


def test_a_column_that_is_left_out_is_neither_used_nor_warned_of(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "user,item,rating,time\nu,m,4,some day\nv,n,5,\n"
    found = read(database, tmp_path / "log.csv", text, rating="", time="")
    assert found == [("u", "m", None, None), ("v", "n", None, None)]
    assert "No column" not in caplog.text


def test_columns_are_named_by_position_too(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = "1::10::x::4::1300000000\n2::10::x::5::1300000001\n"
    found = read(database, tmp_path / "log", rows, reviewer="2", movie="1", rating="4", time="5")
    assert found == [("10", "1", 4.0, 1300000000), ("10", "2", 5.0, 1300000001)]


def test_fields_of_json_are_named_and_recognised_like_columns(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = [
        {"user": {"id": 7, "name": "Ann"}, "business.id": "b/1", "stars": 4, "when": 1300000000},
        {"user": {"id": 8, "name": "Bo"}, "business.id": "b~2", "stars": 2.5, "when": 1300000001},
    ]
    text = "\n".join(map(json.dumps, rows)) + "\nbroken\n"
    expected = [("7", "b/1", 4.0, 1300000000), ("8", "b~2", 2.5, 1300000001)]
    assert read(database, tmp_path / "log.json", text) == expected
    names = {"reviewer": "user.name", "movie": "business.id", "rating": "stars", "time": "when"}
    named = read(database, tmp_path / "log.json", text, **names)
    assert named == [("Ann", *expected[0][1:]), ("Bo", *expected[1][1:])]
    assert database.execute("select line, reason from rejected").fetchall() == [(3, "not a JSON object")]


def test_an_object_is_no_id_but_a_text_that_looks_like_one_is(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = [{"user": "{u", "item": "[m"}, {"user": ["u"], "item": "m"}, {"user": "u", "item": None}]
    text = "\n".join(map(json.dumps, rows))
    assert read(database, tmp_path / "log.json", text) == [("{u", "[m", None, None)]
    reasons = database.execute("select line, reason from rejected order by 1").fetchall()
    assert reasons == [(2, "no reviewer id"), (3, "no movie id")]


def test_reviews_that_describe_their_movies_do_so_like_metadata(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path, movies = tmp_path / "log.csv", tmp_path / "movies.csv"
    path.write_text(
        'user,item,rating,movie_title,genres,cost\nu,m,4,,Drama|War,$9.50\nv,m,5,"One (1999)",Other,1\n'
        "u,n,1,Two,,\n"
    )
    movies.write_text("item,title\nn,Better\n")
    accounting = ingest(database, [path], [movies], config(price="cost"), few=True)
    found = database.execute(
        "select movie_id, title, category, price, year from movies order by 1"
    ).fetchall()
    assert found == [("m", "One (1999)", "Drama | War", 9.5, 1999), ("n", "Better", None, None, None)]
    assert accounting.metadata.lines_read == 1
    assert accounting.metadata.reviewed_without_metadata == 0


def test_the_columns_of_movies_are_named_in_tables_and_in_json(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path, table, lines = tmp_path / "log.csv", tmp_path / "movies.csv", tmp_path / "movies.json"
    path.write_text("user,item,rating\nu,m,4\nv,n,5\n")
    table.write_text("item,label,what,cost\nm,One,Drama,9.5\n")
    lines.write_text(
        json.dumps({"item": "n", "label": {"en": "Two"}, "what": ["War", "Art"], "cost": 3}) + "\n[]\n"
    )
    names = {"title": "label", "category": "what", "price": "cost"}
    for file, row in ((table, ("m", "One", "Drama", 9.5)), (lines, ("n", "Two", "War | Art", 3.0))):
        columns = names | ({"title": "label.en"} if file == lines else {})
        ingest(database, [path], [file], config(**columns), few=True)
        found = database.execute("select movie_id, title, category, price from movies").fetchall()
        assert row in found


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"reviewer": "usr"},
            r"reviewer is in the column 'usr'.*did you mean 'user'\?.*columns are user, item",
        ),
        ({"title": "name"}, "title is in the column 'name', which"),
        ({"timestamp": "at"}, r"not 'timestamp' \(did you mean 'time'\?\)"),
        ({"user": "reviewer"}, r"not 'user' \(did you mean reviewer=user\?\)"),
        ({"raring": "x"}, r"not 'raring' \(did you mean 'rating'\?\)"),
        ({"reviewer": "9"}, "which .* does not have"),
    ],
)
def test_a_name_that_no_file_has_is_an_error(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read(database, tmp_path / "log.csv", "user,item,rating\nu,m,4\n", **columns)


def test_a_name_that_one_file_has_is_used_there(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("user,item,grade\nu,m,4\n")
    two.write_text("user,item,rating\nv,m,5\n")
    ingest(database, [one, two], [], config(rating="grade"), few=True)
    assert database.execute("select rating from reviews order by 1").fetchall() == [(4.0,), (5.0,)]


def test_a_file_without_known_names_says_how_to_name_them(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=r"columns are who, what; .*--columns reviewer=NAME,movie=NAME"):
        read(database, tmp_path / "log.csv", "who,what\nu,m\n")


IDS = {
    "\u00a0m1\u3000": "m1",
    "\tm1 ": "m1",
    "nan": None,
    " NULL ": None,
    "Null": "Null",
    "a b": "a b",
    "é": "é",
}


@pytest.mark.parametrize("raw", IDS)
def test_ids_lose_the_space_around_them_and_words_for_nothing_are_no_ids(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, raw: str
) -> None:
    path, lines = tmp_path / "log.csv", tmp_path / "log.json"
    path.write_text(f'user,item\n"{raw}","{raw}"\nv,w\n')
    amazon = {"reviewerID": raw, "asin": raw, "overall": 4, "unixReviewTime": 1}
    other = {"user": raw, "item": raw, "rating": 3}
    for rows in ([amazon, amazon | {"reviewerID": "v"}], [other, {**other, "user": "v", "item": "w"}]):
        lines.write_text("\n".join(map(json.dumps, rows)))
        ingest(database, [lines, path], [], config(), few=True)
        found = {row for (row,) in database.execute("select reviewer_id from reviewers").fetchall()}
        assert found == {"v", IDS[raw]} - {None}


@pytest.mark.parametrize("side", ["reviews", "metadata"])
def test_ids_that_are_all_whole_numbers_meet_with_and_without_a_decimal_point(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, side: str
) -> None:
    log, movies = tmp_path / "log.csv", tmp_path / "movies.csv"
    ours, theirs = (".0", "") if side == "reviews" else ("", ".0")
    log.write_text(f"user,item\nu1.0,10{ours}\nu2,20{ours}\n")
    movies.write_text(f"item,title\n10{theirs},One\n20,Two\n30{theirs},Three\n")
    ingest(database, [log], [movies], config(), few=True)
    found = database.execute("select movie_id, title from movies order by 1").fetchall()
    assert found == [("10", "One"), ("20", "Two")]
    assert database.execute("select count(*) from reviews where reviewer_id = 'u1.0'").fetchall() == [(1,)]


def test_a_table_without_header_is_read_by_the_numbers_of_its_columns(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "log.csv"
    path.write_text("matrix,ann\nmatrix,bob\nheat,bob\n")
    numbered = replace(config(movie="1", reviewer="2"), no_header=True)
    ingest(database, [path], [], numbered, few=True)
    assert database.execute("select count(*) from reviews where movie_id = 'matrix'").fetchall() == [(2,)]
    assert f"{path} has no header line: using column 2 as reviewer, column 1 as movie" in caplog.text


def test_the_order_of_amazons_columns_is_told_by_the_ids(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = [
        f"{movie},A{i}B2C3D4E5F6G7,5.0,1300000000" for i in range(3) for movie in ("B000000001", "0000000002")
    ]
    found = read(database, tmp_path / "ratings.csv", "\n".join(rows))
    assert found[0] == ("A0B2C3D4E5F6G7", "0000000002", 5.0, 1300000000)
    assert len(found) == 6


def test_a_header_that_looks_like_data_says_how_to_read_it(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("x,7\na,b\nc,d\n")
    with pytest.raises(SourceError, match="or say --no-header if the first line is no header"):
        ingest(database, [path], [], IngestConfig(format="table"))


def test_a_long_name_of_a_column_is_cut_in_messages(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"who,{'long ' * 1000},stars\n" + "a,b,5\nb,b,4\n")
    with pytest.raises(
        SourceError, match=r"its columns are who, (long ){7}lo\.\.\., stars; say it"
    ) as raised:
        ingest(database, [path], [], IngestConfig())
    assert len(str(raised.value)) < 500
