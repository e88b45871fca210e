"""Indexes are copied to and from storage elsewhere: whole, checked, and going on after an interruption."""

from __future__ import annotations

import json
import re
import socket
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from made_index import write_index

from engine import ArtifactError, ConfigError, Engine
from engine.artifact import remote, storage
from engine.artifact.builds import kept_builds, live_build
from engine.artifact.layout import CURRENT, MANIFEST
from engine.artifact.reader import Artifact
from engine.artifact.remote import pull, push
from engine.artifact.writer import ArtifactWriter
from engine.cli.main import main

pytest.importorskip("fsspec", reason="needs the extra `remote`")
pytest.importorskip("s3fs", reason="needs the extra `remote`")


def write_build(directory: Path, mark: int) -> str:
    with ArtifactWriter(directory) as writer:
        writer.add_array("movie_vectors", np.full((5, 3), mark, dtype=np.float32))
        writer.add_array("history_vectors", np.full((5, 2), mark, dtype=np.float32))
        writer.add_array("reviewer_embeddings", np.full((4, 2), mark, dtype=np.float32))
    return writer.build_directory.name


def mark_of(directory: Path) -> int:
    return int(Artifact.open(directory).array("movie_vectors")[0, 0])


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock", ".live-lock"}


def test_an_index_travels_through_s3_and_answers_alike(bucket: str, tmp_path: Path) -> None:
    here, there = write_index(tmp_path / "here"), tmp_path / "there"
    url = f"{bucket}/whole"
    sent = push(here, url)
    received = pull(url, there)
    assert (received.build, received.digest) == (sent.build, sent.digest)
    assert received.num_copied == sent.num_copied - 1  # The manifest is copied in any case.
    assert Engine.load(there).recommend("R00001") == Engine.load(here).recommend("R00001")
    assert push(here, url).num_copied == pull(url, there).num_copied == 0


def test_a_url_is_loaded_from_a_cache_and_reloaded_when_it_changes(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here, url = write_index(tmp_path / "here"), f"{bucket}/loaded"
    push(here, url)
    engine = Engine.load(url)
    assert engine.is_current
    assert not engine.reload()
    before = engine.recommend("R00001")
    write_index(here, seed=1)
    push(here, url)
    assert not engine.is_current
    assert engine.reload()
    assert engine.is_current
    assert engine.recommend("R00001") == Engine.load(here).recommend("R00001") != before
    digest = Artifact.open(here).digest
    assert Engine.load(url, expect=digest).build == live_build(here)
    with pytest.raises(ArtifactError, match=f"its digest is {digest}, not 0000"):
        Engine.load(url, expect="0000")


@pytest.mark.parametrize("scheme", ["file", "memory", "s3"])
def test_storage_of_any_kind_keeps_the_builds_of_the_directory(
    scheme: str, bucket: str, tmp_path: Path
) -> None:
    url = {"file": f"file://{tmp_path}/far away", "memory": "memory://far", "s3": f"{bucket}/kept"}[scheme]
    here, there = tmp_path / "here", tmp_path / "there"
    builds = []
    for mark in range(4):
        builds.append(write_build(here, mark))
        push(here, url)
        pull(url, there)
        assert mark_of(there) == mark
    far = storage.Storage(url)
    assert [far.size(f"{build}/{MANIFEST}") is not None for build in builds] == [False, False, True, True]
    assert {build.name for build in kept_builds(there)} == set(builds[2:])
    assert names_in(there) == {CURRENT, *builds[2:]}


def test_an_interrupted_copy_goes_on_and_the_old_build_stays_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, url = tmp_path / "here", tmp_path / "there", "memory://interrupted"
    write_build(here, 1)
    push(here, url)
    pull(url, there)
    write_build(here, 2)
    written = storage.Storage.write

    def write_two_files(self: storage.Storage, name: str, source: object) -> None:
        if name.endswith(("movie_vectors.npy", "history_vectors.npy")):
            return written(self, name, source)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(storage.Storage, "write", write_two_files)
        with pytest.raises(KeyboardInterrupt):
            push(here, url)
    assert pull(url, tmp_path / "other").build != live_build(here)
    assert push(here, url).num_copied == 2  # One array and the manifest.
    copied = remote._copy_file

    def copy_one_file(far: storage.Storage, name: str, path: Path, entry: dict[str, int]) -> None:
        if not name.endswith("history_vectors.npy"):
            raise KeyboardInterrupt
        copied(far, name, path, entry)

    with monkeypatch.context() as patch:
        patch.setattr(remote, "_copy_file", copy_one_file)
        with pytest.raises(KeyboardInterrupt):
            pull(url, there)
    assert mark_of(there) == 1
    assert pull(url, there).num_copied == 2
    assert mark_of(there) == 2
    assert ".work" not in names_in(there)


def test_damage_in_storage_is_refused_and_damage_at_home_is_mended(tmp_path: Path) -> None:
    here, there, far = tmp_path / "here", tmp_path / "there", tmp_path / "far"
    build = write_build(here, 1)
    push(here, f"file://{far}")
    pull(f"file://{far}", there)
    (there / build / "movie_vectors.npy").write_bytes(b"damaged")
    pull(f"file://{far}", there)
    assert mark_of(there) == 1
    vectors = far / build / "movie_vectors.npy"
    good = vectors.read_bytes()
    for bad in (good[:-1], good + b"x", good[:-1] + b"x"):
        vectors.write_bytes(bad)
        with pytest.raises(ArtifactError, match=r"movie_vectors\.npy has changed since it was built"):
            pull(f"file://{far}", tmp_path / "new")
    vectors.unlink()
    with pytest.raises(ArtifactError, match=r"movie_vectors\.npy is missing"):
        pull(f"file://{far}", tmp_path / "new")
    manifest = json.loads((far / build / MANIFEST).read_text())
    manifest["files"]["../../../evil.npy"] = manifest["files"].pop("movie_vectors.npy")
    (far / build / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="has changed since it was built"):
        pull(f"file://{far}", tmp_path / "new")
    digest = remote.checksum(far / build / MANIFEST)
    (far / CURRENT).write_text(f"{build} {digest}\n")
    with pytest.raises(ArtifactError, match="which no index holds"):
        pull(f"file://{far}", tmp_path / "new")
    (far / CURRENT).write_text("../elsewhere 00\n")
    with pytest.raises(ArtifactError, match="CURRENT is"):
        pull(f"file://{far}", tmp_path / "new")
    assert not (tmp_path / "evil.npy").exists()
    with pytest.raises(ArtifactError, match="There is no index"):
        Engine.load(tmp_path / "new")


def test_what_cannot_be_reached_is_one_sentence(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=re.escape(f"There is no index at {bucket}/nothing; copy one")):
        pull(f"{bucket}/nothing", tmp_path / "new")
    with pytest.raises(ConfigError, match="does not name storage that can be used"):
        pull("nothing://a/b", tmp_path / "new")
    with pytest.raises(ConfigError, match=re.escape("pip install 'movie-engine[remote]'")):
        pull("gs://a/b", tmp_path / "new")
    with pytest.raises(ArtifactError, match="There is no index at"):
        push(tmp_path / "nothing", "memory://nothing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    write_build(tmp_path / "here", 1)
    push(tmp_path / "here", "memory://somewhere")
    with pytest.raises(ArtifactError, match="it holds other things"):
        pull("memory://somewhere", tmp_path / "other")
    with ArtifactWriter(tmp_path / "here"), pytest.raises(ArtifactError, match="Another command is writing"):
        pull("memory://somewhere", tmp_path / "here")


def test_a_server_that_is_gone_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(ArtifactError, match="Cannot reach s3://gone/index"):
            pull("s3://gone/index", tmp_path / "new")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_the_commands_say_what_was_copied(tmp_path: Path) -> None:
    here, there, url = tmp_path / "here", tmp_path / "there", f"file://{tmp_path}/far"
    build = write_build(here, 1)
    runner = CliRunner()
    sent = runner.invoke(main, ["push", str(here), url])
    assert sent.stdout.startswith(f"{build} is the live build at {url} now; 4 files were copied")
    received = runner.invoke(main, ["pull", url, str(there), "--json"])
    assert json.loads(received.stdout)["num_copied"] == 3
    again = runner.invoke(main, ["pull", url, str(there)])
    assert again.stdout.endswith("nothing was copied.\n")
    refused = runner.invoke(main, ["pull", url, str(there), "--expect", "00"])
    assert refused.exit_code == 1
    assert "is not the expected one" in refused.stderr


def test_an_interrupted_pull_leaves_nothing_once_another_build_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, url = tmp_path / "here", tmp_path / "there", "memory://superseded"
    write_build(here, 1)
    push(here, url)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(remote, "_copy_file", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pull(url, there)
    assert ".work" in names_in(there)
    build = write_build(here, 2)
    push(here, url)
    pull(url, there)
    assert names_in(there) == {CURRENT, build}


def test_an_interrupted_push_to_a_disk_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    class Interrupted(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise KeyboardInterrupt
            return super().read(10)

    with pytest.raises(KeyboardInterrupt):
        storage.Storage(f"file://{tmp_path}/there").write("build/x.npy", Interrupted(b"x" * 100))
    assert not list((tmp_path / "there" / "build").iterdir())
    assert not list(temporary.iterdir())
