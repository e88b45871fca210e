"""What reaches the terminal: no character that steers a terminal, and no traceback when stdout is gone."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_index import movie_id, reviewer_id, write_index

from engine.cli import terminal
from engine.cli.main import main
from engine.cli.terminal import on_one_line, visible

HOSTILE = "a\x1b[31m\x07\x9b\u202e\u2028\x7fb"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("terminal") / "index")


def run(
    arguments: Sequence[str | bytes | Path], redirected: str = "", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Runs the command line in a shell that redirects its output, and returns what it said."""
    command = [
        "bash",
        "-c",
        f'"$@" {redirected}',
        "bash",
        sys.executable,
        "-m",
        "engine.cli",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, env={**os.environ, **variables}, check=False)


def is_shown(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_characters_that_steer_a_terminal_are_written_out() -> None:
    assert visible("plain\nÜ 日本") == "plain\nÜ 日本"
    assert visible(HOSTILE) == r"a\x1b[31m\x07\x9b\u202e\u2028\x7fb"
    assert on_one_line("two\nlines\udcff") == r"two\nlines\udcff"


@pytest.mark.parametrize(
    "arguments",
    [
        [HOSTILE],
        [f"--{HOSTILE}"],
        ["recommend", "reviewer", HOSTILE],
        ["recommend", "reviewer", HOSTILE, "--fallback", "popular"],
        ["recommend", "reviewer", reviewer_id(1), "--exclude", HOSTILE],
        ["recommend", "reviewer", reviewer_id(1), "--where", f'"{HOSTILE}" = 1'],
        ["recommend", "reviewer", reviewer_id(1), "-k", HOSTILE],
        ["recommend", "ratings", f"{HOSTILE}=3", f"{movie_id(1)}=4"],
        ["similar", "movie", "--title", HOSTILE],
        ["info", "--index", HOSTILE],
        ["prepare", HOSTILE, "--output", "x.csv"],
        ["build-index", "x", "--set", f"{HOSTILE}=1"],
    ],
    ids=" ".join,
)
def test_no_command_prints_them(
    index: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--json"]):
        result = CliRunner().invoke(main, [*arguments, *more], env={"ENGINE_INDEX": str(index)})
        assert result.exit_code in (0, 1, 2), result.output
        assert not result.exception or isinstance(result.exception, SystemExit)
        assert result.output
        assert is_shown(result.output), result.output


def test_json_stays_json(index: Path) -> None:
    for reviewer in (HOSTILE, "\udcff", "\U000e0001"):
        asked = ["recommend", "reviewer", reviewer, "--fallback", "popular", "--json", "--index", str(index)]
        result = CliRunner().invoke(main, asked)
        assert json.loads(result.stdout)["reviewer_id"] == reviewer
        assert is_shown(result.stdout)


@pytest.mark.parametrize("encoding", ["utf-8:strict", "latin-1:strict"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["recommend", "reviewer", b"\xff", "--fallback", "popular", "--json"],
        ["recommend", "ratings", b"\xff=3", f"{movie_id(1)}=5"],
        ["similar", "movie", "--title", b"zqzq\xff"],
        ["recommend", "reviewer", "\u65e5\u672c", "--where", b"title = '\xff'"],
    ],
    ids=["reviewer", "ratings", "title", "condition"],
)
def test_text_that_is_not_utf_8_is_an_answer_or_one_sentence(
    index: Path, encoding: str, arguments: list[str | bytes]
) -> None:
    done = run([*arguments, "--index", index], PYTHONIOENCODING=encoding)
    assert b"Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1)
    assert done.stdout or done.stderr


@pytest.mark.parametrize("arguments", [["recommend", "reviewer", reviewer_id(1)], ["--help"]])
def test_a_stdout_that_is_full_or_closed_is_one_sentence(index: Path, arguments: list[str]) -> None:
    full = run(arguments, ">/dev/full", ENGINE_INDEX=str(index))
    assert full.returncode == 1
    assert full.stderr.decode().splitlines()[-1].endswith("No space left on device.")
    assert len(full.stderr.splitlines()) == 1
    closed = run(arguments, ">&-", ENGINE_INDEX=str(index))
    assert b"Traceback" not in closed.stderr
    nobody = run(arguments, "| true; exit ${PIPESTATUS[0]}", ENGINE_INDEX=str(index))
    assert nobody.returncode in (0, 1, 141)
    assert nobody.stderr == b""
    mute = run(arguments, ">&- 2>&-", ENGINE_INDEX=str(index))
    assert mute.returncode in (0, 1)


def test_an_id_that_begins_with_a_hyphen_is_explained_and_can_be_asked_for(index: Path) -> None:
    for command in (
        ["similar", "movie"],
        ["recommend", "reviewer"],
        ["recommend", "movie"],
        ["similar", "reviewer"],
    ):
        result = CliRunner().invoke(main, [*command, "-5", "--index", str(index)])
        assert result.exit_code == 2
        assert "write -- before the id" in result.stderr
        result = CliRunner().invoke(main, [*command, "--index", str(index), "--", "-5"])
        assert result.exit_code == 1
        assert "'-5' in index" in result.stderr
    result = CliRunner().invoke(main, ["predict", "--index", str(index), "--", "-5", "-k"])
    assert "'-k' in index" in result.stderr or "'-5' in index" in result.stderr


@pytest.mark.parametrize(
    "number", ["9" * 400, "9" * 5000, "-" + "9" * 400, "1e3", "True", "1.5", "", "0"], ids=len
)
def test_a_strange_number_is_one_sentence(index: Path, number: str, tmp_path: Path) -> None:
    for asked in (
        ["recommend", "reviewer", reviewer_id(1), "-k", number],
        ["recommend", "all", "--output", str(tmp_path / "lists"), "--shard-size", number],
        ["evaluate", "x", "--max-reviewers", number],
        ["prepare", "x", "--output", "y.csv", "--min-reviews-per-movie", number],
    ):
        result = CliRunner().invoke(main, asked, env={"ENGINE_INDEX": str(index)})
        assert result.exit_code in (1, 2), result.output
        assert isinstance(result.exception, SystemExit)
        assert len(result.stderr) < 3000


@pytest.mark.parametrize("amount", ["999999999999999999TB", "0", "0GB", "-4GB", "4", "lots", "1e9GB", "٤GB"])
def test_a_strange_amount_of_memory_is_one_sentence(amount: str, tmp_path: Path) -> None:
    asked = ["prepare", str(tmp_path / "x"), "--output", str(tmp_path / "y.csv"), "--memory-limit", amount]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 1
    assert "an amount of memory such as 4GB" in result.stderr


def test_only_one_file_prints() -> None:
    for path in Path(terminal.__file__).parent.rglob("*.py"):
        assert path.name == "terminal.py" or "click.echo(" not in path.read_text(), path
