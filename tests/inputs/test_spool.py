"""Sources that can be read only once are read whole, and named as the user named them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import DataError, SourceError
from pipelines.inputs import spool
from pipelines.inputs.spool import Given, is_read_once, readable_files

DATA = b"user,item,rating\n" + b"u1,m1,5\n" * 200_000


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError):
            path.write_bytes(DATA)

    writer = threading.Thread(target=write)
    writer.start()
    yield path
    writer.join()


def test_a_pipe_is_copied_whole_and_keeps_its_name(pipe: Path, tmp_path: Path) -> None:
    assert is_read_once(pipe)
    folder = tmp_path / "work"
    folder.mkdir()
    [given] = readable_files([pipe], folder)
    assert given.path == pipe
    assert given.file.parent == folder
    assert given.file.read_bytes() == DATA


def test_a_file_is_read_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_bytes(DATA)
    assert readable_files([path, path], tmp_path) == [Given(path, path)] * 2
    assert not is_read_once(path)
    assert not is_read_once(tmp_path)
    assert not is_read_once(tmp_path / "missing")


def test_a_pipe_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(SourceError, match=r"pipe is given twice, but can be read only once"):
        readable_files([path, path], tmp_path)


def test_a_source_without_an_end_is_stopped_before_the_disk_is_full(
    pipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_SPARE", 1 << 60)
    with pytest.raises(DataError, match=r"does not fit into .*: no space is left; free some space"):
        readable_files([pipe], tmp_path)


def test_a_device_of_zeros_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="/dev/zero is not a text file"):
        readable_files([Path("/dev/zero")], tmp_path)


@pytest.mark.parametrize("given", [["-"], ["/dev/stdin"]])
def test_standard_input_is_read_by_the_commands(tmp_path: Path, given: list[str]) -> None:
    output = tmp_path / "out.csv"
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", "prepare", *given, "--output", str(output)],
        input=b"user,item,rating\n" + b"".join(b"u%d,m%d,5\n" % (n % 4, n // 4) for n in range(16)),
        capture_output=True,
        check=True,
    )
    assert b"16 rows read = 16 kept" in done.stdout
