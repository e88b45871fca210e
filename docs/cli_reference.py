"""Writes docs/cli-reference.md from the help of every command: python docs/cli_reference.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from engine.cli.main import main

REFERENCE = Path(__file__).with_name("cli-reference.md")
_HEADING = """\
# Command line

What every command says of itself with `--help`. Written by `python docs/cli_reference.py`, and compared
with the commands by the tests.

Answers go to stdout, talk to stderr. Exit codes: 0 done, 1 an error in one sentence, 2 wrong usage,
3 a build that does not meet --publish-if, 130 interrupted by Ctrl-C, 143 ended by SIGTERM, 129 ended by
SIGHUP.
"""


def render() -> str:
    """Returns the whole reference as Markdown."""
    sections = (
        f"## {' '.join(['engine', *words])}\n\n```\n{_help(words)}\n```\n" for words in _commands(main)
    )
    return "\n".join([_HEADING, *sections])


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _commands(found, (*words, name))


def _help(words: tuple[str, ...]) -> str:
    result = CliRunner().invoke(main, [*words, "--help"], prog_name="engine", terminal_width=90)
    return result.stdout.strip()


if __name__ == "__main__":
    REFERENCE.write_text(render(), encoding="utf-8")
