"""Lists that are written to remote storage are the lists that a folder gets, also after interruptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner
from made_index import write_index

from engine.cli.main import main
from engine.errors import ArtifactError, ConfigError
from pipelines.batch import shards
from pipelines.batch.places import RemoteFolder
from pipelines.batch.recommend_all import recommend_all

NUM_REVIEWERS = 300
SETTINGS: dict[str, Any] = {"k": 3, "shard_size": 60, "processes": 2}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("remote") / "index", NUM_REVIEWERS)


@pytest.fixture(scope="module")
def expected(index: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("expected") / "lists"
    recommend_all(index, folder, **SETTINGS)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://lists"
    fsspec.filesystem("memory").store.clear()


def files_at(url: str) -> dict[str, bytes]:
    system, root = fsspec.url_to_fs(url)
    return {path.rpartition("/")[2]: system.cat(path) for path in system.find(root)}


def in_order(files: dict[str, bytes]) -> dict[str, Any]:
    """Gives the files with the entries of the progress file in order, since shards end in any order."""
    return {**files, shards.PROGRESS: json.loads(files[shards.PROGRESS])}


@pytest.mark.parametrize("scheme", ["memory", "file", "s3"])
def test_storage_gets_the_files_that_a_folder_gets(
    index: Path,
    tmp_path: Path,
    expected: dict[str, bytes],
    memory: str,
    bucket: str,
    scheme: str,
) -> None:
    url = {"memory": memory, "file": f"file://{tmp_path}/far away/lists", "s3": f"{bucket}/lists"}[scheme]
    words = ["recommend", "all", "--index", str(index), "--output", url, "-k", "3", "--shard-size", "60"]
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["output"] == url
    assert in_order(files_at(url)) == in_order(expected)
    before = files_at(url)
    assert recommend_all(index, url, **SETTINGS)["resumed_reviewers"] == NUM_REVIEWERS
    assert files_at(url) == before


def test_an_interrupted_run_goes_on(
    index: Path, expected: dict[str, bytes], memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = RemoteFolder.publish

    def fail_at_last(folder: RemoteFolder, unfinished: Path, name: str) -> None:
        if name == "part-00003.parquet":
            raise KeyboardInterrupt
        publish(folder, unfinished, name)

    with monkeypatch.context() as patched:
        patched.setattr(RemoteFolder, "publish", fail_at_last)
        with pytest.raises(KeyboardInterrupt):
            recommend_all(index, memory, **{**SETTINGS, "processes": 1})
    assert 0 < len(files_at(memory)) < len(expected)
    assert recommend_all(index, memory, **SETTINGS)["resumed_reviewers"] == 3 * 60
    assert in_order(files_at(memory)) == in_order(expected)


def test_lists_of_other_settings_are_replaced_only_if_asked(index: Path, memory: str) -> None:
    recommend_all(index, memory, **SETTINGS)
    other = {**SETTINGS, "shard_size": 100}
    with pytest.raises(ConfigError, match="shard_size 60"):
        recommend_all(index, memory, **other)
    recommend_all(index, memory, overwrite=True, **other)
    assert sorted(files_at(memory)) == [
        *(f"part-0000{number}.parquet" for number in range(3)),
        shards.PROGRESS,
    ]


def test_other_files_in_storage_are_left_alone(index: Path, memory: str) -> None:
    fsspec.filesystem("memory").pipe("/lists/letter.txt", b"Dear")
    with pytest.raises(ConfigError, match="it holds other things"):
        recommend_all(index, memory, **SETTINGS)
    assert files_at(memory) == {"letter.txt": b"Dear"}
    fsspec.filesystem("memory").pipe(f"/lists/{shards.PROGRESS}", b"{")
    with pytest.raises(ConfigError, match="does not say how far"):
        recommend_all(index, memory, **SETTINGS)


def test_storage_that_cannot_be_used_is_one_sentence(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere://lists"):
        recommend_all(index, "nowhere://lists", **SETTINGS)
    with pytest.raises(ConfigError, match="takes a folder"):
        recommend_all(index, "memory://lists.csv", **SETTINGS)
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="Cannot reach"):
        recommend_all(index, f"file://{tmp_path}/file/lists", **SETTINGS)
