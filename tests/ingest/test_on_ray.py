"""Files that workers of Ray read give the tables and the account of one machine, row for row."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.config.sections import ColdConfig, Config, IngestConfig
from engine.errors import ConfigError, SourceError
from engine.feedback.events import Event
from engine.feedback.journal import Journal
from engine.feedback.writing import JournalWriter
from pipelines import prepare
from pipelines.ingest.ingest import ingest
from pipelines.inputs.named import inputs_of
from pipelines.reading import workers as reading_workers
from pipelines.reading.reviews import stage_in_worker
from pipelines.synthetic.write import write_synthetic
from pipelines.work.database import work_database
from pipelines.work.runners import HERE, Runner, runner_for

pytest.importorskip("ray", reason="Ray is not installed; the extra [ray] installs it")
fsspec = pytest.importorskip("fsspec", reason="needs the extra `remote`")

NUM_PARTS = 12
TABLES = ("reviews", "reviewers", "movies", "prepared", "rejected", "rejected_metadata")
COLD_TABLES = ("cold_movies", "cold_reviews")
DAMAGED = (
    b"no object\n",
    b'{"reviewerID": "", "asin": "B1", "overall": 3}\n',
    b'{"reviewerID": "A1", "asin": "B1", "overall": "many"}\n',
    b'{"reviewerID": "A1", "asin": "B1", "overall": 4.0, "unixReviewTime": "some day"}\n',
    b'{"reviewerID": "A1", "asin": "B2", "overall": 2.0}\n',
)
"""Lines of which three are rejected, one loses its time, and one has no time."""
CLEAN = IngestConfig(threads=1, allow_truncated=True)


def parts_of(lines: list[bytes], number: int) -> list[list[bytes]]:
    size = -(-len(lines) // number)
    return [lines[start : start + size] for start in range(0, len(lines), size)]


@pytest.fixture(scope="module")
def workers(bucket: str) -> Iterator[Runner]:
    """Starts Ray once, with workers that reach the bucket."""
    with runner_for("ray", processes=2, threads=1) as started:
        yield started


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes dirty reviews in 16 files of several kinds, dirty metadata in three files, and a journal."""
    folder = tmp_path_factory.mktemp("shop")
    files = write_synthetic(folder / "whole", num_reviews=3000, num_movies=300, num_reviewers=400)
    reviews = gzip.decompress(files.reviews.read_bytes()).splitlines(keepends=True)
    log = folder / "log"
    log.mkdir()
    parts = parts_of(reviews, NUM_PARTS)
    for number, lines in enumerate(parts):
        # Some reviews stand in two files.
        again = b"".join([*lines[:100], *DAMAGED, *lines[100:], *parts[number - 1][:20]])
        (log / f"part-{number:02}.json.gz").write_bytes(gzip.compress(again))
    whole = gzip.compress(b"".join(reviews[:200]))
    (log / "part-cut.json.gz").write_bytes(whole[: len(whole) // 2])
    known = [json.loads(line) for line in reviews[:400] if line.startswith(b"{") and b"reviewerID" in line]
    ids = [(row.get("reviewerID"), row.get("asin")) for row in known]
    numbers = "".join(f"{n % 9}.0,{n % 7}.0,{n % 5 + 1},{'' if n % 3 else '2017-03-04'}\n" for n in range(90))
    (log / "part-decimal.csv").write_text(f"user,item,stars,at\n{numbers}")
    german = "".join(
        f'{who};{what};"{n % 5},5";{n % 28 + 1:02}.11.2016\n' for n, (who, what) in enumerate(ids[:150])
    )
    foreign = "Bj\xf6rn;x;4;x\n".encode("cp1252")
    (log / "part-german.csv").write_bytes(f"user;item;stars;when\n{german}".encode() + foreign)
    table = [
        {"user": who, "item": what, "stars": n % 5, "time": 1.4e9 + n}
        for n, (who, what) in enumerate(ids[:99])
    ]
    pq.write_table(pa.Table.from_pylist(table), log / "part-typed.parquet")
    metadata = gzip.decompress(files.metadata.read_bytes()).splitlines(keepends=True)
    movies = folder / "movies"
    movies.mkdir()
    for number, lines in enumerate(parts_of(metadata, 2)):
        (movies / f"meta-{number}.json.gz").write_bytes(gzip.compress(b"".join([*lines, *metadata[:30]])))
    priced = "".join(f'{n}.0,Number {n},"1,{n}00"\n' for n in range(9))
    (movies / "meta-numbers.csv").write_text(f"item,title,price\n{priced}")
    events = [
        Event(id=str(n), reviewer_id=who, movie_id=what, kind="rating", rating=4.0, time=1_500_000_000 + n)
        for n, (who, what) in enumerate(ids[:50])
        if who and what
    ]
    JournalWriter(Journal(folder / "journal")).write([events])
    return folder


def found(
    shop: Path | str, folder: Path, runner: Runner, config: IngestConfig, **options: Any
) -> dict[str, Any]:
    logs = [f"{shop}/log", *([shop / "journal"] if isinstance(shop, Path) else [])]
    named = (logs, f"{shop}/movies")
    with inputs_of(*named) as inputs, work_database(config, folder) as database:
        accounting = ingest(database, *inputs, config, runner=runner, **options)
        tables = (*TABLES, *(COLD_TABLES if "cold" in options else ()))
        rows = {table: database.sql(f"from {table} order by all").fetchall() for table in tables}
    return {"accounting": accounting.to_dict(), **rows}


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {"compare_text": True, "cold": ColdConfig()}),
        ({"since": "2015-01-01", "where": "price < 30 or category is not null"}, {"keep_text": True}),
    ],
    ids=["as a build", "with texts and filters"],
)
def test_tables_and_account_are_those_of_one_machine(
    workers: Runner,
    shop: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    options: dict[str, Any],
) -> None:
    config = IngestConfig(**{**vars(CLEAN), **settings})
    caplog.set_level(logging.WARNING)
    here = found(shop, tmp_path, HERE, config, **options)
    said = sorted(caplog.messages)
    caplog.clear()
    there = found(shop, tmp_path, workers, config, **options)
    assert there == here
    assert sorted(caplog.messages) == said
    accounting = here["accounting"]
    assert accounting["kept"] > 500
    assert accounting["duplicate"] > 200
    assert len(accounting["files"]) == 17
    assert len({row[0] for row in here["rejected"]}) > 8
    assert len(accounting["rejected_by"]) > 3
    assert accounting["times_lost"] > 0
    assert accounting["truncated"] == [str(shop / "log/part-cut.json.gz")]
    assert any("Windows-1252" in message for message in said)


def test_workers_fetch_files_of_remote_storage(
    workers: Runner, shop: Path, bucket: str, tmp_path: Path
) -> None:
    system, root = fsspec.url_to_fs(f"{bucket}/shop")
    system.put(f"{shop}/", root, recursive=True)
    far, near = (found(place, tmp_path, workers, CLEAN) for place in (f"{bucket}/shop", str(shop)))
    assert far["accounting"]["files"][0]["path"] == f"{bucket}/shop/log/part-00.json.gz"
    assert far["accounting"]["read"] == near["accounting"]["read"]
    for table in TABLES:
        skipped = int("rejected" in table)
        assert [row[skipped:] for row in far[table]] == [row[skipped:] for row in near[table]]


def test_a_killed_worker_is_replaced_and_no_row_is_lost_or_twice(
    workers: Runner, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = found(shop, tmp_path, HERE, CLEAN)
    killed: list[int] = []
    insert = reading_workers.insert_parquet

    def kill_and_insert(*arguments: Any) -> None:
        if not killed:
            killed.append(kill_a_worker(stage_in_worker.__name__))
        insert(*arguments)

    monkeypatch.setattr(reading_workers, "insert_parquet", kill_and_insert)
    assert found(shop, tmp_path, workers, CLEAN) == here
    assert len(killed) == 1


def kill_a_worker(name: str) -> int:
    """Kills a worker that runs the function of this name at this moment, and gives its number."""
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name() == f"ray::{name}":
                    process.kill()
                    process.wait(120)
                    return process.pid
    raise AssertionError(f"no worker runs {name}")


def test_the_prepared_file_is_the_same_to_the_byte(workers: Runner, shop: Path, tmp_path: Path) -> None:
    for on in (None, "ray"):
        rejected = tmp_path / f"{on}.rejected.parquet"
        prepare(
            shop / "log",
            shop / "movies",
            tmp_path / f"{on}.csv",
            Config(ingest=CLEAN),
            rejected=rejected,
            on=on,
        )
    assert (tmp_path / "ray.csv").read_bytes() == (tmp_path / "None.csv").read_bytes()
    tables = [pq.read_table(tmp_path / f"{on}.rejected.parquet").to_pylist() for on in (None, "ray")]
    assert tables[0] == tables[1]


def test_the_error_of_a_file_is_one_sentence(workers: Runner, shop: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"part-cut\.json\.gz ends too early: .* complete rows could be read"
    ):
        found(shop, tmp_path, workers, IngestConfig(threads=1))
    with pytest.raises(ConfigError, match="give --on ray as well"):
        prepare(shop / "log", (), tmp_path / "out.csv", address="auto")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_a_worker_does_not_see_is_one_sentence(
    workers: Runner, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = reading_workers._groups

    def elsewhere(files: Any, number: int) -> Iterator[Any]:
        for group in groups(files, number):
            yield [file._replace(source=replace(file.source, file=Path("/nowhere/log"))) for file in group]

    monkeypatch.setattr(reading_workers, "_groups", elsewhere)
    with pytest.raises(
        SourceError, match="is not on the machine of a worker; put it into a folder that all machines share"
    ):
        found(shop, tmp_path, workers, CLEAN)
