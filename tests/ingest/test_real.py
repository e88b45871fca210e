from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.ingest.ingest import ingest

if TYPE_CHECKING:
    import duckdb

pytestmark = pytest.mark.real
ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)


@pytest.mark.parametrize(
    ("name", "read", "duplicate", "reviewers", "movies"),
    [
        ("amazon-2018-movies-sample/Movies_and_TV.json", 5_000, 41, 4_624, 61),
        ("amazon-2018-magazine/Magazine_Subscriptions_5.json.gz", 2_375, 73, 348, 157),
        ("amazon-2014-truncated/Movies_and_TV_5_sample.json", 999, 0, None, None),
        ("movielens-100k/u.data", 100_000, 0, 943, 1_682),
        ("movielens-100k/u1.base", 80_000, 0, 943, 1_650),
        ("movielens-100k/u1.test", 20_000, 0, 459, 1_410),
        ("movielens-latest-small/ratings.csv", 100_836, 0, 610, 9_724),
    ],
)
def test_real_files_are_read_to_the_last_row(
    database: duckdb.DuckDBPyConnection,
    real_data: Path,
    name: str,
    read: int,
    duplicate: int,
    reviewers: int | None,
    movies: int | None,
) -> None:
    accounting = ingest(database, [real_data / name], [], ALL)
    assert (accounting.read, accounting.duplicate, accounting.rejected) == (read, duplicate, 0)
    assert accounting.kept == read - duplicate
    counts = database.execute(
        "select count(distinct reviewer_row), count(distinct movie_row), count(*) - count(rating), "
        "count(*) - count(unix_review_time) from reviews"
    ).fetchall()
    assert counts[0][2:] == (0, 0)
    if reviewers:
        assert counts[0][:2] == (reviewers, movies)


def test_dirty_metadata_is_cleaned_and_multiplies_nothing(
    database: duckdb.DuckDBPyConnection, real_data: Path
) -> None:
    folder = real_data / "amazon-2018-magazine"
    accounting = ingest(
        database,
        [folder / "Magazine_Subscriptions_5.json.gz"],
        [folder / "meta_Magazine_Subscriptions.json.gz"],
        ALL,
    )
    metadata = accounting.metadata
    assert (metadata.lines_read, metadata.movies_described, metadata.lines_repeated) == (3_385, 2_320, 1_065)
    assert (metadata.lines_rejected, metadata.reviewed_without_metadata) == (0, 6)
    assert metadata.unreadable_fields["title"] > 100
    assert accounting.kept == 2_375 - 73
    assert database.execute("select count(*) from movies").fetchall() == [(157,)]
    assert database.execute("select count(*) from movies where title like '%<%' or price < 0").fetchall() == [
        (0,)
    ]
    [(titles, ranks)] = database.execute("select count(title), count(rank) from movies").fetchall()
    assert titles == 3
    assert ranks > 0


def test_truncated_files_say_how_much_could_be_read(
    database: duckdb.DuckDBPyConnection, real_data: Path
) -> None:
    folder = real_data / "amazon-2014-truncated"
    reviews, metadata = folder / "reviews_Digital_Music_5.json.gz", folder / "meta_Digital_Music.json.gz"
    with pytest.raises(SourceError, match=r"6,908 complete rows.*--allow-truncated"):
        ingest(database, [reviews], [], ALL)
    with pytest.raises(SourceError, match=r"meta_Digital_Music.*7,419 complete rows.*--allow-truncated"):
        ingest(database, [folder / "Movies_and_TV_5_sample.json"], [metadata], ALL)
    allowed = IngestConfig(allow_truncated=True, min_reviews_per_reviewer=1, min_reviews_per_movie=1)
    accounting = ingest(database, [reviews], [metadata], allowed)
    assert (accounting.read, accounting.rejected) == (6_908, 0)
    assert accounting.metadata.lines_read == 7_419
    assert accounting.truncated == (str(reviews), str(metadata))
    assert "cut off early" in str(accounting)


@pytest.mark.parametrize("name", ["movielens-100k/u1.base", "movielens-latest-small/ratings.csv"])
def test_movielens_movies_are_found_beside_the_ratings(
    database: duckdb.DuckDBPyConnection, real_data: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="pipelines.ingest.ingest"):
        accounting = ingest(database, [real_data / name], [], IngestConfig())
    assert accounting.metadata.reviewed_without_metadata == 0
    assert "lies beside the ratings" in caplog.text
    [movie] = database.execute("select title, year, category from movies where movie_id = '1'").fetchall()
    assert movie[:2] == ("Toy Story (1995)", 1995)
    assert "Comedy" in movie[2]
