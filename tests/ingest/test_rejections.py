from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.sections import IngestConfig
from engine.errors import DataError
from pipelines.ingest.ingest import ingest

if TYPE_CHECKING:
    import duckdb


def test_when_most_rows_are_rejected_the_error_is_about_them_and_not_about_the_core(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,rating\nu,m,4\n" + "".join(f"u{i},m,good\n" for i in range(9)))
    with pytest.raises(DataError) as raised:
        ingest(database, [path], [], IngestConfig())
    text = str(raised.value)
    assert text.startswith(f"Too few reviews are left, because 9 of the 10 rows of {path} were rejected")
    assert "9 of them because of 'rating is not a number', first in" in text
    assert "line 3: 'u0,m,good'; name the column of the ratings with --columns rating=NAME" in text
    assert "core" not in text
    assert "--min-reviews" not in text


def test_an_error_of_another_cause_stays_the_error(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,rating\nu,m,4\nv,n,5\nw,o,bad\n")
    with pytest.raises(DataError, match=r"No review is left .*k-core"):
        ingest(database, [path], [], IngestConfig())


def test_many_rejected_rows_are_warned_of_even_if_enough_are_left(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log.csv"
    kept = [f"{user},{item},4" for user in "uv" for item in "mn"]
    path.write_text("\n".join(["user,item,rating", *kept, *["u,,4"] * 5]))
    ingest(database, [path], [], IngestConfig())
    assert f"5 of the 9 rows of {path} were rejected: 5 of them because of 'no movie id'" in caplog.text
