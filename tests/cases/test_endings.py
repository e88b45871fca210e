"""Interrupted and killed commands: one sentence, nothing left behind, nothing lost."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_runs import Engine
from invented_files import json_lines, rows, shop_movies, shop_reviews, table, write

COMMAND = (sys.executable, "-m", "engine.cli")
NEW_REVIEW = {"overall": 4, "reviewerID": "R001", "asin": "M001", "unixReviewTime": 1_600_000_000}


@pytest.fixture
def big(engine: Engine) -> Path:
    """A file that takes a second or two to be prepared."""
    return write("big.csv", table(rows(12_000, 800, 12)))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of the test's own, also for the commands that it runs."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def start(*arguments: object, **settings: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Waits for the end of a process; gives its exit code and what it said."""
    said = process.communicate(timeout=120)[1]
    return process.returncode, said


def wait_until(process: subprocess.Popen[str], happened: Callable[[], bool], seconds: float = 60) -> None:
    """Waits for a sign of the process's work, or for its end."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None and not happened():
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_in_duckdb(big: Path, temporary: Path, sent: int, code: int) -> None:
    chance = random.Random(1)
    before = sorted(Path.cwd().iterdir())
    for _ in range(3):
        process = start("prepare", big, "--output", "s.parquet")
        wait_until(process, lambda: bool(list(Path.cwd().glob(".engine-*"))))
        time.sleep(chance.uniform(0, 1))
        process.send_signal(sent)
        ended, said = end_of(process)
        assert ended in (code, 0), said
        assert "Traceback" not in said
        assert "Exception ignored" not in said
        if ended:
            assert said.splitlines()[-1].startswith("Error: ")
        Path("s.parquet").unlink(missing_ok=True)
        assert sorted(Path.cwd().iterdir()) == before
        assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_leftovers_after_kill(shop: Path, big: Path, temporary: Path) -> None:
    Path("n.json").write_text(json.dumps(NEW_REVIEW) + "\n")
    before = {path.name for path in Path.cwd().iterdir()}
    commands = (
        ("add-reviews", "n.json", "--index", shop),
        ("add-movies", write("m.json", json_lines(shop_movies("X", 5))), "--index", shop),
        ("prepare", big, "--output", "o.parquet"),
    )
    for command in commands:
        process = start(*command)
        wait_until(process, lambda: bool([*temporary.iterdir(), *Path.cwd().glob(".engine-*")]))
        process.kill()
        end_of(process)
    for command in commands:
        assert end_of(start(*command))[0] == 0
    assert list(temporary.iterdir()) == []
    assert {path.name for path in Path.cwd().iterdir()} - before == {"m.json", "o.parquet"}
    # The build that was live before stays for those who read it.
    left = [path.name for path in shop.iterdir() if path.name not in ("CURRENT", ".lock", ".live-lock")]
    assert len(left) <= 2, left
    assert all(name.startswith("build-") for name in left)


@pytest.mark.slow
def test_what_is_in_use_is_not_swept(shop: Path, big: Path, temporary: Path) -> None:
    first = start("prepare", big, "--output", "first.parquet")
    wait_until(first, lambda: bool(list(Path.cwd().glob(".engine-*"))))
    second = start("prepare", big, "--output", "second.parquet")
    assert (end_of(first)[0], end_of(second)[0]) == (0, 0)
    assert Path("first.parquet").stat().st_size == Path("second.parquet").stat().st_size


@pytest.mark.slow
def test_update_drops_checkpoints(shop: Path, engine: Engine) -> None:
    write("r.json", json_lines(shop_reviews()))
    Path("n.json").write_text(json.dumps(NEW_REVIEW) + "\n")
    process = start("build-index", "r.json", "--output", shop)

    wait_until(process, lambda: len(work_of(shop)) > 1)
    process.kill()
    end_of(process)
    kept = work_of(shop)
    assert kept
    said = engine("add-reviews", "n.json", "--index", shop)
    assert said.code == 0, said
    assert work_of(shop) == kept or "resume" in said.log


def work_of(index: Path) -> list[Path]:
    """Gives the checkpoints of an unfinished build in the folder of an index."""
    try:
        files = [path for path in index.rglob("*") if path.is_file()]
    except FileNotFoundError:  # The command renamed a folder during the walk.
        return work_of(index)
    found = (path.relative_to(index) for path in files)
    return sorted(path for path in found if path.parts[0] == ".work" and ".engine-work" not in str(path))


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_ends_in_a_sentence(shop: Path, big: Path, temporary: Path) -> None:
    Path("n.json").write_text(json.dumps(NEW_REVIEW) + "\n")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    whole = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file() and path.name != ".lock"}
    for command in (("prepare", big, "--output", "o.parquet"), ("add-reviews", "n.json", "--index", shop)):
        process = start(*command, preexec_fn=limit)
        ended, said = end_of(process)
        assert ended == 1, said
        assert "Traceback" not in said
        assert said.splitlines()[-1].startswith("Error: ")
    assert not Path("o.parquet").exists()
    assert {path: path.read_bytes() for path in whole} == whole
    assert list(temporary.iterdir()) == []


def test_a_folder_for_temporary_files_that_is_not_there(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("n.json").write_text(json.dumps(NEW_REVIEW) + "\n")
    environment = os.environ | {"TMPDIR": "/nowhere"}
    done = subprocess.run(
        [*COMMAND, "add-reviews", "n.json", "--index", str(shop)],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 1)
