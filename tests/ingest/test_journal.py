"""A journal is a source of reviews beside files, in which several kinds of feedback leave one review."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.config.sections import IngestConfig
from engine.errors import DataError, SourceError
from engine.feedback.events import Event
from engine.feedback.journal import Journal
from engine.feedback.writing import JournalWriter
from pipelines.ingest.ingest import ingest

if TYPE_CHECKING:
    import duckdb

ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)


def journal_in(folder: Path, *events: tuple[Any, ...]) -> Path:
    """Writes a journal; each event is the reviewer, the movie, the kind, the rating and the time."""
    lines = [
        Event(id=str(number), reviewer_id=who, movie_id=movie, kind=kind, rating=rating, time=time)
        for number, (who, movie, kind, rating, time) in enumerate(events)
    ]
    JournalWriter(Journal(folder / "journal")).write([lines])
    return folder / "journal"


def kept(database: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    statement = "select reviewer_id, movie_id, rating, unix_review_time from reviews order by all"
    return database.execute(statement).fetchall()


def test_one_review_is_left_of_files_and_feedback(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(
        "user,item,rating,timestamp\n"
        "u1,m1,2,100\nu1,m2,5,100\nu1,m3,2,100\nu1,m4,2,100\nu1,m5,2,900\nu2,m1,1,100\n"
    )
    journal = journal_in(
        tmp_path,
        ("u1", "m1", "rating", 4.0, 200),
        ("u1", "m2", "purchase", 4.0, 200),
        ("u1", "m3", "purchase", 4.0, 200),
        ("u1", "m3", "purchase", 4.0, 300),
        ("u1", "m4", "click", 3.0, 200),
        ("u1", "m5", "purchase", 4.0, 200),
        ("u2", "m2", "click", 3.0, 200),
        ("u2", "m2", "click", 3.0, 300),
        ("u2", "m3", "click", 3.0, 200),
        ("u2", "m3", "purchase", 4.0, 300),
        ("u2", "m4", "purchase", 4.0, 200),
        ("u2", "m4", "dislike", 1.0, 300),
        ("u2", "m5", "hidden", None, 300),
    )
    accounting = ingest(database, [path, journal], (), ALL)
    assert kept(database) == [
        ("u1", "m1", 4.0, 200),
        ("u1", "m2", 5.0, 100),
        ("u1", "m3", 4.0, 200),
        ("u1", "m4", 2.0, 100),
        ("u1", "m5", 2.0, 900),
        ("u2", "m1", 1.0, 100),
        ("u2", "m2", 3.0, 200),
        ("u2", "m3", 4.0, 300),
        ("u2", "m4", 1.0, 300),
    ]
    assert (accounting.read, accounting.kept, accounting.duplicate) == (18, 9, 9)
    assert [(Path(file.path).name, file.rows) for file in accounting.files] == [
        ("reviews.csv", 6),
        ("journal", 12),
    ]


def test_options_for_the_columns_of_files_do_not_concern_a_journal(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("who,what,grade,day\nu1,m1,2,3.4.2020\nu1,m2,5,3.4.2020\n")
    journal = journal_in(tmp_path, ('u"2,', "m 1", "rating", 4.0, 200), ("15", "m2", "rating", 4.0, 200))
    columns = {"reviewer": "who", "movie": "what", "rating": "grade", "time": "day"}
    config = IngestConfig(
        min_reviews_per_reviewer=1, min_reviews_per_movie=1, columns=columns, time_format="day-first"
    )
    ingest(database, [path, journal], (), config)
    assert [row[:3] for row in kept(database)] == [
        ("15", "m2", 4.0),
        ('u"2,', "m 1", 4.0),
        ("u1", "m1", 2.0),
        ("u1", "m2", 5.0),
    ]


def test_a_journal_with_ratings_costs_no_file_without_ratings_a_row(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "views.csv"
    path.write_text("user,item\nu1,m1\nu1,m2\nu2,m1\n")
    journal = journal_in(
        tmp_path,
        ("u2", "m2", "rating", 4.0, 200),
        ("u3", "m1", "dislike", 1.0, 200),
        ("u3", "m2", "click", 3.0, 1),
    )
    accounting = ingest(database, [path, journal], (), ALL)
    assert [row[:3] for row in kept(database)] == [
        ("u1", "m1", None),
        ("u1", "m2", None),
        ("u2", "m1", None),
        ("u2", "m2", None),
        ("u3", "m2", None),
    ]
    assert accounting.rejected_by == {"dislike without ratings": 1}


def test_a_journal_alone_is_enough(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    journal = journal_in(tmp_path, ("u1", "m1", "rating", 4.0, 200), ("u2", "m2", "rating", 2.0, 200))
    ingest(database, [journal], (), ALL)
    assert len(kept(database)) == 2


def test_a_journal_without_reviews_and_a_folder_that_is_none_are_refused(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    journal = journal_in(tmp_path, ("u1", "m1", "hidden", None, 200))
    with pytest.raises(DataError, match="No review file was given"):
        ingest(database, [journal], (), ALL)
    with pytest.raises(SourceError, match="directory"):
        ingest(database, [tmp_path], (), ALL)
