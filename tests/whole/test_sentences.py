"""Every function says what it does, with a verb first; every other docstring has a sentence that ends."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    path for package in ("engine", "indexes", "pipelines") for path in (ROOT / package).rglob("*.py")
)

NO_VERBS = {
    *("Is", "Has", "Does", "This", "Its", "Movies", "Reviews", "Reviewers", "Ratings", "Rows", "Positions"),
    *("Titles", "Ids", "Others", "Figures", "Neighbours", "Candidates", "Words", "Settings", "Options"),
}
"""Words with an s at the end that open a sentence without a verb, or a question."""
NO_OPENINGS = ("What", "How", "Which", "Whether", "Who", "Whom", "Whose", "Where", "Those", "Likewise", "As")
"""Words that open a sentence whose reader has to guess who does what."""


def documented(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Gives the name and first line of every docstring, and whether it belongs to a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            text = ast.get_docstring(node)
            if text:
                is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                is_command = is_function and any(
                    "command" in ast.unparse(d) or "group" in ast.unparse(d) for d in node.decorator_list
                )
                yield (
                    getattr(node, "name", "the module"),
                    text.splitlines()[0],
                    is_function and not is_command,
                )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_says_what_it_does_with_a_verb_first(path: Path) -> None:
    silent = [
        f"{name}: {line}"
        for name, line, is_function in documented(path)
        if is_function and (not re.match(r"[A-Z][a-z]+s\b", line) or line.split()[0] in NO_VERBS)
    ]
    assert silent == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_docstring_leaves_the_reader_to_guess_who_does_what(path: Path) -> None:
    vague = [
        f"{name}: {line}" for name, line, _ in documented(path) if line.split()[0].rstrip(",") in NO_OPENINGS
    ]
    assert vague == []
