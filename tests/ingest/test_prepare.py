from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.sections import Config, IngestConfig
from engine.errors import ConfigError, DataError
from pipelines.ingest.prepare import prepare
from pipelines.ingest.selection import PREPARED_COLUMNS

if TYPE_CHECKING:
    import duckdb

CONFIG = Config(ingest=IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1))
TEXT = 'Two\nlines, "quoted"; one, two\u2028three'


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    reviews, metadata = tmp_path / "reviews.json", tmp_path / "meta.json"
    rows = [
        {"reviewerID": f"R{r}\n", "asin": f"M{m}", "overall": 1 + r, "unixReviewTime": 1262304000,
         "reviewText": TEXT, "summary": "é", "style": {"Format:": " DVD"}, "vote": "1,000", "verified": True}
        for r in range(3) for m in range(2)
    ]  # fmt: skip
    reviews.write_text("\n".join([*map(json.dumps, rows), "broken"]))
    details = '<a href="/a">x</a><a href="/b">y</a>'
    metadata.write_text(json.dumps({"asin": "M0", "title": "T", "category": ["A", "B"], "details": details}))
    return [reviews], [metadata]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".CSV"])
def test_the_prepared_table_is_written_and_can_be_read_again(
    database: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    files: tuple[list[Path], list[Path]],
    suffix: str,
) -> None:
    output, ledger, again = (
        tmp_path / f"table{suffix}",
        tmp_path / "ledger.parquet",
        tmp_path / "again.parquet",
    )
    accounting = prepare(*files, output, CONFIG, rejected=ledger)
    assert (accounting.read, accounting.kept, accounting.rejected) == (7, 6, 1)
    table = database.read_parquet(str(output)) if suffix == ".parquet" else database.read_csv(str(output))
    assert tuple(table.columns) == PREPARED_COLUMNS
    assert table.count("*").fetchall() == [(6,)]
    assert database.read_parquet(str(ledger)).count("*").fetchall() == [(1,)]
    assert prepare([output], [], again, CONFIG).kept == 6
    columns = "reviewer_id, movie_id, rating, unix_review_time, review_text, summary, vote, verified, style"
    found = database.sql(f"select {columns} from read_parquet('{again}') order by all").fetchall()
    assert found[0] == ("R0", "M0", 1.0, 1262304000, TEXT, "é", 1000, True, '{"Format:":" DVD"}')
    assert len(found) == 6
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_links_and_categories_are_in_the_table(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, files: tuple[list[Path], list[Path]]
) -> None:
    prepare(*files, tmp_path / "table.parquet", CONFIG)
    prepare(*files, tmp_path / "table.csv", CONFIG)
    query = "select distinct category, links from {} where movie_id = 'M0'"
    parquet = database.sql(query.format(f"read_parquet('{tmp_path / 'table.parquet'}')")).fetchall()
    assert parquet == [("A | B", ["/a", "/b"])]
    csv = database.sql(query.format(f"read_csv('{tmp_path / 'table.csv'}')")).fetchall()
    assert csv == [("A | B", "/a | /b")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("table.xlsx", r"end with \.parquet or \.csv"),
        ("none/table.csv", "no directory"),
        ("d.csv", "is a directory"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_any_work(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(ConfigError, match=message):
        prepare([tmp_path / "missing.json"], [], tmp_path / name, CONFIG)


def test_a_failed_write_leaves_the_old_table(
    tmp_path: Path, files: tuple[list[Path], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    output = tmp_path / "table.csv"
    output.write_text("old")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(DataError, match=r"Cannot write .*No space left"):
        prepare(*files, output, CONFIG)
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["meta.json", "reviews.json", "table.csv"]


def test_a_read_only_folder_is_a_clear_error(
    tmp_path: Path, files: tuple[list[Path], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(DataError, match=r"Cannot write to .*Read-only file system"):
        prepare(*files, tmp_path / "table.csv", CONFIG)
