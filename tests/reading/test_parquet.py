from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.sections import IngestConfig
from engine.errors import DataError, SourceError
from pipelines.building.survey import survey
from pipelines.ingest.ingest import ingest

if TYPE_CHECKING:
    import duckdb

ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)

IDS = {
    "encode('15')": "15",
    "15.0::double": "15",
    "15::decimal(9, 2)": "15",
    "15.5::float": "15.5",
    "1e17::double": "100000000000000000",
    "9007199254740993::bigint": "9007199254740993",
    "'15'::enum('15')": "15",
    "'6f1c9d52-0f3b-4d4b-9f3e-111111111111'::uuid": "6f1c9d52-0f3b-4d4b-9f3e-111111111111",
    "'nan'::double": None,
    "null::varchar": None,
    "' 15 '": "15",
}


@pytest.mark.parametrize("expression", IDS)
def test_ids_of_every_type_are_read_alike_in_reviews_and_metadata(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, expression: str
) -> None:
    reviews, movies = tmp_path / "r.parquet", tmp_path / "m.parquet"
    expected = IDS[expression]
    database.sql(
        f"select u as user_id, i as item_id, 4 as rating from (values ({expression}, {expression})) t(u, i)"
    ).write_parquet(str(reviews))
    database.sql(
        f"select i as item_id, encode('A film') as title, ['x', null] as genres, 'nan'::double as price "
        f"from (values ({expression})) t(i)"
    ).write_parquet(str(movies))
    table = tmp_path / "r.csv"
    table.write_text(f"user,item,rating\na,{expected or 'b'},3\n")
    if expected is None:
        accounting = ingest(database, [reviews, table], [], ALL, few=True)
        assert accounting.rejected_by == {"no reviewer id": 1}
        return
    ingest(database, [reviews, table], [movies], ALL, few=True)
    assert database.execute("select reviewer_id from reviews where rating = 4").fetchall() == [(expected,)]
    found = database.execute("select movie_id, title, category, price from movies").fetchall()
    assert found == [(expected, "A film", "x", None)]


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "timestamp_ns", "timestamp_s"])
def test_a_rating_may_be_a_boolean_and_a_time_any_timestamp(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "r.parquet"
    database.execute("set TimeZone = 'UTC'")
    rows = f"select 'u' as user, 'm' as item, true as recommended, '2020-01-01 12:00:00'::{kind} as at"
    database.sql(rows).write_parquet(str(path))
    ingest(database, [path], [], ALL, few=True)
    assert database.execute("select rating, unix_review_time from reviews").fetchall() == [(1.0, 1577880000)]


def _other(folder: Path) -> Path:
    path = folder / "other.csv"
    path.write_text("user,item,rating,time\nv,n,0,1577880000\n")
    return path


def test_a_column_that_numbers_the_rows_does_not_matter(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "r.parquet"
    rows = "select i as user, i as item, case when i <> 7 then i end as rating, 3 as File_Row_Number"
    database.sql(f"{rows} from range(9) t(i)").write_parquet(str(path))
    ingest(database, [path], [], ALL, few=True)
    assert database.execute("select line, reason from rejected").fetchall() == [(8, "no rating")]


def test_a_needed_column_that_is_a_list_is_named_with_its_type(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "r.parquet"
    database.sql("select 1 as user, [1, 2] as item, 3 as rating").write_parquet(str(path))
    with pytest.raises(SourceError, match=r"column 'item' of .* has the type INTEGER\[\], .* movie=NAME"):
        ingest(database, [path], [], ALL, few=True)


@pytest.mark.parametrize("name", ["r[12].parquet", "r*.parquet", "r?.parquet", "~r'\\.parquet"])
def test_the_name_of_a_file_is_no_pattern(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    for other, user in (("r1.parquet", "wrong"), ("r2.parquet", "wrong"), (name, "right")):
        made = tmp_path / "made.parquet"
        database.sql(f"select '{user}' as user, i as item, i as rating from range(3) t(i)").write_parquet(
            str(made)
        )
        made.rename(tmp_path / other)
    accounting = ingest(database, [tmp_path / name, _other(tmp_path)], [tmp_path / name], ALL, few=True)
    assert accounting.read == 4
    assert {row for (row,) in database.execute("select reviewer_id from reviewers").fetchall()} == {
        "right",
        "v",
    }
    assert survey([tmp_path / name], [], ALL).num_reviews == 3


@pytest.mark.parametrize("content", ["cut", "flipped", "no columns", "name", "type"])
def test_a_damaged_file_is_a_clear_error(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "r.parquet"
    database.sql("select i as user, i as item, i as rating from range(5000) t(i)").write_parquet(str(path))
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[:-9],
            "flipped": data[:40] + bytes(200) + data[240:],
            "no columns": b"PAR1PAR1",
            "name": data.replace(b"user", b"us\xffr"),
            "type": data.replace(b"user%\x24", b"user%\x1a"),
        }[content]
    )
    with pytest.raises(SourceError, match="is not a Parquet file that can be read"):
        ingest(database, [path], [], ALL, few=True)


def test_a_file_without_rows_is_a_clear_error(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    database.sql("select i as user, i as item from range(0) t(i)").write_parquet(str(path))
    with pytest.raises(DataError, match="No reviews in"):
        ingest(database, [path], [], ALL, few=True)
