from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.sections import IngestConfig
from engine.errors import ConfigError, DataError, SourceError
from pipelines.ingest.ingest import ingest
from pipelines.reading.formats import inspect_source
from pipelines.work.database import open_database

if TYPE_CHECKING:
    import duckdb

REVIEW = {"overall": 5.0, "reviewerID": "A1", "asin": "B1", "unixReviewTime": 1352419200}


def lines_of(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    ("content", "layout", "delimiter"),
    [
        (lines_of(REVIEW), "json", ""),
        (b"\n\n" + lines_of(REVIEW), "json", ""),
        (b"\xef\xbb\xbf" + lines_of(REVIEW), "json", ""),
        (b"garbage\n" + lines_of(REVIEW, REVIEW), "json", ""),
        (b"1\t2\t3\t881250949\n", "delimited", "\t"),
        (b"1::2::3.5::881250949\n", "delimited", "::"),
        (b"userId,movieId,rating,timestamp\n1,2,3,4\n", "delimited", ","),
        (b"user_id\titem_id\n1\t2\n", "delimited", "\t"),
        (b"user;item\n1;2\n", "delimited", ";"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_the_format_is_told_by_the_content_and_not_by_the_name(
    tmp_path: Path, content: bytes, layout: str, delimiter: str, compressed: bool
) -> None:
    path = tmp_path / "reviews.xyz"
    path.write_bytes(gzip.compress(content) if compressed else content)
    source = inspect_source(path)
    assert (source.layout, source.delimiter, source.packing == "gzip") == (layout, delimiter, compressed)


def missing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (missing, "There is no file"),
        (empty, "is empty"),
        (directory, "is a directory"),
        (lambda path: path.write_bytes(b"\n \n\n"), "blank lines"),
        (lambda path: path.write_bytes(b"\x00\x01\x02binary\n"), "not a text file"),
        (lambda path: path.write_bytes(b"PK\x03\x04...."), "zip archive that is damaged"),
        (lambda path: path.write_bytes(b"BZh91AY"), "ends before its first line"),
        (lambda path: path.write_bytes(b"just some words\n"), "Cannot tell the format"),
        (lambda path: path.write_bytes(gzip.compress(b"")), "ends before its first line|blank"),
        (lambda path: path.write_bytes(gzip.compress(b"{}\n" * 99)[:12]), "ends before its first line"),
        (lambda path: path.write_bytes(b"PAR1 but no more"), "not a Parquet file"),
    ],
)
def test_what_cannot_be_read_is_a_clear_error_before_anything_is_read(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "reviews.json"
    make(path)
    with pytest.raises(SourceError, match=message) as raised:
        ingest(database, [path], [], IngestConfig())
    assert str(path) in str(raised.value)
    assert raised.value.path == path


def test_a_gz_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "reviews.json.gz"
    path.write_text("<html>not found</html>")
    with pytest.raises(SourceError, match=r"named \.gz but holds no gzip data"):
        inspect_source(path)


def test_a_file_that_may_not_be_read_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "secret.json"
    path.write_bytes(lines_of(REVIEW))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match=r"Cannot read .*Permission denied"):
        inspect_source(path)


def test_json_of_another_shape_says_how_to_name_its_fields(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(lines_of({"who": "x", "what": {"code": "y"}, "grade": 5}, {"who": "z"}))
    with pytest.raises(
        SourceError, match=r"which column of .* is the reviewer and which the movie"
    ) as raised:
        ingest(database, [path], [], IngestConfig())
    assert "its columns are who, what.code, grade" in str(raised.value)
    assert "--columns reviewer=NAME,movie=NAME" in str(raised.value)


@pytest.mark.parametrize("text", ["[1, 2]\n", "[3]\n[4]\n", "{broken\n{also\n", "{}\n{}\n"])
def test_all_rows_rejected_names_the_commonest_reason_with_an_example(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    reason = "no reviewer id" if "{}" in text else "not a JSON object"
    with pytest.raises(DataError, match=rf"None of the \d rows .*'{reason}', first in .*line \d"):
        ingest(database, [path], [], IngestConfig())


def test_metadata_given_as_reviews_is_explained(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    path.write_bytes(lines_of({"asin": "B1", "title": "x" * 2000, "also_buy": ["B2"]}))
    with pytest.raises(SourceError, match="is the reviewer; its columns are asin, title, also_buy"):
        ingest(database, [path], [], IngestConfig())


def test_a_forced_format_that_does_not_fit_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "u.data"
    path.write_text("1\t2\t3\t881250949\n")
    with pytest.raises(SourceError, match="not in Amazon's format"):
        inspect_source(path, "amazon")
    path.write_bytes(lines_of(REVIEW))
    for format in ("movielens", "table"):
        with pytest.raises(SourceError, match=f"holds JSON, which is no {format} file"):
            inspect_source(path, format)


def test_a_table_with_no_obvious_names_says_how_to_name_them(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "views.csv"
    path.write_text("who,what,when\na,b,1\n")
    with pytest.raises(SourceError, match="its columns are who, what, when; say it with --columns"):
        ingest(database, [path], [], IngestConfig())


def test_a_column_that_does_not_exist_names_those_that_do(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "views.csv"
    path.write_text("visitor,page\na,b\n")
    with pytest.raises(ConfigError, match=r"'vistor'.*did you mean 'visitor'.*columns are visitor, page"):
        ingest(database, [path], [], IngestConfig(columns={"reviewer": "vistor", "movie": "page"}))


def test_metadata_without_an_id_is_a_clear_error(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    reviews, metadata = tmp_path / "reviews.json", tmp_path / "meta.json"
    reviews.write_bytes(lines_of(REVIEW))
    metadata.write_bytes(lines_of({"name": "x"}, {"name": "y"}))
    with pytest.raises(
        SourceError, match=r"which column of .* is the movie; its columns are name; .*movie=NAME"
    ):
        ingest(database, [reviews], [metadata], IngestConfig())


def test_reviews_given_as_metadata_are_explained(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "reviews.json"
    path.write_bytes(lines_of(REVIEW))
    with pytest.raises(
        DataError, match=r"None of the 1 lines of .* describes a movie; 'a review and no movie'"
    ):
        ingest(database, [path], [path], IngestConfig())


def test_metadata_of_other_movies_is_warned_of(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reviews, metadata = tmp_path / "reviews.json", tmp_path / "meta.json"
    pairs = [(reviewer, movie) for reviewer in ("A", "B") for movie in ("M", "N")]
    reviews.write_bytes(lines_of(*(REVIEW | {"reviewerID": one, "asin": two} for one, two in pairs)))
    metadata.write_bytes(lines_of({"asin": "X", "title": "x"}))
    ingest(database, [reviews], [metadata], IngestConfig())
    assert (
        "describes none of the 2 movies that were reviewed: the reviews have ids such as 'M' and 'N'"
        in caplog.text
    )


def test_no_file_at_all_is_a_clear_error(database: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(DataError, match="No review file was given"):
        ingest(database, [], [], IngestConfig())


def test_too_little_memory_says_what_to_raise(tmp_path: Path) -> None:
    path = tmp_path / "reviews.json"
    path.write_bytes(lines_of(*(REVIEW | {"reviewerID": f"R{number:0100}"} for number in range(20_000))))
    database = open_database(tmp_path / "small.duckdb", memory_limit="3MB", threads=1)
    with pytest.raises(ConfigError, match="raise --memory-limit"):
        ingest(database, [path], [], IngestConfig())
    database.close()
