"""Commands that read review files or change an index print what they found in every format, too."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from engine.cli.listing import FORMATS
from engine.cli.main import main

WRITES_FILES = "recommend all"
"""The command whose answer is files: its --format is the format of the files."""
MAIN_TABLES = {
    "evaluate": ("--models", "constants,popularity", "--protocol", "random"),
    "explore": (),
    "plan": (),
}
"""Commands whose formats for programs hold the main table of the answer, and options of each command."""


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("formats") / "reviews.csv"
    rows = [f"R{n % 12},M{n * 7 % 9},{1 + n * n % 5},{1_500_000_000 + n * 86_400}" for n in range(120)]
    path.write_text("\n".join(["reviewer,movie,rating,time", *rows]))
    return path


def run(*words: str | Path) -> Result:
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result


def test_every_command_that_prints_json_prints_every_format() -> None:
    with_json = {
        name: command
        for name, command in commands(main)
        if any("--json" in option.opts for option in command.params)
    }
    assert len(with_json) > 20
    for name, command in with_json.items():
        (format,) = [option for option in command.params if "--format" in option.opts]
        if name != WRITES_FILES:
            assert isinstance(format.type, click.Choice)
            assert tuple(format.type.choices) == FORMATS, name


@pytest.mark.parametrize("command", MAIN_TABLES)
def test_formats_for_programs_hold_the_main_table(reviews: Path, command: str) -> None:
    words = (command, reviews, *MAIN_TABLES[command])
    lines = [json.loads(line) for line in run(*words, "--format", "jsonl").stdout.splitlines()]
    rows = list(csv.DictReader(io.StringIO(run(*words, "--format", "csv").stdout)))
    assert len(lines) > 1
    for row, line in zip(rows, lines, strict=True):
        # The seconds of two plans differ.
        stable = [name for name in line if name != "seconds"]
        assert [row[name] for name in stable] == [
            "" if line[name] is None else str(line[name]) for name in stable
        ]
    assert isinstance(json.loads(run(*words, "--format", "json").stdout), dict)
    assert "\n\n| " in f"\n{run(*words, '--format', 'markdown').stdout}"
    assert run(*words).stdout == run(*words, "--format", "table").stdout or command == "plan"


def test_facts_are_lines_of_a_name_and_a_value(reviews: Path, tmp_path: Path) -> None:
    words = ("prepare", reviews, "--output", tmp_path / "table.csv")
    facts = dict(csv.reader(io.StringIO(run(*words, "--format", "csv").stdout)))
    assert facts["output"] == str(tmp_path / "table.csv")
    assert facts["accounting.read"] == "120"
    assert "| accounting.read | 120 |" in run(*words, "--format", "markdown").stdout
    assert json.loads(run(*words, "--format", "jsonl").stdout)["accounting"]["read"] == 120


def test_the_format_of_files_is_another_option_and_its_former_name_still_works(
    reviews: Path, tmp_path: Path
) -> None:
    words = ("prepare", reviews, "--output", tmp_path / "table.csv")
    refused = CliRunner().invoke(main, list(map(str, (*words, "--input-format", "amazon"))))
    assert refused.exit_code == 1
    assert "expected one JSON object a line" in refused.stderr
    former = CliRunner().invoke(main, list(map(str, (*words, "--format", "amazon"))))
    assert "called --input-format now" in former.stderr
    assert former.stderr.endswith(refused.stderr)
    assert CliRunner().invoke(main, list(map(str, (*words, "--format", "excel")))).exit_code == 2
