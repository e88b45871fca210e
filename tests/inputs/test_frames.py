from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from engine.config import load_config
from engine.config.sections import IngestConfig
from engine.errors import ConfigError, EngineError, SourceError
from pipelines.ingest.ingest import ingest
from pipelines.inputs.named import inputs_of
from pipelines.work.database import open_database

if TYPE_CHECKING:
    import duckdb

ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)
FIRST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
ROWS: dict[str, list[Any]] = {
    "user_id": ["ann", "ben", None, "zoë", "c \"d\", 'e'", "ann", "日本"],
    "item_id": ["7", "7", "8", "8", "tab\there", "", "7"],
    "stars": [5, 4.5, 3, None, 1, 2, 4],
    "at": [FIRST + datetime.timedelta(days=day) for day in range(7)],
    "genres": ["War", "War", None, "Drama", "Drama", "War", "Film-Noir"],
}
MAKERS = {
    "pandas": pd.DataFrame,
    "pandas, nullable": lambda rows: pd.DataFrame(rows).convert_dtypes(),
    "pandas, categories": lambda rows: pd.DataFrame(rows).astype(
        dict.fromkeys(("user_id", "item_id"), "category")
    ),
    "pandas, naive times": lambda rows: pd.DataFrame(rows).assign(at=lambda f: f["at"].dt.tz_localize(None)),
    "pandas, another zone": lambda rows: pd.DataFrame(rows).assign(
        at=lambda f: f["at"].dt.tz_convert("Asia/Tokyo")
    ),
    "pandas, an index": lambda rows: pd.DataFrame(rows).set_index(["user_id", "item_id"]),
    "pandas, strings of Python": lambda rows: pd.DataFrame(rows).astype(
        dict.fromkeys(("user_id", "item_id", "genres"), pd.StringDtype("python"))
    ),
    "pandas, objects": lambda rows: pd.DataFrame(rows).astype(object),
    "arrow": pa.table,
    "arrow, batches": lambda rows: pa.table(rows).to_reader(max_chunksize=2),
    "arrow, dictionaries": lambda rows: pa.table(
        {name: pa.array(values) for name, values in rows.items()}
        | {name: pa.array(rows[name]).dictionary_encode() for name in ("user_id", "genres")}
    ),
    "polars": lambda rows: pl.DataFrame(rows, strict=False),
    "polars, lazy": lambda rows: pl.DataFrame(rows, strict=False).lazy(),
    "polars, categories": lambda rows: pl.DataFrame(rows, strict=False).with_columns(
        pl.col("user_id", "genres").cast(pl.Categorical)
    ),
}


def read(database: duckdb.DuckDBPyConnection, reviews: Any, metadata: Any = (), **settings: Any) -> Any:
    config = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1, **settings)
    with inputs_of(reviews, metadata) as (inputs, described):
        return ingest(database, inputs, described, config, few=True)


def tables(database: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    queries = {
        "reviews": "select reviewer_id, movie_id, rating, unix_review_time from reviews order by all",
        "movies": "select movie_id, category, title from movies order by all",
        "rejected": "select line, reason from rejected order by all",
    }
    return {name: database.execute(query).fetchall() for name, query in queries.items()}


@pytest.fixture(scope="module")
def from_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, list[Any]]]:
    """Gives the account and the tables of a file with the rows."""
    folder = tmp_path_factory.mktemp("file")
    pl.DataFrame(ROWS, strict=False).write_csv(folder / "reviews.csv")
    with open_database(folder / "work.duckdb") as database:
        account = read(database, folder / "reviews.csv")
        expected = tables(database)
    expected["rejected"] = [(line - 1, reason) for line, reason in expected["rejected"]]  # without the header
    return account, expected


@pytest.mark.parametrize("kind", MAKERS)
def test_a_table_is_read_like_a_file_with_the_same_rows(
    kind: str, database: duckdb.DuckDBPyConnection, from_file: tuple[Any, dict[str, list[Any]]]
) -> None:
    of_file, expected = from_file
    of_table = read(database, MAKERS[kind](ROWS))
    assert tables(database) == expected
    assert (
        of_table.rejected_by == of_file.rejected_by == {"no reviewer id": 1, "no movie id": 1, "no rating": 1}
    )
    assert (of_table.read, of_table.kept) == (of_file.read, of_file.kept) == (7, 4)
    assert len(expected["reviews"]) == 4


@pytest.mark.parametrize(
    "ids",
    [
        [1, 2, 3],
        np.array([1, 2, 3], dtype=np.uint64),
        [1.0, 2.0, 3.0],
        pd.array([1, 2, 3], dtype="Int64"),
        pd.Categorical([1, 2, 3]),
        pd.Series([1, "2", 3.0], dtype=object),
    ],
    ids=str,
)
def test_whole_numbers_are_ids_of_their_digits(ids: Any, database: duckdb.DuckDBPyConnection) -> None:
    read(database, pd.DataFrame({"user": ids, "item": ids, "rating": [1, 2, 3]}))
    assert database.execute("select reviewer_id from reviewers order by 1").fetchall() == [
        ("1",),
        ("2",),
        ("3",),
    ]
    assert database.execute("select movie_id from movies order by 1").fetchall() == [("1",), ("2",), ("3",)]


def test_large_ids_keep_every_digit(database: duckdb.DuckDBPyConnection) -> None:
    read(database, pd.DataFrame({"user": [2**60 + 1, 5], "item": [1, 2], "rating": [1, 2]}))
    assert database.execute("select min(reviewer_id) from reviewers").fetchone() == (str(2**60 + 1),)


def test_columns_without_names_have_the_order_of_files_without_header(
    database: duckdb.DuckDBPyConnection,
) -> None:
    frame = pd.DataFrame([["a", "m", 4, 880000000], ["b", "m", 2, 880000001]])
    read(database, frame)
    assert len(tables(database)["reviews"]) == 2
    read(database, frame[[1, 0, 2, 3]].set_axis(range(4), axis=1), columns={"reviewer": "2", "movie": "1"})
    assert {row[0] for row in tables(database)["reviews"]} == {"a", "b"}


def test_a_table_of_movies_describes_the_movies(database: duckdb.DuckDBPyConnection) -> None:
    reviews = pd.DataFrame({"user": ["a", "b"], "movie": [10, 20], "rating": [4, 5]})
    movies = pl.DataFrame(
        {"movie": [10, 20], "title": ["Laura (1944)", None], "genres": [["Noir", "Crime"], None]}
    )
    read(database, reviews, movies)
    found = database.execute("select movie_id, title, year from movies order by 1").fetchall()
    assert found == [("10", "Laura (1944)", 1944), ("20", None, None)]


def test_tables_and_files_may_be_mixed_and_are_named_in_the_account(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    file = tmp_path / "more.csv"
    file.write_text("user,item,rating\nc,m,3\n")
    frame = pd.DataFrame({"user": ["a"], "item": ["m"], "rating": [1]})
    account = read(database, [frame, str(file), pl.DataFrame(frame.to_dict("list"))])
    assert [one.path for one in account.files] == [
        "DataFrame 1 of reviews",
        str(file),
        "DataFrame 2 of reviews",
    ]
    assert account.read == 3


REFUSED: dict[str, tuple[Any, str]] = {
    "a dict": ({"user": [1]}, "must be a path, a table of pandas, Arrow or Polars, or a list"),
    "rows": ([("a", "m", 5)], "Each item of reviews must be a path or a table, but one is of the type tuple"),
    "an array": (np.zeros((2, 3)), "must be a path, a table"),
    "bytes": (b"reviews.csv", "must be a path, a table"),
    "nothing": (None, "must be a path, a table"),
    "no columns": (pd.DataFrame(), "DataFrame of reviews"),
    "no rows": (pd.DataFrame({"user": [], "item": [], "rating": []}), "DataFrame of reviews"),
    "no ids": (
        pd.DataFrame({"who": ["a"], "what": ["b"]}),
        "Cannot tell which column of DataFrame of reviews",
    ),
    "no text": (
        pd.DataFrame({"user": pd.Series(["\ud800"], dtype=object), "item": ["m"], "rating": [1]}),
        "Cannot read the column 'user' of DataFrame of reviews",
    ),
    "lists": (pd.DataFrame({"user": [["a"]], "item": ["m"]}), "cannot be the reviewer"),
    "missing": ("nowhere.csv", "nowhere.csv"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_table_of_reviews_is_refused_in_one_sentence(
    kind: str, database: duckdb.DuckDBPyConnection
) -> None:
    given, sentence = REFUSED[kind]
    with pytest.raises(EngineError) as caught:
        read(database, given)
    assert sentence in str(caught.value)
    assert ".engine-work" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_periods_and_intervals_are_read_as_text(database: duckdb.DuckDBPyConnection) -> None:
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["m", "m"], "rating": [1, 2]})
    frame["at"] = pd.period_range("2020-01-01", periods=2, freq="D")
    frame["spare"] = pd.interval_range(0, 2)
    read(database, frame)
    assert len(tables(database)["reviews"]) == 2
    assert list(frame["at"].dt.day) == [1, 2]


def test_the_given_frame_stays_as_it_was(database: duckdb.DuckDBPyConnection) -> None:
    frame = pd.DataFrame(ROWS).set_index("user_id")
    before = frame.copy()
    read(database, frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_build_of_a_table_is_planned_and_recognised_when_it_is_resumed(tmp_path: Path) -> None:
    from pipelines.building.plan import plan_build
    from pipelines.building.resuming import resumable_work

    frame = pd.DataFrame({"user": range(100), "item": range(100), "rating": 5})
    assert plan_build(frame, output=tmp_path / "index").files.num_reviews == 100
    config = load_config()
    for given in (frame, frame.copy()):
        with (
            inputs_of(given) as (inputs, _),
            pytest.raises(SystemExit),
            resumable_work(tmp_path / "w", inputs, [], config, resume=True),
        ):
            raise SystemExit
    with (
        inputs_of(frame.assign(rating=4)) as (inputs, _),
        pytest.raises(ConfigError, match="other files"),
        resumable_work(tmp_path / "w", inputs, [], config, resume=True),
    ):
        pass


def test_a_table_that_fails_to_stream_is_refused_in_one_sentence() -> None:
    def rows() -> Any:
        yield pa.record_batch({"user": ["a"]})
        raise OSError("the source is gone")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"user": pa.string()}), rows())
    with pytest.raises(SourceError, match="RecordBatchReader of reviews"), inputs_of(reader):
        pass
