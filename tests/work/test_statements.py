"""Every SQL file is run by some Python file, and its first line says what it holds or does."""

import re
from pathlib import Path

import pytest

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
STATEMENTS = sorted((PIPELINES / "sql").rglob("*.sql"))


def name_of(statement: Path) -> str:
    return f"{statement.parent.name}/{statement.stem}"


def test_every_statement_is_run_by_a_python_file_and_every_name_is_a_statement() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in PIPELINES.rglob("*.py"))
    folders = "|".join({statement.parent.name for statement in STATEMENTS})
    run = set(re.findall(rf'"((?:{folders})/\w+)"', text))
    assert run == {name_of(statement) for statement in STATEMENTS}


@pytest.mark.parametrize("statement", STATEMENTS, ids=name_of)
def test_a_statement_begins_with_its_grain_or_with_what_it_does(statement: Path) -> None:
    first = statement.read_text(encoding="utf-8").partition("\n")[0]
    assert re.match(r"-- (One row\b|[A-Z][a-z]+s )", first)
