from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.sections import IngestConfig
from pipelines.ingest.ingest import ingest

if TYPE_CHECKING:
    import duckdb

ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)
SPELLINGS = {
    "letter case": ("M{}a", "m{}A"),
    "leading zeros": ("00{}", "{}"),
    "spaces and punctuation": ("m-{}x", "m {}x"),
    "what stands before the number": ("tt{}", "movie/{}"),
}


@pytest.mark.parametrize("reason", SPELLINGS)
def test_ids_that_do_not_meet_are_explained_by_two_examples(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    ours, theirs = SPELLINGS[reason]
    log, movies = tmp_path / "log.csv", tmp_path / "movies.csv"
    log.write_text("user,item\n" + "".join(f"u,{ours.format(i)}\n" for i in range(11, 31)))
    movies.write_text("item,title\n" + "".join(f"{theirs.format(i)},Title {i}\n" for i in range(11, 31)))
    ingest(database, [log], [movies], ALL, few=True)
    assert f"the reviews have {ours.format(11)!r} and {ours.format(12)!r}" in caplog.text
    assert f"the metadata has {theirs.format(11)!r} and {theirs.format(12)!r}" in caplog.text
    assert f"Apart from {reason}, 20 ids are the same" in caplog.text


def test_metadata_of_many_of_the_movies_is_not_warned_of(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log, movies = tmp_path / "log.csv", tmp_path / "movies.csv"
    log.write_text("user,item,rating,time\nu,A,1,1\nu,B,2,2\n")
    movies.write_text("item,title\nA,One\nb,Two\n")
    ingest(database, [log], [movies], ALL, few=True)
    assert "describes" not in caplog.text
