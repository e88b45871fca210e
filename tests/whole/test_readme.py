"""Whatever the README shows can be done: its Python runs, its commands exist, its questions are answered."""

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from engine.cli.main import main

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
PYTHON = "\n".join(text for language, text in BLOCKS if language == "python" and "build_index" not in text)
[FROM_A_FRAME] = [text for language, text in BLOCKS if language == "python" and "build_index" in text]
COMMANDS = [
    shlex.split(line.removeprefix("$ ").removeprefix("engine "), comments=True)
    for language, text in BLOCKS
    if language in {"console", "bash"}
    for line in text.replace("\\\n", "").splitlines()
    if line.removeprefix("$ ").startswith("engine ")
]
QUESTIONS = [words for words in COMMANDS if words[0] in {"recommend", "similar", "info"}]


def test_commands_and_answers_fit_a_screen_of_80_columns() -> None:
    lines = [
        line for language, text in BLOCKS if language in ("console", "bash") for line in text.splitlines()
    ]
    assert [line for line in lines if len(line) > 80] == []


def test_every_picture_is_there_small_and_shown() -> None:
    shown = re.findall(r"!\[[^\]]+\]\((docs/images/[^)]+)\)", README)
    folder = Path(__file__).resolve().parents[2]
    pictures = {
        f"docs/images/{path.name}": path.stat().st_size for path in (folder / "docs/images").iterdir()
    }
    assert sorted(shown) == sorted(pictures)
    assert max(pictures.values()) < 150_000


@pytest.fixture
def _beside_the_sample(sample_index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENGINE_INDEX", raising=False)
    monkeypatch.chdir(sample_index.parent)


@pytest.mark.usefixtures("_beside_the_sample")
def test_the_python_runs() -> None:
    assert "Engine.load" in PYTHON
    exec(compile(PYTHON, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.slow
def test_five_lines_lead_from_a_frame_to_a_list_that_a_notebook_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["userId,movieId,rating,timestamp"]
    for number in range(600):
        user, movie = 150 + number % 60, (number * 7 + number // 60) % 40
        lines.append(f"{user},{movie},{(user + movie) % 5 + 1},{880_000_000 + number}")
    Path("ratings.csv").write_text("\n".join(lines), encoding="utf-8")
    statements = ast.parse(FROM_A_FRAME).body
    assert len(statements) == len(FROM_A_FRAME.strip().splitlines()) - 1 == 5
    names: dict[str, Any] = {}
    exec(compile(ast.Module(statements[:-1], []), "README.md", "exec"), names)
    shown = eval(ast.unparse(statements[-1]), names)
    assert len(shown) == 10
    assert shown._repr_html_().count("<tr>") == 11


@pytest.mark.usefixtures("_beside_the_sample")
@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_the_questions_are_answered(words: list[str]) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert result.stdout


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_commands_and_their_options_exist(words: list[str]) -> None:
    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None
        command, words = found, words[1:]
    parent = click.Context(main, **main.context_settings)  # without it the command would forget -h
    command.make_context(command.name, list(words), parent=parent)
