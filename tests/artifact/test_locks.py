"""Temporary folders are locked; a folder whose process was killed is removed by the next process."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.artifact import locks
from engine.artifact.locks import remove_folder, remove_leftovers, take_lock, temporary_folder
from engine.errors import DataError

HOLD = """
import sys, time
from pathlib import Path
from engine.artifact.locks import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("data")
    print(folder, flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_gone_at_the_end_whatever_happens(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        (folder / "file").write_text("data")
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []
    with pytest.raises(KeyboardInterrupt), temporary_folder(tmp_path):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_process_uses_stays(tmp_path: Path) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            used = Path(process.stdout.readline().strip())
            with temporary_folder(tmp_path) as folder:
                assert names(tmp_path) == sorted([used.name, folder.name])
                assert (used / "inner" / "file").read_text() == "data"
            process.send_signal(number)
            process.wait()
        assert names(tmp_path) == [used.name]
    with temporary_folder(tmp_path) as folder:
        assert names(tmp_path) == [folder.name]


def test_nothing_of_others_is_removed(tmp_path: Path) -> None:
    others = (".engine-work-", ".engine-work-notes", ".engine-work-0123456789abcdef.bak", "work")
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / ".engine-work-0123456789abcdef").symlink_to(tmp_path / "work")
    (tmp_path / ".engine-work-00000000000000ff").write_text("a file")
    before = names(tmp_path)
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "nowhere")
    assert names(tmp_path) == before


def test_a_file_system_without_locks_is_worked_on_and_never_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_folder(tmp_path) as folder:
        name = folder.name

    def refuse(_handle: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    (tmp_path / name).mkdir()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with temporary_folder(tmp_path) as folder:
        assert names(tmp_path) == sorted([name, folder.name])
    assert names(tmp_path) == [name]


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def late(path: Path, flags: int) -> int | None:
        nonlocal calls
        calls += 1
        if calls == 1:
            remove_leftovers_of_another_process(tmp_path)
        return take_lock(path, flags)

    def remove_leftovers_of_another_process(parent: Path) -> None:
        for path in parent.iterdir():
            path.rmdir()

    monkeypatch.setattr(locks, "take_lock", late)
    with temporary_folder(tmp_path) as folder:
        assert folder.is_dir()
        assert calls == 2


def test_a_lock_excludes_until_it_is_closed_and_a_removed_path_cannot_be_locked(tmp_path: Path) -> None:
    handle = take_lock(tmp_path)
    assert handle is not None
    assert take_lock(tmp_path) is None
    os.close(handle)
    again = take_lock(tmp_path)
    assert again is not None
    os.close(again)
    assert take_lock(tmp_path / "gone") is None


def test_a_folder_that_is_removed_halfway_is_a_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shards").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda *_arguments, **_options: None)
        remove_folder(tmp_path / "shards")
    assert not (tmp_path / "shards").exists()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written_to_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"Cannot make a temporary folder in .*gone"):
        temporary_folder(tmp_path / "gone").__enter__()

    def none_usable() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none_usable)
    with pytest.raises(DataError, match="name another folder in TMPDIR"):
        temporary_folder().__enter__()
