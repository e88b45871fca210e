"""The public names: exported, explained, and documented on a page that the code writes."""

import ast
import importlib
import inspect
import runpy
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine
import pipelines

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = {name: getattr(package, name) for package in (engine, pipelines) for name in package.__all__}
OURS = {
    statement.name
    for package in ("engine", "pipelines", "indexes")
    for path in (ROOT / package).rglob("*.py")
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(statement, ast.ClassDef)
}


def functions(value: Any) -> Iterator[Any]:
    if inspect.isfunction(value):
        yield value
    elif isinstance(value, type):
        for name, member in inspect.getmembers(value):
            found = member.fget if isinstance(member, property) else member
            if not name.startswith("_") and (inspect.isfunction(found) or inspect.ismethod(found)):
                yield found


def named_in(function: Any) -> set[str]:
    """Gives every name in the types of a function's arguments and of its answer."""
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(found, ast.FunctionDef)
    every = [*found.args.args, *found.args.kwonlyargs, found.args.kwarg, found.args.vararg]
    types = [found.returns, *(one.annotation for one in every if one is not None)]
    return {
        node.id for kind in types if kind is not None for node in ast.walk(kind) if isinstance(node, ast.Name)
    }


def test_the_page_is_what_the_code_says() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "python_api.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["render"](), "run: python docs/python_api.py"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_class_that_a_public_name_takes_or_returns_is_public(name: str) -> None:
    if name == "OpenedIndex":
        pytest.skip("the parts of an index are for those who look inside")
    named = set().union(*map(named_in, functions(PUBLIC[name])))
    assert named & OURS <= {*PUBLIC, "Engine"}


@pytest.mark.parametrize("package", [engine, pipelines], ids=["engine", "pipelines"])
def test_every_public_name_has_its_type_for_programs_that_check_types(package: Any) -> None:
    path = Path(package.__file__)
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in imports for alias in node.names}
    assert {name: homes.get(name) for name in package.__all__ if name not in homes} == {}
    for name in package.__all__:
        assert getattr(importlib.import_module(homes[name] or ""), name) is getattr(package, name)
    assert path.with_name("py.typed").exists()
