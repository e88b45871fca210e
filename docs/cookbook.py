"""Asks the questions of docs/cookbook.md and README.md again: python docs/cookbook.py INDEX."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

COOKBOOK = Path(__file__).with_name("cookbook.md")
README = Path(__file__).parents[1] / "README.md"
_LOG_LINE = re.compile(r"^\d\d:\d\d:\d\d .*\n", flags=re.MULTILINE)
_BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", flags=re.MULTILINE | re.DOTALL)


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Splits what a console shows into each command and what it printed."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        length = next(number for number, line in enumerate(lines, start=1) if not line.endswith("\\\n"))
        yield "".join(lines[:length]).removesuffix("\n"), "".join(lines[length:])


def answer(command: str, output: str, directory: Path) -> str:
    """Runs a command in a directory and gives what it prints, but for the log; `cat` writes what it shows."""
    words = shlex.split(command.replace("\\\n", ""))
    if words[0] == "cat":
        (directory / words[1]).write_text(output, encoding="utf-8")
        return output
    run = [sys.executable, "-m", "engine.cli", *words[1:]]
    done = subprocess.run(
        run, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return _LOG_LINE.sub("", done.stdout)


def refresh(text: str, directory: Path) -> str:
    """Gives the page with the answers of today."""
    return _BLOCK.sub(
        lambda block: "".join(
            f"$ {command}\n{answer(command, output, directory)}" for command, output in commands(block[0])
        ),
        text,
    )


if __name__ == "__main__":
    for path in (COOKBOOK, README):
        with TemporaryDirectory() as scratch:
            shutil.copytree(sys.argv[1], Path(scratch) / "movie-index")
            page = refresh(path.read_text(encoding="utf-8"), Path(scratch))
        path.write_text(page, encoding="utf-8")
