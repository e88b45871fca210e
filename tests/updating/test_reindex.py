"""An index that is built again without training: what changes, what stays, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from made_index import write_index

from engine import Engine
from engine.artifact.layout import STRONGEST_FILE, VECTOR_INDEX_FILE
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.cli.main import main
from engine.errors import ArtifactCorruptError, ArtifactError, ConfigError, IndexQualityError
from indexes.base import VectorIndex
from indexes.faiss_index import FaissIndex, FlatIndex, InvertedFileIndex
from indexes.strongest import StrongestIndex
from pipelines.export import vector_index
from pipelines.updating.reindex import rebuild_index

KINDS = ("flat", "ivf", "ivf-fp16", "ivf-sq8", "auto")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return write_index(tmp_path / "index")


def vectors_of(index: Path) -> VectorIndex:
    return FaissIndex.load(Artifact.open(index).file(VECTOR_INDEX_FILE))


@pytest.mark.parametrize("kind", KINDS)
def test_the_index_becomes_the_kind_that_is_asked_for(index: Path, kind: str) -> None:
    before = Artifact.open(index)
    manifest = rebuild_index(index, kind=kind, recall=0.95)
    after = Artifact.open(index)
    after.verify()
    vectors = vectors_of(index)
    assert isinstance(vectors, FlatIndex if kind in ("flat", "auto") else InvertedFileIndex)
    assert after.manifest == manifest
    assert manifest["search"]["kind"] == ("flat" if kind == "auto" else kind)
    assert manifest["config"]["index"]["kind"] == kind
    assert manifest["config"]["index"]["recall_floor"] == manifest["audit"]["floor"] == 0.95
    assert manifest["audit"]["recall"] >= 0.95
    assert manifest["index_rebuilt_from"] == before.build_directory.name != manifest["build"]
    kept = {name: entry for name, entry in before.manifest["files"].items() if name != VECTOR_INDEX_FILE}
    assert {name: entry for name, entry in manifest["files"].items() if name != VECTOR_INDEX_FILE} == kept
    for name in ("model", "counts"):
        assert manifest[name] == before.manifest[name]


def test_the_other_files_are_not_copied(index: Path) -> None:
    before = Artifact.open(index)
    rebuild_index(index)
    after = Artifact.open(index)
    name = "movie_vectors.npy"
    assert after.file(name).samefile(before.file(name))
    assert not after.file(VECTOR_INDEX_FILE).samefile(before.file(VECTOR_INDEX_FILE))


def test_files_are_copied_where_they_cannot_be_linked(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(1, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    before = Artifact.open(index)
    rebuild_index(index)
    after = Artifact.open(index)
    after.verify()
    assert not after.file("movie_vectors.npy").samefile(before.file("movie_vectors.npy"))


@pytest.mark.parametrize("kind", ["ivf", "ivf-sq8"])
def test_the_lists_are_those_of_scoring_everything(index: Path, kind: str) -> None:
    exact = Engine.load(index)
    manifest = rebuild_index(index, kind=kind, recall=0.95)
    engine = Engine.load(index)
    rows = np.arange(engine.num_reviewers, dtype=np.int64)
    found, wanted = (each.list_columns(rows, 10) for each in (engine, exact))
    held, all_of_them = (
        set(zip(part.places.tolist(), part.movie_rows.tolist(), strict=True)) for part in (found, wanted)
    )
    assert len(held & all_of_them) / len(all_of_them) >= 0.93
    assert manifest["search"]["num_probes"] <= manifest["search"]["num_lists"]


def test_the_same_kind_and_recall_give_the_same_index(index: Path) -> None:
    first, second = (rebuild_index(index, kind="ivf", recall=0.9) for _ in range(2))
    assert first["search"] == second["search"]
    assert first["files"][VECTOR_INDEX_FILE] == second["files"][VECTOR_INDEX_FILE]


def test_everyone_is_searched_for_among_the_strongest_movies(index: Path) -> None:
    wanted = Engine.load(index)
    first, second = (rebuild_index(index, kind="ivf", recall=0.4) for _ in range(2))
    assert first["files"][STRONGEST_FILE] == second["files"][STRONGEST_FILE]
    strongest = StrongestIndex.load(Artifact.open(index).file(STRONGEST_FILE))
    section = first["search"]["strongest"]
    assert section["num_vectors"] == strongest.num_vectors < wanted.num_movies
    assert section["recall"] >= 0.6
    rows = np.arange(wanted.num_reviewers, dtype=np.int64)
    found, exact = (each.list_columns(rows, 10) for each in (Engine.load(index), wanted))
    held, all_of_them = (
        set(zip(part.places.tolist(), part.movie_rows.tolist(), strict=True)) for part in (found, exact)
    )
    assert len(found.places) == len(exact.places)
    assert len(held & all_of_them) / len(all_of_them) >= 0.55
    manifest = rebuild_index(index, kind="flat")
    assert STRONGEST_FILE not in manifest["files"]
    assert "strongest" not in manifest["search"]


def test_damaged_strongest_movies_are_said(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.artifact.reader._VERIFIED_ON_OPENING", 10)
    rebuild_index(index, kind="ivf", recall=0.4)
    path = Artifact.open(index).file(STRONGEST_FILE)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(ArtifactCorruptError, match=r"strongest\.npy is not an array"):
        Engine.load(index).list_columns(np.arange(3, dtype=np.int64), 10)


def test_who_has_the_old_build_open_goes_on(index: Path) -> None:
    old = Engine.load(index)
    before = old.recommend("R00005")
    rebuild_index(index, kind="ivf", recall=0.9)
    assert old.recommend("R00005") == before


def test_a_recall_that_is_not_reached_leaves_the_old_index(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Artifact.open(index)
    monkeypatch.setattr(vector_index, "_recall", lambda found, exhaustive: 0.5)
    with pytest.raises(IndexQualityError, match=r"ask for --kind flat, or for a lower --recall"):
        rebuild_index(index, kind="ivf", recall=0.99)
    assert Artifact.open(index).build_directory == before.build_directory
    assert not list(index.glob(".partial-*"))


def test_bad_input_is_refused(index: Path, tmp_path: Path) -> None:
    for options in ({"kind": "hnsw"}, {"recall": 1.5}, {"recall": -0.1}):
        with pytest.raises(ConfigError):
            rebuild_index(index, **options)  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match="There is no index"):
        rebuild_index(tmp_path / "absent")
    with ArtifactWriter(index), pytest.raises(ArtifactError, match="Another build"):
        rebuild_index(index)


def test_a_damaged_file_is_not_taken_over(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.artifact.reader._VERIFIED_ON_OPENING", 10)
    path = Artifact.open(index).file("history_vectors.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"history_vectors\.npy has changed"):
        rebuild_index(index)
    assert len(list(index.glob("build-*"))) == 1


@pytest.mark.parametrize("left", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["ivf-fp16", "ivf-sq8"])
def test_a_truncated_index_file_is_an_artifact_error(index: Path, kind: str, left: float) -> None:
    rebuild_index(index, kind=kind, recall=0.9)
    path = Artifact.open(index).file(VECTOR_INDEX_FILE)
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    with pytest.raises(ArtifactError):
        Engine.load(index)


def test_the_command_says_what_was_chosen(index: Path) -> None:
    words = ["reindex", "--index", str(index)]
    result = CliRunner().invoke(main, [*words, "--kind", "ivf-sq8", "--recall", "0.9", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["search"]["kind"] == "ivf-sq8"
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "kind: ivf-sq8" in result.stdout
    shutil.rmtree(index)
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: There is no index")
