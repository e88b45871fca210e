"""An index from somebody else, whose checksums are right, is refused in one sentence or harmless."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_index
import numpy as np
import pytest
from forged import forge_file, forge_manifest, live_build

from engine.artifact.layout import CURRENT, MANIFEST
from engine.artifact.reader import Artifact
from engine.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError
from engine.recommender import Engine


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_index.write_index(tmp_path_factory.mktemp("made") / "index", 40)


@pytest.fixture
def index(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "index"))


def refusal(index: Path) -> str:
    with pytest.raises(ArtifactCorruptError) as caught:
        Engine.load(index)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 1000
    return sentence


WRONG = [None, -1, 1.5, float("nan"), float("inf"), 10**30, True, "x", [], {}, [[]], {"a": {}}]


@pytest.mark.parametrize(
    "place",
    [
        ("files",),
        ("files", "movie_vectors.npy"),
        ("files", "movie_vectors.npy", "size"),
        ("files", "movie_vectors.npy", "sha256"),
        ("model",),
        ("model", "max_history"),
        ("model", "recency_power"),
        ("model", "blend"),
        ("model", "rating_levels"),
        ("model", "num_rating_layers"),
        ("model", "has_linear_neighbours"),
        ("search",),
        ("search", "num_candidates"),
        ("counts",),
        ("format_version",),
        ("created",),
    ],
)
def test_every_wrong_value_in_a_manifest_is_refused_or_harmless(index: Path, place: tuple[str, ...]) -> None:
    manifest = json.loads((live_build(index) / MANIFEST).read_text())
    section = manifest
    for name in place[:-1]:
        section = section[name]
    right = section.pop(place[-1])
    refused = 0
    for wrong in [*WRONG, "missing"]:
        if wrong != "missing":
            section[place[-1]] = wrong
        forge_manifest(index, json.dumps(manifest).encode())
        try:
            Engine.load(index).recommend(made_index.reviewer_id(3))
        except ArtifactError:
            refused += 1
        section.pop(place[-1], None)
    section[place[-1]] = right
    forge_manifest(index, json.dumps(manifest).encode())
    assert len(Engine.load(index).recommend(made_index.reviewer_id(3))) == 10
    assert refused >= len(WRONG) - 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"format_version": 1}',
        b"[" * 100_000,
        b'{"format_version": 1, "a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"format_version": 1, "a": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_manifest_is_refused(index: Path, content: bytes) -> None:
    forge_manifest(index, content)
    assert "manifest.json" in refusal(index)


def test_a_huge_manifest_is_refused_unread(index: Path) -> None:
    os.truncate(live_build(index) / MANIFEST, 2**40)
    assert "more than a manifest can have" in refusal(index)


@pytest.mark.parametrize(
    "name", ["../CURRENT", "/etc/hostname", "..", "", "a/b", "x.npy", "catalog.duckdb.wal", "movie_vectors"]
)
def test_a_file_that_no_index_holds_is_refused(index: Path, name: str) -> None:
    entry = {"size": 1, "sha256": "0" * 64}
    forge_manifest(index, lambda manifest: manifest["files"].update({name: entry}))
    assert "which no index holds" in refusal(index)


@pytest.mark.parametrize("name", [CURRENT, MANIFEST, "movies.faiss", "movie_vectors.npy", "build"])
@pytest.mark.parametrize("kind", ["link", "pipe", "device", "directory"])
def test_links_pipes_and_devices_are_refused_without_waiting(index: Path, name: str, kind: str) -> None:
    build = live_build(index)
    path = {CURRENT: index / CURRENT, "build": build}.get(name, build / name)
    kept = index.parent / "kept"
    path.rename(kept)
    if kind == "link":
        path.symlink_to(kept)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif name != "build":
        path.mkdir()
    with pytest.raises(ArtifactError) as caught:
        Artifact.open(index)
    assert "\n" not in str(caught.value)


def test_an_endless_current_is_refused(index: Path) -> None:
    os.truncate(index / CURRENT, 2**40)
    assert "CURRENT is damaged" in refusal(index)


def test_a_directory_with_a_strange_path_is_not_there() -> None:
    for strange in ("a\0b", "x" * 300, "y/" * 3000):
        with pytest.raises(ArtifactError):
            Artifact.open(strange)
    with pytest.raises(ArtifactNotFoundError):
        Artifact.open("a\0b")


def as_bytes(array: np.ndarray, folder: Path) -> bytes:
    np.save(folder / "array.npy", array)
    return (folder / "array.npy").read_bytes()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("movie_vectors", lambda array: array[:, :-1]),
        ("movie_vectors", lambda array: array[:-1]),
        ("movie_vectors", lambda array: array.astype(np.float64)),
        ("movie_vectors", lambda array: array.ravel()),
        ("movie_vectors", lambda array: array[None]),
        ("reviewer_embeddings", lambda array: array[:1]),
        ("history_offsets", lambda array: array + 1),
        ("history_offsets", lambda array: array[:-1]),
        ("history_offsets", lambda array: array[:0]),
        ("history_movie_rows", lambda array: array[:-1]),
        ("history_level_rows", lambda array: array[:-1]),
        ("neighbour_offsets", lambda array: array * 2),
        ("neighbour_weights", lambda array: array[:-1]),
        ("movie_ids", lambda array: array[:-1]),
        ("movie_card_offsets", lambda array: array - 1),
        ("rating_kernel_0", lambda array: array.T),
        ("rating_kernel_1", lambda array: array[:-1]),
        ("rating_bias_0", lambda array: array[:-1]),
        ("rating_thresholds", lambda array: array[:-1]),
        ("level_weights", lambda array: array[:-1]),
        ("movie_counts", lambda array: array[:-1]),
        ("variant_groups", lambda array: array[:-1]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    index: Path, tmp_path: Path, name: str, change: Callable[[Any], Any]
) -> None:
    array = Artifact.open(index).array(name)
    forge_file(index, f"{name}.npy", as_bytes(np.ascontiguousarray(change(np.asarray(array))), tmp_path))
    assert "fit" in refusal(index)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (100000000, 1000000), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 9), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (400, 9), }",
        "{'descr': '<f9', 'fortran_order': False, 'shape': (400, 9), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9, " * 30 + "), }",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (400, 9), }",
        "(" * 100,
        "",
    ],
)
def test_a_hostile_header_of_an_array_is_refused(index: Path, header: str) -> None:
    content = bytearray((live_build(index) / "movie_vectors.npy").read_bytes())
    content[10:128] = header.encode().ljust(117)[:117] + b"\n"
    forge_file(index, "movie_vectors.npy", bytes(content))
    assert "movie_vectors.npy" in refusal(index)


@pytest.mark.parametrize("name", ["movie_vectors.npy", "reviewer_embeddings.npy", "history_vectors.npy"])
def test_vectors_that_are_no_numbers_are_refused_by_every_kind_of_list(index: Path, name: str) -> None:
    path = live_build(index) / name
    vectors = np.load(path)
    vectors[:] = np.nan
    np.save(path, vectors)
    forge_file(index, name, path.read_bytes())
    with pytest.raises(ArtifactCorruptError):
        Engine.load(index).list_columns(np.arange(3, dtype=np.int64))
    with pytest.raises(ArtifactCorruptError):
        Engine.load(index).recommend(made_index.reviewer_id(3))


def test_an_expected_digest_is_compared_and_everything_read(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.artifact.reader._VERIFIED_ON_OPENING", 0)
    digest = Artifact.open(index).digest
    assert Engine.load(index, expect=f" {digest.upper()}\n").info()["digest"] == digest
    with pytest.raises(ArtifactCorruptError, match="is not the expected one"):
        Engine.load(index, expect="0" * 64)
    path = live_build(index) / "movie_vectors.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    Engine.load(index)
    with pytest.raises(ArtifactCorruptError, match="has changed"):
        Engine.load(index, expect=digest)


def test_an_open_engine_answers_everything_after_its_files_are_gone(index: Path) -> None:
    fresh, opened = Engine.load(index), Engine.load(index)
    reviewer = made_index.reviewer_id(3)
    wanted = (
        fresh.recommend(reviewer, where="price < 10"),
        fresh.recommend("nobody", fallback="popular"),
        fresh.find_movie("Film 12"),
        fresh.list_columns(np.arange(3, dtype=np.int64)).movie_rows.tolist(),
    )
    shutil.rmtree(index)
    assert wanted == (
        opened.recommend(reviewer, where="price < 10"),
        opened.recommend("nobody", fallback="popular"),
        opened.find_movie("Film 12"),
        opened.list_columns(np.arange(3, dtype=np.int64)).movie_rows.tolist(),
    )


def test_opening_and_dropping_engines_leaves_no_file_open(index: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not list open files")
    Engine.load(index).recommend(made_index.reviewer_id(3), where="price < 10")
    before = len(list(folder.iterdir()))
    for _ in range(3):
        Engine.load(index).recommend(made_index.reviewer_id(3), where="price < 10")
    assert len(list(folder.iterdir())) <= before + 2
