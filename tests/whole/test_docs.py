"""The documentation names files, links and commands that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])
ARCHITECTURE = ROOT / "docs" / "architecture.md"

_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_FILE = re.compile(r"`((?:engine|indexes|pipelines|tests|docs|data|benchmarks)/[\w./*-]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = _FILE.findall(page.read_text(encoding="utf-8"))
    assert [name for name in named if not any(ROOT.glob(name))] == []


ROOMS = sorted(
    path.parent
    for package in ("engine", "indexes", "pipelines")
    for path in (ROOT / package).rglob("__init__.py")
    if "sql" not in path.parts
)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_the_architecture_names_every_room_and_the_room_says_what_it_is_for(room: Path) -> None:
    rows = ARCHITECTURE.read_text(encoding="utf-8").splitlines()
    assert len([row for row in rows if row.startswith(f"| `{room.relative_to(ROOT)}/` | ")]) == 1
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith(".")
