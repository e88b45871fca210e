import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.artifact.files import checksum
from engine.artifact.layout import CURRENT, MANIFEST
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter, check_directory
from engine.errors import (
    ArtifactCorruptError,
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactVersionError,
)

VECTORS, COUNTS, GROUPS, NOTHING = "movie_vectors", "movie_counts", "variant_groups", "history_times"
LEDGER = "rejected.parquet"


def write_build(directory: Path, mark: int = 1) -> Path:
    with ArtifactWriter(directory) as writer:
        writer.add_array(VECTORS, np.full((5, 3), mark, dtype=np.float32))
        writer.add_array(COUNTS, np.full(5, mark, dtype=np.int32))
        writer.add_array(GROUPS, np.full(5, -1, dtype=np.int32))
        writer.add_array(NOTHING, np.zeros(0, dtype=np.int64))
        writer.path_for(LEDGER).write_text(f"build {mark}")
        writer.add_section("counts", {"num_movies": np.int64(5), "loss": float("nan"), "mark": mark})
    return writer.build_directory


def fail_a_build(directory: Path) -> None:
    with ArtifactWriter(directory) as writer:
        writer.add_array(VECTORS, np.ones(3))
        raise ZeroDivisionError


def live_mark(directory: Path) -> int:
    return int(Artifact.open(directory).array(VECTORS)[0, 0])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    build = write_build(tmp_path / "index")
    artifact = Artifact.open(tmp_path / "index")
    assert artifact.build_directory == build
    assert artifact.array(VECTORS).tolist() == [[1.0] * 3] * 5
    assert artifact.array(VECTORS).dtype == np.float32
    assert artifact.array(NOTHING).shape == (0,)
    assert not artifact.array(VECTORS).flags.writeable
    assert artifact.file(LEDGER).read_text() == "build 1"
    assert artifact.manifest["counts"] == {"num_movies": 5, "loss": None, "mark": 1}
    assert artifact.manifest["format_version"] == 1
    assert artifact.has(LEDGER)
    assert not artifact.has("strongest.npy")
    artifact.verify()


def test_a_second_build_replaces_the_first_and_open_readers_go_on(tmp_path: Path) -> None:
    write_build(tmp_path, 1)
    reader = Artifact.open(tmp_path)
    write_build(tmp_path, 2)
    assert live_mark(tmp_path) == 2
    assert reader.array(VECTORS)[0, 0] == 1
    write_build(tmp_path, 3)
    assert len(list(tmp_path.glob("build-*"))) == 2
    assert live_mark(tmp_path) == 3


def test_a_failed_build_leaves_the_old_one_live(tmp_path: Path) -> None:
    write_build(tmp_path, 1)
    with pytest.raises(ZeroDivisionError):
        fail_a_build(tmp_path)
    assert live_mark(tmp_path) == 1
    assert not list(tmp_path.glob(".partial-*"))


def test_a_failed_first_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_a_build(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_killed_build_leaves_the_old_one_live_and_the_next_cleans_up(tmp_path: Path) -> None:
    write_build(tmp_path, 1)
    script = """
        import sys, time
        from pathlib import Path
        import numpy as np
        from engine.artifact.writer import ArtifactWriter
        with ArtifactWriter(Path(sys.argv[1])) as writer:
            writer.add_array("movie_vectors", np.ones(1000))
            print("writing", flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        with pytest.raises(ArtifactError, match="Another build"):
            check_directory(tmp_path)
        with pytest.raises(ArtifactError, match="Another build"), ArtifactWriter(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(tmp_path.glob(".partial-*"))
    assert live_mark(tmp_path) == 1
    check_directory(tmp_path)
    write_build(tmp_path, 2)
    assert live_mark(tmp_path) == 2
    assert not list(tmp_path.glob(".partial-*"))


def test_an_update_keeps_the_checkpoints_of_an_interrupted_build(tmp_path: Path) -> None:
    write_build(tmp_path, 1)
    work = tmp_path / ".work"
    (work / "step@0").mkdir(parents=True)
    (work / ".engine-work-0123456789abcdef").mkdir()
    write_build(tmp_path, 2)
    assert [path.name for path in work.iterdir()] == ["step@0"]
    with ArtifactWriter(tmp_path, resumable=True) as writer:
        writer.add_array(VECTORS, np.full((5, 3), 3, dtype=np.float32))
    assert not work.exists()
    assert live_mark(tmp_path) == 3


def test_checkpoints_of_a_build_that_became_live_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the moment when the build becomes live and the removal of the checkpoints."""
    (tmp_path / ".work" / "step@0").mkdir(parents=True)
    with monkeypatch.context() as patched:
        patched.setattr(ArtifactWriter, "_remove_work", lambda _writer: None)
        with ArtifactWriter(tmp_path, resumable=True) as writer:
            writer.add_array(VECTORS, np.ones((5, 3), dtype=np.float32))
    assert (tmp_path / ".work" / "step@0").exists()
    write_build(tmp_path, 2)
    assert not (tmp_path / ".work").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(27, "File too large"), "file too large; raise the limit on the size of a file"),
        (OSError("1000 requested and 500 written"), "the disk is full, or a file may not grow so large"),
        (OSError(28, "No space left on device"), "the disk is full; free some space"),
    ],
)
def test_a_place_that_refuses_to_be_written_to_is_one_sentence(
    tmp_path: Path, error: OSError, said: str
) -> None:
    write_build(tmp_path, 1)
    with pytest.raises(ArtifactError, match=re.escape(said)), ArtifactWriter(tmp_path):
        raise error
    assert live_mark(tmp_path) == 1


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def extend(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"0")


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_the_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def make_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [remove, truncate, empty, extend, flip_a_byte, flip_the_last_byte, make_a_directory]
)
@pytest.mark.parametrize(
    "name", [CURRENT, MANIFEST, f"{VECTORS}.npy", f"{COUNTS}.npy", f"{NOTHING}.npy", LEDGER]
)
def test_every_damage_is_an_artifact_error(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    build = write_build(tmp_path)
    damage(tmp_path / name if name == CURRENT else build / name)
    with pytest.raises(ArtifactError) as caught:
        Artifact.open(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_swapped_files_are_an_artifact_error(tmp_path: Path) -> None:
    build = write_build(tmp_path)
    (build / f"{GROUPS}.npy").rename(tmp_path / "kept")
    (build / f"{COUNTS}.npy").rename(build / f"{GROUPS}.npy")
    (tmp_path / "kept").rename(build / f"{COUNTS}.npy")
    with pytest.raises(ArtifactCorruptError, match="has changed since it was built"):
        Artifact.open(tmp_path)


def test_a_large_index_checks_sizes_when_opened_and_checksums_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = write_build(tmp_path)
    flip_a_byte(build / LEDGER)
    monkeypatch.setattr("engine.artifact.reader._VERIFIED_ON_OPENING", 10)
    artifact = Artifact.open(tmp_path)
    with pytest.raises(ArtifactCorruptError, match=r"rejected\.parquet has changed"):
        artifact.verify()
    truncate(build / LEDGER)
    with pytest.raises(ArtifactCorruptError, match=r"rejected\.parquet has 6 bytes instead of 7"):
        Artifact.open(tmp_path)


def test_a_removed_live_build_is_corrupt_and_a_removed_current_is_not_found(tmp_path: Path) -> None:
    shutil.rmtree(write_build(tmp_path))
    with pytest.raises(ArtifactCorruptError, match="engine build-index"):
        Artifact.open(tmp_path)
    (tmp_path / CURRENT).unlink()
    with pytest.raises(ArtifactNotFoundError, match="engine build-index"):
        Artifact.open(tmp_path)
    write_build(tmp_path, 2)
    assert live_mark(tmp_path) == 2


@pytest.mark.parametrize("place", ["absent", "file.txt", "file.txt/inside", "empty"])
def test_where_there_is_no_index_the_command_that_builds_one_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactNotFoundError, match="engine build-index"):
        Artifact.open(tmp_path / place)


def test_another_format_version_names_both_and_the_way_out(tmp_path: Path) -> None:
    manifest = write_build(tmp_path) / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format_version": 99}))
    with pytest.raises(ArtifactVersionError, match=r"version 99, .* reads version 1; build it again"):
        Artifact.open(tmp_path)
    (tmp_path / CURRENT).write_text(f"{manifest.parent.name} {checksum(manifest)}\n")
    with pytest.raises(ArtifactVersionError):
        Artifact.open(tmp_path)


def test_a_reader_that_meets_a_replaced_build_opens_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_build(tmp_path, 1)
    stale = (tmp_path / CURRENT).read_text().split()
    write_build(tmp_path, 2)
    write_build(tmp_path, 3)  # Removes the first build.
    fresh = (tmp_path / CURRENT).read_text().split()
    answers = iter([stale, fresh, fresh])
    monkeypatch.setattr("engine.artifact.reader._read_pointer", lambda _: tuple(next(answers)))
    assert live_mark(tmp_path) == 3


def test_a_full_disk_is_one_sentence_and_the_old_build_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_build(tmp_path, 1)

    def fill(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", fill)
        with pytest.raises(ArtifactError, match="the disk is full; free some space"):
            write_build(tmp_path, 2)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fill)
        with pytest.raises(ArtifactError, match="the disk is full"):
            write_build(tmp_path, 2)
    with pytest.raises(ArtifactError, match="the disk is full"), ArtifactWriter(tmp_path):
        fill()
    assert live_mark(tmp_path) == 1
    assert not list(tmp_path.glob(".partial-*"))
    assert len(list(tmp_path.glob("build-*"))) == 1


def test_a_disk_that_is_too_small_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="MB are free"):
        check_directory(tmp_path, needed=2**62)


def test_a_read_only_output_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(ArtifactError, match="read-only file system; name another directory"):
        check_directory(tmp_path / "new")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ArtifactError, match="read-only file system"), ArtifactWriter(tmp_path / "new"):
        pass


def test_an_output_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(ArtifactError, match=r"holds other things \(file\.txt\)"):
        check_directory(tmp_path)
    with pytest.raises(ArtifactError, match="it is a file"):
        check_directory(tmp_path / "file.txt")
    with pytest.raises(ArtifactError, match="not a directory"):
        check_directory(tmp_path / "file.txt" / "inside")
    with pytest.raises(ArtifactError, match="it is a file"), ArtifactWriter(tmp_path / "file.txt"):
        pass
    check_directory(tmp_path / "some" / "where")
    assert not (tmp_path / "some").exists()


@pytest.mark.parametrize("name", ["../outside", "a/b", "", ".hidden", MANIFEST])
def test_a_file_cannot_be_named_outside_the_build(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        ArtifactWriter(tmp_path).path_for(name)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickle"), ArtifactWriter(tmp_path) as writer:
        writer.add_array(COUNTS, np.array([{}]))
