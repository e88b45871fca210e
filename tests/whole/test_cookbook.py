"""Whatever the cookbook shows can be done, and its answers have the shape that is shown."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.cli.main import main

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "cookbook.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
commands = runpy.run_path(str(DOCS / "cookbook.py"))["commands"]
CONSOLES = [list(commands(text)) for language, text in BLOCKS if language == "console"]
LOGGED = ("Skipped", "No movie matches")
"""What the log says, which a test does not see among the output."""
LOG_LINE = re.compile(r"\d\d:\d\d:\d\d ")


@pytest.fixture
def _beside_the_sample(sample_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(sample_index, tmp_path / "movie-index")
    monkeypatch.delenv("ENGINE_INDEX", raising=False)
    monkeypatch.chdir(tmp_path)


def lines_of(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(LOGGED)]
    return [line for line in lines if not LOG_LINE.match(line)]


def without_figures(line: str) -> str:
    return re.sub(r"[\d.,]+", "0", line)


def shape(value: Any) -> Any:
    """The names in a JSON value, and of a list those of its first entry."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def test_commands_and_answers_fit_a_screen_of_80_columns() -> None:
    lines = [
        line for language, text in BLOCKS if language in ("console", "bash") for line in text.splitlines()
    ]
    assert [line for line in lines if len(line) > 80 and not line.startswith("Error: ")] == []


@pytest.mark.usefixtures("_beside_the_sample")
@pytest.mark.parametrize("console", CONSOLES, ids=lambda console: console[0][0][:60])
def test_the_consoles_show_what_is_answered(console: list[tuple[str, str]]) -> None:
    for command, shown in console:
        words = shlex.split(command.replace("\\\n", ""))
        if words[0] == "cat":
            Path(words[1]).write_text(shown, encoding="utf-8")
            continue
        assert words[0] == "engine"
        result = CliRunner().invoke(main, words[1:])
        assert result.exit_code == ("Error: " in shown), result.output
        if shown.startswith("{"):
            assert shape(json.loads(result.stdout)) == shape(json.loads(shown))
            continue
        if {"--card", "--columns", "show"} & set(words):
            assert result.stdout  # What is shown depends on the movies.
            continue
        got, expected = lines_of(result.output), lines_of(shown)
        assert len(got) == len(expected), result.output
        heads = [(line.split(), other.split()) for line, other in zip(got, expected, strict=True)]
        for line, other in heads:
            if other[0] == "#":
                assert line == other
            elif other[0] == "Error:":
                assert without_figures(" ".join(line)) == without_figures(" ".join(other))
            else:
                assert line[0] == other[0]


@pytest.mark.usefixtures("_beside_the_sample")
@pytest.mark.parametrize("text", PYTHON, ids=["why", "the same"])
def test_the_python_runs(text: str) -> None:
    exec(compile(text, "cookbook.md", "exec"), {"__name__": "cookbook"})
