"""An index whose vectors are in a vector database: its builds, their collections, and what can go wrong.

All of it runs with the embedded database, or with the same database as a server of its own process.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from made_index import reviewer_id, write_index
from vector_database import needs_milvus, running_server

from engine import Engine
from engine.artifact.builds import live_build, roll_back
from engine.artifact.layout import ADDRESS_FILE, COLLECTIONS, EMBEDDED, VECTOR_INDEX_FILE
from engine.artifact.reader import Artifact
from engine.artifact.remote import push
from engine.artifact.writer import ArtifactWriter
from engine.cli.main import main
from engine.errors import ArtifactCorruptError, ArtifactError, ConfigError, EngineError
from engine.opened import OpenedIndex
from engine.questions.arguments import ListOptions
from indexes.database import Database
from pipelines.export import vector_index
from pipelines.updating.reindex import rebuild_index

NUM_REVIEWERS = 30


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    return write_index(tmp_path / "movie-index", NUM_REVIEWERS)


@pytest.fixture
def index(flat: Path) -> Path:
    needs_milvus()
    rebuild_index(flat, kind="milvus")
    return flat


def collections_of(index: Path) -> list[str]:
    database = Database(str(index / EMBEDDED))
    return sorted(database._client.list_collections())


def collection_of(index: Path, build: str | None = None) -> str:
    path = index / (build or live_build(index)) / ADDRESS_FILE
    return str(json.loads(path.read_text())["collection"])


def named_by_alias(index: Path, uri: str = "") -> str:
    alias = json.loads((index / COLLECTIONS).read_text())["alias"]
    found = Database(uri or str(index / EMBEDDED))._client.describe_alias(alias)
    return str(found["collection_name"])


def test_lists_and_similar_movies_are_those_of_a_flat_index(flat: Path) -> None:
    needs_milvus()
    before = Engine.load(flat)
    lists = [before.recommend(reviewer_id(row), k=20) for row in range(1, NUM_REVIEWERS)]
    similar = before.similar("M0003", k=10)
    manifest = rebuild_index(flat, kind="milvus")
    after = Engine.load(flat)
    assert [after.recommend(reviewer_id(row), k=20) for row in range(1, NUM_REVIEWERS)] == lists
    assert after.similar("M0003", k=10) == similar
    assert manifest["audit"]["recall"] >= 0.99
    assert ADDRESS_FILE in manifest["files"]
    assert VECTOR_INDEX_FILE not in manifest["files"]
    assert manifest["search"]["collection"] == collection_of(flat)


def test_the_alias_follows_the_live_build_and_old_collections_go(index: Path) -> None:
    first = live_build(index)
    rebuild_index(index)
    second = live_build(index)
    assert named_by_alias(index) == collection_of(index, second) != collection_of(index, first)
    roll_back(index)
    assert live_build(index) == first
    assert named_by_alias(index) == collection_of(index, first)
    roll_back(index, second)
    assert named_by_alias(index) == collection_of(index, second)
    rebuild_index(index, keep=2)
    assert not (index / first).exists()
    assert collections_of(index) == sorted([collection_of(index), collection_of(index, second)])
    rebuild_index(index, kind="flat", keep=1)
    assert not (index / EMBEDDED).exists()
    assert not (index / COLLECTIONS).exists()
    assert Engine.load(index).recommend(reviewer_id(3), k=5)


def test_a_failed_build_leaves_no_collection_behind(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = collections_of(index)
    monkeypatch.setattr(vector_index, "_recall", lambda found, exhaustive: 0.5)
    with pytest.raises(EngineError):
        rebuild_index(index)
    assert collections_of(index) == held == [collection_of(index)]
    assert json.loads((index / COLLECTIONS).read_text())["made"] == [[f"../{EMBEDDED}", held[0]]]


def test_the_next_build_removes_the_collection_of_a_killed_one(index: Path) -> None:
    code = (
        "import os, sys; from pipelines.updating import reindex; "
        "reindex.write_search = lambda *_: os._exit(9); reindex.rebuild_index(sys.argv[1])"
    )
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(str(index / EMBEDDED))
    done = subprocess.run([sys.executable, "-c", code, str(index)], capture_output=True)
    assert done.returncode == 9
    assert len(json.loads((index / COLLECTIONS).read_text())["made"]) == 2
    with ArtifactWriter(index) as writer:
        assert collections_of(index) == [collection_of(index)]
        writer.refuse("nothing is written")


def test_a_copy_leaves_the_collections_of_a_server_alone(flat: Path, tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as (uri, _):
        rebuild_index(flat, kind="milvus", uri=uri)
        shutil.copytree(flat, tmp_path / "copy")
        rebuild_index(tmp_path / "copy", kind="flat", keep=1)
        lists = Engine.load(flat).recommend(reviewer_id(3), k=5)
        assert lists == Engine.load(tmp_path / "copy").recommend(reviewer_id(3), k=5)
        assert named_by_alias(flat, uri) == collection_of(flat)


def test_a_server_that_is_gone_is_one_sentence_and_a_rollback_to_a_file_still_works(
    flat: Path, tmp_path: Path
) -> None:
    first = live_build(flat)
    with running_server(tmp_path / "server") as (uri, process):
        rebuild_index(flat, kind="milvus", uri=uri)
        engine = Engine.load(flat)
        before = engine.recommend(reviewer_id(3), k=5)
        assert before
        process.kill()
        process.wait()
        with pytest.raises(ArtifactError, match=rf"^The vector database at {uri} cannot be used") as caught:
            engine.recommend(reviewer_id(3), k=5)
        assert "\n" not in str(caught.value)
        done = CliRunner().invoke(main, ["recommend", "reviewer", reviewer_id(3), "--index", str(flat)])
        assert done.exit_code == 1
        assert "cannot be used" in done.stderr
        assert "Traceback" not in done.stderr
        with pytest.raises(ConfigError, match="cannot be used"):
            rebuild_index(flat)
        roll_back(flat)
    assert live_build(flat) == first
    assert Engine.load(flat).recommend(reviewer_id(3), k=5) == before


def test_one_process_at_a_time_has_the_embedded_database(index: Path) -> None:
    Engine.load(index).recommend(reviewer_id(3), k=5)
    command = [sys.executable, "-m", "engine.cli", "recommend", "reviewer", reviewer_id(3)]
    done = subprocess.run([*command, "--index", str(index)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is in use by another process" in done.stderr
    assert "Traceback" not in done.stderr
    command = [sys.executable, "-m", "engine.cli", "reindex", "--index", str(index)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is in use by another process" in done.stderr
    command = [sys.executable, "-m", "engine.cli", "serve", "--index", str(index), "--workers", "2"]
    done = subprocess.run([*command, "--port", "0"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "serves one process at a time; give --workers 1" in done.stderr


def test_lists_of_everyone_ask_no_database(index: Path) -> None:
    columns = OpenedIndex(Artifact.open(index)).columns
    shutil.rmtree(index / EMBEDDED)
    rows = np.arange(NUM_REVIEWERS)
    for options in (ListOptions(because=False), ListOptions(because=False, diversity=0.3)):
        assert len(columns.make(rows, 10, options).movie_rows) >= 10 * (NUM_REVIEWERS - 1)


def test_an_embedded_database_does_not_travel(index: Path) -> None:
    with pytest.raises(ArtifactError, match="embedded database"):
        push(index, "memory://movie-index")


def test_a_damaged_address_is_refused(index: Path) -> None:
    artifact = Artifact.open(index)
    path = artifact.file(ADDRESS_FILE)
    address = json.loads(path.read_text())
    faults = ({"uri": "ftp://a"}, {"dim": 1}, {"columns": [1]}, {"num_vectors": "1"}, {"more": 1})
    for content in ("", "[]", "{}", *(json.dumps(address | fault) for fault in faults)):
        path.write_text(content)
        with pytest.raises(ArtifactCorruptError, match="cannot be read"):
            OpenedIndex(artifact).vector_index  # noqa: B018
    with pytest.raises(ArtifactCorruptError):
        Engine.load(index).recommend(reviewer_id(3), k=5)


def test_a_database_without_the_collection_is_named(index: Path) -> None:
    Database(str(index / EMBEDDED)).drop(collection_of(index))
    with pytest.raises(ArtifactError, match="has no collection"):
        Engine.load(index).recommend(reviewer_id(3), k=5)
    shutil.rmtree(index / EMBEDDED)


@pytest.mark.parametrize("uri", ["http://user:secret@host:19530", "ftp://host", "vectors", "http://"])
def test_addresses_that_are_none_or_hold_a_password_are_refused(flat: Path, uri: str) -> None:
    with pytest.raises(ConfigError, match=r"index\.uri"):
        rebuild_index(flat, kind="milvus", uri=uri)


def test_a_database_at_another_path_is_used_and_its_folder_must_exist(flat: Path, tmp_path: Path) -> None:
    needs_milvus()
    with pytest.raises(ConfigError, match="does not exist; make the folder"):
        rebuild_index(flat, kind="milvus", uri=str(tmp_path / "absent" / "shop.db"))
    rebuild_index(flat, kind="milvus", uri=str(tmp_path / "shop.db"))
    assert not (flat / EMBEDDED).exists()
    assert Engine.load(flat).recommend(reviewer_id(3), k=5)
    held = Database(str(tmp_path / "shop.db"))
    assert held._client.list_collections() == [collection_of(flat)]
    rebuild_index(flat, kind="flat", uri="", keep=1)
    assert held._client.list_collections() == []


def test_nothing_imports_the_client_before_it_is_asked_for(flat: Path) -> None:
    code = (
        "import sys; from engine import Engine; import pipelines.building.build, pipelines.updating.reindex; "
        f"engine = Engine.load({str(flat)!r}); engine.recommend('R00003', k=5, where='price < 10'); "
        "pipelines.updating.reindex.rebuild_index(sys.argv[1]); "
        "print([name for name in ('pymilvus', 'milvus_lite', 'grpc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(flat)], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("package", ["pymilvus", "milvus_lite"])
def test_a_missing_package_is_named_with_its_extra(
    flat: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=r"pip install 'movie-engine\[milvus\]'"):
        rebuild_index(flat, kind="milvus")
    assert Engine.load(flat).recommend(reviewer_id(3), k=5)
