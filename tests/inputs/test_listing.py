"""Folders, patterns and hive partitions stand for the files in them, and a path that exists for itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.ingest.ingest import ingest
from pipelines.inputs.listing import inputs_at
from pipelines.inputs.named import inputs_of
from pipelines.inputs.spool import name_of_input

if TYPE_CHECKING:
    import duckdb

ALL = {"min_reviews_per_reviewer": 1, "min_reviews_per_movie": 1}


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("user,item,stars\nu,m,5\n")


def found(folder: Path, named: str) -> list[str]:
    return [name_of_input(one).relative_to(folder).as_posix() for one in inputs_at(folder / named)]


def test_a_folder_or_pattern_stands_for_its_files_sorted_by_name(tmp_path: Path) -> None:
    made(
        tmp_path,
        "log/b.csv",
        "log/a.csv",
        "log/deep/c.csv",
        "log/_SUCCESS",
        "log/.b.csv.crc",
        "log/_tmp/x.csv",
    )
    whole = ["log/a.csv", "log/b.csv", "log/deep/c.csv"]
    assert found(tmp_path, "log") == whole
    assert found(tmp_path, "log/**") == whole
    assert found(tmp_path, "l*") == whole
    assert found(tmp_path, "log/*.csv") == whole[:2]
    assert found(tmp_path, "log/[b-z]*") == whole[1:]
    assert found(tmp_path, "log/_SUC*") == ["log/_SUCCESS"]
    assert [str(one) for one in inputs_at(f"file://{tmp_path}/log/?.csv")] == [
        f"{tmp_path}/{name}" for name in whole[:2]
    ]


@pytest.mark.parametrize("name", ["log[1].csv", "lo*.csv", "log?.csv"])
def test_a_path_that_exists_is_never_a_pattern(tmp_path: Path, name: str) -> None:
    made(tmp_path, name, "log1.csv", "logs.csv")
    assert found(tmp_path, name) == [name]


def test_what_holds_no_file_is_one_sentence(tmp_path: Path) -> None:
    made(tmp_path, "log/_SUCCESS")
    for named, message in (
        ("log", r"The folder .*log holds no file; check the name \(names that begin with _ or \."),
        ("log/*.csv", r"No file matches .*log/\*\.csv; check the name"),
    ):
        with pytest.raises(SourceError, match=message):
            inputs_at(tmp_path / named)
    assert inputs_at(tmp_path / "none") == [tmp_path / "none"]


def rows(database: duckdb.DuckDBPyConnection, reviews: Any, metadata: Any = (), **settings: Any) -> list[Any]:
    with inputs_of(reviews, metadata) as (inputs, described):
        ingest(database, inputs, described, IngestConfig(**{**ALL, **settings}), few=True)
    columns = "reviewer_id, movie_id, rating, strftime(review_time, '%Y-%m-%d')"
    return database.execute(f"select {columns} from prepared order by all").fetchall()


LOG = [("u1", "m1", 5), ("u2", "m1", 4), ("u1", "m2", 3)]
DATED = [(*LOG[0], "2024-01-05"), (*LOG[2], "2024-01-05"), (*LOG[1], "2024-02-03")]


def write_rows(path: Path, some: list[tuple[str, str, int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = [dict(zip(("user", "item", "stars"), row, strict=True)) for row in some]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(table), path)
    elif path.suffix == ".csv":
        path.write_text("user,item,stars\n" + "".join(f"{u},{i},{s}\n" for u, i, s in some))
    elif path.suffix == ".gz":
        names = {"user": "reviewerID", "item": "asin", "stars": "overall"}
        lines = [json.dumps({names[name]: value for name, value in row.items()}) for row in table]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table))


@pytest.mark.parametrize("name", ["part-0.csv", "part-0.json", "part-0.json.gz", "part-0.parquet"])
def test_the_folders_of_partitions_give_columns(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, name: str
) -> None:
    write_rows(tmp_path / "log/date=2024-01-05" / name, [LOG[0], LOG[2]])
    write_rows(tmp_path / "log/date=2024-02-03" / name, [LOG[1]])
    assert rows(database, tmp_path / "log") == sorted(DATED)
    named = rows(database, f"{tmp_path}/log/date=2024-0[1]*/*")
    assert named == sorted(DATED[:2])


@pytest.mark.parametrize("name", ["part-0.csv", "part-0.json", "part-0.parquet"])
def test_a_partition_may_be_named_and_a_column_of_the_file_wins_against_it(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, name: str
) -> None:
    write_rows(tmp_path / "log/user=x/year=2024/who=a%2Fb" / name, LOG[:1])
    write_rows(tmp_path / "log/user=x/year=2024/who=__HIVE_DEFAULT_PARTITION__" / name, LOG[1:2])
    assert rows(database, tmp_path / "log") == [(*LOG[0], None), (*LOG[1], None)]
    assert [row[0] for row in rows(database, tmp_path / "log", columns={"reviewer": "who"})] == ["a/b"]
    assert database.execute("select reason from rejected").fetchall() == [("no reviewer id",)]
    [first, _] = rows(database, tmp_path / "log", columns={"time": "year"})
    assert first[3] == "2024-01-01"
    assert database.execute("select distinct year from movies").fetchall() == [(None,)]


def test_the_folders_of_metadata_give_columns(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> None:
    (tmp_path / "log.csv").write_text("userid,movie,stars\nu1,m0,5\nu2,m1,4\nu1,m2,3\n")
    movies = tmp_path / "movies"
    for number, name in enumerate(("a.csv", "b.json", "c.parquet")):
        write_rows(movies / f"genre=G{number}" / name, [(f"T{number}", f"m{number}", 1)])
    (movies / "category=War").mkdir()
    (movies / "category=War/meta.json").write_text('{"asin": "m2", "title": "Two"}\n')
    rows(database, tmp_path / "log.csv", movies, columns={"title": "user"})
    found = database.execute("select movie_id, category, title from movies order by 1").fetchall()
    assert found == [("m0", "G0", "T0"), ("m1", "G1", "T1"), ("m2", "War", "Two")]
