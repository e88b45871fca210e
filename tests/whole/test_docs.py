"""The documentation names files, links and commands that exist."""

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


@pytest.mark.parametrize("package", ["engine", "indexes", "pipelines"])
def test_the_architecture_gives_every_module_a_place(package: str) -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    modules = [path.name for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"]
    assert [name for name in modules if f"`{package}/{name}`" not in text] == []
