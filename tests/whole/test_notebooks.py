"""The notebooks run quickly from end to end, hold no outputs, and have pages with the same code."""

import json
import resource
import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTEBOOKS = sorted(path.stem for path in DOCS.glob("*.ipynb"))
SHORTER = {
    '"relevance.max_rounds=6"': '"relevance.max_rounds=2"',
    '"rating.max_rounds=6"': '"rating.max_rounds=2", "relevance.num_members=1", "split.max_holdouts=1"',
}
"""Settings that make each training shorter, and their number smaller."""
FEWER = {
    "folds = evaluate(": "import pipelines.evaluation.protocols as _; _.NUM_FOLDS = 2\nfolds = evaluate(",
}
"""Code that makes the folds of an evaluation fewer."""
MOST_SECONDS = 60
"""The most processor time of a notebook with shorter trainings in fewer folds, which takes two fifths of the
whole: that is to run in three minutes. The wall clock of a busy machine would tell little."""


def cells(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DOCS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return found


def code(name: str) -> list[str]:
    return ["".join(cell["source"]) for cell in cells(name) if cell["cell_type"] == "code"]


def test_there_are_two_notebooks_and_the_first_is_short() -> None:
    assert NOTEBOOKS == ["quickstart", "study"]
    assert len(cells("quickstart")) == 10


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_repository_holds_no_outputs(name: str) -> None:
    for cell in cells(name):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_page_shows_the_code_and_the_words_of_the_notebook(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    for cell in cells(name):
        assert "".join(cell["source"]) in page, "run: python docs/notebooks.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_each_cell_of_the_notebook_runs_and_the_notebook_takes_no_three_minutes(
    name: str, tmp_path: Path
) -> None:
    assert all(any(old in text for text in code(name)) for old in SHORTER)
    assert any(old in text for text in code("study") for old in FEWER)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = runpy.run_path(str(DOCS / "notebooks.py"))["run"](name, tmp_path, SHORTER | FEWER)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < MOST_SECONDS
    tables = [
        output["data"]["text/html"]
        for cell in done.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    assert len(tables) >= 4
    assert all("<table" in table for table in tables)
