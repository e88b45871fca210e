"""Files in remote storage are read as files of the disk are: the same rows, and one sentence if it fails."""

from __future__ import annotations

import gzip
import json
import random
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.config.sections import IngestConfig
from engine.errors import ConfigError, DataError, SourceError
from pipelines import plan_build, prepare
from pipelines.ingest.ingest import ingest
from pipelines.inputs import remote
from pipelines.inputs.named import inputs_of
from pipelines.inputs.remote import Address

if TYPE_CHECKING:
    import duckdb

fsspec = pytest.importorskip("fsspec", reason="needs the extra `remote`")
pytest.importorskip("s3fs", reason="needs the extra `remote`")
ALL = IngestConfig(min_reviews_per_reviewer=1, min_reviews_per_movie=1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes reviews in files of several kinds, some dirty, and movies."""
    folder = tmp_path_factory.mktemp("files")
    draw = random.Random(0)
    table = [
        {"user": f"u{draw.randrange(90)}", "item": f"m{draw.randrange(9)}", "stars": draw.randrange(1, 6)}
        for _ in range(3000)
    ]
    lines = [json.dumps(row) for row in table]
    lines[7] = "broken"
    log = folder / "log"
    log.mkdir()
    (log / "a.json").write_text("\n".join(lines[:500]))
    (log / "b.json.gz").write_bytes(gzip.compress("\n".join(lines[500:1500]).encode()))
    pq.write_table(pa.Table.from_pylist(table[1500:2500]), log / "c.parquet", row_group_size=100)
    with zipfile.ZipFile(log / "d.zip", "w") as archive:
        archive.writestr("log.json", "\n".join(lines[2500:]))
    (log / "_SUCCESS").touch()
    (folder / "movies.json").write_text(
        "".join(f'{{"asin": "m{n}", "title": "Film {n}"}}\n' for n in range(9))
    )
    return folder


@pytest.fixture(params=["file", "memory", "s3"])
def url(request: pytest.FixtureRequest, files: Path) -> Iterator[str]:
    """Gives the address of a copy of the files, in storage of each kind."""
    if request.param == "file":
        yield f"file://{files}"
        return
    base = "memory://shop" if request.param == "memory" else f"{request.getfixturevalue('bucket')}/shop"
    system, root = fsspec.url_to_fs(base)
    system.put(str(files), root, recursive=True)
    yield base
    system.rm(root, recursive=True)


@pytest.fixture(autouse=True)
def small_outlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads so few bytes of each file at first that none is read whole."""
    monkeypatch.setattr(remote, "_HEAD", 1 << 12)


def tables(database: duckdb.DuckDBPyConnection, reviews: Any, metadata: Any) -> tuple[Any, ...]:
    with inputs_of(reviews, metadata) as (inputs, described):
        accounting = ingest(database, inputs, described, ALL).to_dict()
    names = [Path(file.pop("path")).name for file in accounting["files"]]
    rows = [
        database.execute(f"select * {without} from {table} order by all").fetchall()
        for table, without in (("reviews", ""), ("movies", ""), ("rejected", "exclude (file)"))
    ]
    return accounting, names, rows


def test_addresses_give_the_tables_of_the_same_files_here(
    url: str, files: Path, database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    here = tables(database, files / "log", files / "movies.json")
    assert here[1] == ["a.json", "b.json.gz", "c.parquet", "d.zip"]
    assert here[0]["rejected"] == 1
    for named in (f"{url}/log", f"{url}/log/", f"{url}/log/[a-d]*", f"{url}/*g"):
        assert tables(database, named, f"{url}/movies.json") == here
    left = [
        path.name for path in tmp_path.iterdir() if path.name.startswith(".source") and path.stat().st_blocks
    ]
    assert len(left) <= 8  # Only beginnings and ends of Parquet files stay until the database is removed.


def test_the_commands_take_addresses(url: str, files: Path, tmp_path: Path) -> None:
    for number, (log, movies) in enumerate(
        ((f"{url}/log", f"{url}/movies.json"), (files / "log", files / "movies.json"))
    ):
        words = ["prepare", str(log), "--metadata", str(movies), "--output", str(tmp_path / f"{number}.csv")]
        done = CliRunner().invoke(main, [*words, "--rejected", str(tmp_path / f"{number}.parquet"), "--json"])
        assert done.exit_code == 0, done.output
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()
    [name] = pq.read_table(tmp_path / "0.parquet").column("file").to_pylist()
    assert name == (f"{files}/log/a.json" if url.startswith("file") else f"{url}/log/a.json")
    plans = [plan_build(f"{place}/log", output=tmp_path / "index") for place in (url, files)]
    assert plans[0].files.num_reviews == plans[1].files.num_reviews == 3000
    assert plans[0].files.num_reviewers == plans[1].files.num_reviewers == 90


def test_what_cannot_be_read_is_one_sentence(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: list[tuple[str, type[Exception], str]] = [
        (f"{bucket}/none.json", SourceError, "^No file is at s3://shop-.*/none.json; check the name"),
        (f"{bucket}/*.json", SourceError, r"^No file is at s3://shop-.*/\*.json; check the name"),
        ("s3://no-such-bucket/log.json", SourceError, "no-such-bucket/log.json"),
        ("memory://none", SourceError, "^No file is at memory://none; check the name"),
        ("nonsense://log.json", ConfigError, "^nonsense://log.json does not name storage that can be read"),
    ]
    for url, kind, message in wrong:
        with pytest.raises(kind, match=message) as raised, inputs_of(url):
            pass
        assert "\n" not in str(raised.value)
    fsspec.filesystem("s3").invalidate_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    type(fsspec.filesystem("s3")).clear_instance_cache()
    with (
        pytest.raises(SourceError, match="check the address, the credentials and the network"),
        inputs_of(bucket),
    ):
        pass
    type(fsspec.filesystem("s3")).clear_instance_cache()


@pytest.mark.parametrize("what", ["changed", "gone", "full"])
def test_a_file_that_changes_while_it_is_read_is_one_sentence(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = fsspec.filesystem("memory")
    reviews = "user,item,stars\n" + "".join(f"u{n % 9},m{n % 7},5\n" for n in range(2000))
    system.pipe_file("/moving/log.csv", reviews.encode())
    fetch = remote.fetched

    def after_a_change(file: remote.RemoteFile, folder: Path) -> Any:
        if what == "gone":
            system.rm("/moving/log.csv")
        elif what == "changed":
            system.pipe_file("/moving/log.csv", reviews.replace("u1", "v1").encode())
        else:
            monkeypatch.setattr(remote, "_SPARE", 1 << 60)
        return fetch(file, folder)

    monkeypatch.setattr("pipelines.reading.sources.fetched", after_a_change)
    message = {
        "changed": "^memory://moving/log.csv has changed since the files were listed; give the same command",
        "gone": "^memory://moving/log.csv is gone since the files were listed; give the same command again",
        "full": "^A copy of memory://moving/log.csv does not fit into .*: no space is left; free some space",
    }[what]
    with pytest.raises(DataError, match=message):
        prepare("memory://moving/log.csv", (), tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    done = CliRunner().invoke(main, ["prepare", "s3://shop/log", "--output", str(tmp_path / "out.csv")])
    assert done.exit_code == 1
    assert "pip install 'movie-engine[remote]'" in done.output


def test_secrets_of_an_address_are_not_shown() -> None:
    assert str(Address("ftp://me:secret@host/log.csv")) == "ftp://host/log.csv"
    assert str(Address("https://host/log.csv?key=secret")) == "https://host/log.csv"
