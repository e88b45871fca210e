"""Delta and Iceberg tables are read as they are now, and rows that were deleted stay deleted."""

from __future__ import annotations

import base64
import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.config.sections import IngestConfig
from engine.errors import ConfigError, SourceError
from pipelines.ingest.ingest import ingest
from pipelines.inputs.named import inputs_of

if TYPE_CHECKING:
    import duckdb

deltalake = pytest.importorskip("deltalake", reason="needs the extra `lake`")
pytest.importorskip("pyiceberg", reason="needs the extra `lake`")
pyroaring = pytest.importorskip("pyroaring", reason="needs the extra `lake`")
ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)
ROWS = [
    {
        "user_id": f"u{n % 7}",
        "item_id": None if n == 5 else f"m{n % 5}",
        "stars": n % 5 + 1.0,
        "date": f"2024-01-{n % 9 + 1:02}",
    }
    for n in range(60)
]
"""Reviews, of which several are of the same reviewer, movie and day, and one has no movie."""
GONE = {"user_id": "u9", "item_id": "m9", "stars": 1.0, "date": "2024-01-01"}


def write_delta(folder: Path, location: str = "") -> str:
    """Writes a Delta table in several versions, of which the last has the rows of ROWS."""
    place = location or str(folder / "delta")
    for number, rows in enumerate((ROWS[:20], [*ROWS[20:40], GONE], ROWS[40:])):
        table = pa.Table.from_pylist(rows)
        deltalake.write_deltalake(place, table, mode="append", partition_by=["date"] if number == 0 else None)
    deltalake.DeltaTable(place).delete("user_id = 'u9'")
    return place


def write_iceberg(folder: Path, location: str = "") -> str:
    """Writes an Iceberg table in several snapshots, of which the last has the rows of ROWS."""
    from pyiceberg.catalog.memory import InMemoryCatalog

    (folder / "iceberg").mkdir(exist_ok=True)
    endpoint = {"s3.endpoint": os.environ["AWS_ENDPOINT_URL"]} if location else {}
    catalog = InMemoryCatalog("test", warehouse=location or f"file://{folder}/iceberg", **endpoint)
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.log", schema=pa.Table.from_pylist(ROWS).schema)
    for rows in (ROWS[:20], [*ROWS[20:40], GONE], ROWS[40:]):
        table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    table.delete("user_id == 'u9'")
    return str(table.location()).removeprefix("file://")


_BASE85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
"""The letters of two ways to write numbers of the base 85, in order."""

WRITERS = {"delta": write_delta, "iceberg": write_iceberg}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Callable[..., str]:
    return WRITERS[request.param]


def tables(database: duckdb.DuckDBPyConnection, reviews: Any, metadata: Any = ()) -> Any:
    with inputs_of(reviews, metadata) as (inputs, described):
        accounting = ingest(database, inputs, described, ALL).to_dict()
    [file] = accounting.pop("files")
    file.pop("path")
    names = ("reviews", "movies", "rejected")
    rows = [database.execute(f"from {name} order by all").fetchall() for name in names]
    return (
        accounting,
        file,
        [
            [row[1:] if name == "rejected" else row for row in found]
            for name, found in zip(names, rows, strict=True)
        ],
    )


def test_a_table_gives_the_rows_that_its_newest_state_holds(
    write: Callable[..., str], tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    order = [(name, "ascending") for name in ROWS[0]]
    pq.write_table(pa.Table.from_pylist(ROWS).sort_by(order), tmp_path / "rows.parquet")
    expected = tables(database, tmp_path / "rows.parquet")
    place = write(tmp_path)
    found = tables(database, place)
    assert found[0]["read"] == len(ROWS)
    assert found[0]["rejected_by"] == {"no movie id": 1}
    assert found == expected
    if write is write_iceberg:
        newest = max(Path(place, "metadata").glob("*.metadata.json"))
        assert tables(database, newest) == expected
        assert tables(database, f"file://{newest}") == expected
    movies = pa.Table.from_pylist([{"item_id": f"m{n}", "title": f"Film {n}"} for n in range(5)])
    deltalake.write_deltalake(str(tmp_path / "movies"), movies)
    tables(database, place, tmp_path / "movies")
    assert database.execute("select title from movies where movie_id = 'm3'").fetchall() == [("Film 3",)]


def test_rows_that_a_deletion_vector_deletes_stay_deleted(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    """Spark marks deleted rows beside the data; the test writes such a mark by the protocol of Delta."""
    place = tmp_path / "marked"
    marks = {"delta.enableDeletionVectors": "true"}
    deltalake.write_deltalake(str(place), pa.Table.from_pylist(ROWS), configuration=marks)
    [path] = [Path(file).name for file in deltalake.DeltaTable(str(place)).file_uris()]
    deleted = [0, 7, 59]
    bitmap = pyroaring.BitMap(deleted).serialize()
    vector = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    vector += bytes(-len(vector) % 4)
    encoded = base64.b85encode(vector).decode().translate(str.maketrans(_BASE85, _Z85))
    added = {
        "path": path,
        "partitionValues": {},
        "size": (place / path).stat().st_size,
        "modificationTime": 0,
        "dataChange": True,
        "stats": '{"numRecords": 60}',
        "deletionVector": {
            "storageType": "i",
            "pathOrInlineDv": encoded,
            "sizeInBytes": len(vector),
            "cardinality": len(deleted),
        },
    }
    actions = [{"remove": {"path": path, "deletionTimestamp": 0, "dataChange": True}}, {"add": added}]
    log = place / "_delta_log" / f"{1:020}.json"
    log.write_text("".join(json.dumps(action) + "\n" for action in actions))
    found = tables(database, place)
    assert found[0]["read"] == len(ROWS) - len(deleted)
    pq.write_table(
        pa.Table.from_pylist([row for n, row in enumerate(ROWS) if n not in deleted]),
        tmp_path / "rows.parquet",
    )
    assert found[2][1] == tables(database, tmp_path / "rows.parquet")[2][1]


def test_a_table_in_a_bucket_is_read(
    write: Callable[..., str],
    bucket: str,
    tmp_path: Path,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    expected = tables(database, write(tmp_path))
    (tmp_path / "far").mkdir()
    place = write(tmp_path / "far", f"{bucket}/lake/{write.__name__}")
    assert tables(database, place) == expected


def test_what_is_wrong_with_a_table_is_one_sentence(
    write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(write(tmp_path))
    for above in (place.parent, tmp_path / "*"):
        with (
            pytest.raises(
                SourceError, match=r" is an? (Delta|Iceberg) table among other files; name the table"
            ),
            inputs_of(above),
        ):
            pass
    for file in place.rglob("*.parquet"):
        file.unlink()
    with (
        pytest.raises(
            SourceError, match=r"^Cannot read the (Delta|Iceberg) table .*; check the address, "
        ) as raised,
        inputs_of(place),
    ):
        pass
    assert "\n" not in str(raised.value)
    for name in ("deltalake", "pyiceberg"):
        monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(
            ConfigError, match=r"^A Delta or Iceberg table needs .* pip install 'movie-engine\[lake\]'"
        ),
        inputs_of(place),
    ):
        pass
    done = CliRunner().invoke(main, ["prepare", str(place), "--output", str(tmp_path / "out.csv")])
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
