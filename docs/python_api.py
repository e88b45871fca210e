"""Writes docs/python-api.md from what the public names say of themselves: python docs/python_api.py."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import engine
import pipelines

PAGE = Path(__file__).with_name("python-api.md")
_HEADING = """\
# Python

Every public name of two packages: `engine` answers questions from an index, and `pipelines` makes indexes and
measures models. [settings.md](settings.md) lists the settings of a build. Written by
`python docs/python_api.py`, and compared with the code by the tests.
"""
_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example):$")
_ENTRY = re.compile(r"^(\*{0,2}[\w`.]+): (.*)$", flags=re.DOTALL)
_DEFAULT = re.compile(r"(: (?:[^=,()\[\]]|\[[^\]]*\])+)=(?!=)")
_PACKAGES = ("engine", "pipelines", "indexes")
"""The packages whose base classes' methods belong to the entry of a class."""


def render() -> str:
    """Returns the whole page as Markdown."""
    parts = [_HEADING]
    for package in (engine, pipelines):
        parts.append(f"## Package {package.__name__}\n\n{_first_line(package)}\n")
        parts += _table(package)
        for name in _ordered(package):
            parts += _entry(name, getattr(package, name), "###")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _ordered(package: ModuleType) -> list[str]:
    """Returns the public names of a package: functions and the class Engine first, errors last."""

    def place(name: str) -> tuple[int, str]:
        value = getattr(package, name)
        is_error = isinstance(value, type) and issubclass(value, Exception)
        return (0 if name == "Engine" else 1 if inspect.isfunction(value) else 3 if is_error else 2), name

    return sorted(package.__all__, key=place)


def _first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0].split("\n")[0].partition("; the names")[0].rstrip(
        "."
    ) + "."


def _table(package: ModuleType) -> Iterator[str]:
    yield "| name | what it is |\n|---|---|"
    for name in _ordered(package):
        line = (_described(package, name) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        yield f"| [`{name}`](#{name.lower()}) | {line} |"
    yield ""


def _described(package: ModuleType, name: str) -> str:
    value = getattr(package, name)
    if isinstance(value, type) or inspect.isfunction(value):
        return inspect.getdoc(value) or ""
    return _alias(package, name)[1]


def _alias(package: ModuleType, name: str) -> tuple[str, str]:
    """Returns the definition of a type alias in the code, and the string below the definition."""
    home = inspect.getmodule(package)
    homes = getattr(package, "_HOMES", {})
    module = __import__(homes[name], fromlist=[name]) if name in homes else home
    body = ast.parse(inspect.getsource(module)).body
    for statement, below in pairwise(body):
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            assert isinstance(below, ast.Expr)
            return ast.unparse(statement), str(ast.literal_eval(below.value))
    raise LookupError(name)


def _entry(name: str, value: Any, marks: str) -> Iterator[str]:
    package = engine if name in engine.__all__ else pipelines
    yield f"{marks} {name}\n"
    if isinstance(value, type):
        yield from _class(name, value, marks)
    elif inspect.isfunction(value):
        yield _code(_signature(name, value))
        yield _text(value)
    else:
        code, text = _alias(package, name)
        yield _code(code)
        yield text + "\n"


def _class(name: str, kind: type[Any], marks: str) -> Iterator[str]:
    public = [base.__name__ for base in kind.__bases__ if base.__name__ in {*engine.__all__, "Exception"}]
    if public:
        yield f"A subclass of `{public[0]}`.\n"
    own_init = "__init__" in vars(kind) and not dataclasses.is_dataclass(kind)
    if own_init and not issubclass(kind, Exception | engine.Engine):
        yield _code(_signature(name, kind.__init__).partition(" -> ")[0])
    yield _text(kind)
    members = dict(_members(kind))
    properties = {one: value for one, value in members.items() if isinstance(value, property)}
    attributes = [f"`{field}`: {text}" for field, text in _strings_below(kind).items()]
    attributes += [
        f"`{one}`: `{_annotation(value)}`. {' '.join(_text(value).split())}"
        for one, value in properties.items()
    ]
    if attributes:
        yield "Attributes:\n"
        yield from (f"* {text}" for text in attributes)
        yield ""
    for one in members:
        if one not in properties:
            yield f"{marks}# {name}.{one}\n"
            yield _code(_signature(one, inspect.unwrap(getattr(kind, one))))
            yield _text(getattr(kind, one))


def _members(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    """Yields the public methods and properties of a class, and of its base classes that have no entry."""
    seen = set()
    for base in kind.__mro__:
        is_ours = base.__module__.partition(".")[0] in _PACKAGES
        if not is_ours or (base is not kind and base.__name__ in engine.__all__):
            continue
        for member, value in vars(base).items():
            is_method = isinstance(value, classmethod | staticmethod | property) or inspect.isfunction(value)
            if is_method and not member.startswith("_") and member not in seen:
                seen.add(member)
                yield member, value


def _strings_below(kind: type[Any]) -> dict[str, str]:
    """Reads the strings below the fields of a class, which say what the fields hold."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    except OSError:
        return {}
    assert isinstance(body, ast.ClassDef)
    return {
        ast.unparse(field.target): " ".join(str(ast.literal_eval(below.value)).split())
        for field, below in pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }


def _signature(name: str, function: Any) -> str:
    """Returns how a function is called, with the types as the code writes them."""
    function = getattr(function, "__func__", function)
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(found, ast.FunctionDef)
    arguments = found.args
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        del arguments.args[0]
    returned = f" -> {ast.unparse(found.returns)}" if found.returns else ""
    written = _DEFAULT.sub(r"\1 = ", ast.unparse(arguments)).replace("'", '"')
    line = f"{name}({written}){returned}"
    if len(line) <= 100:
        return line
    parts = re.split(r", (?![^\[(]*[\])])", written)
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returned}"


def _annotation(value: property) -> str:
    found = ast.parse(textwrap.dedent(inspect.getsource(value.fget))).body[0]  # type: ignore[arg-type]
    assert isinstance(found, ast.FunctionDef)
    assert found.returns
    return ast.unparse(found.returns)


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"


def _text(value: Any) -> str:
    """Returns a docstring as Markdown: paragraphs, and one list for each section."""
    lines = (inspect.getdoc(value) or "").split("\n")
    out: list[str] = []
    while lines:
        line = lines.pop(0)
        section = _SECTION.match(line)
        if section:
            taken = []
            while lines and (not lines[0] or lines[0].startswith(" ")):
                taken.append(lines.pop(0))
            block = textwrap.dedent("\n".join(taken)).strip("\n")
            out += [f"{section[1]}:\n", _block(section[1], block)]
        else:
            out.append(line)
    return "\n".join(out).strip() + "\n"


def _block(section: str, block: str) -> str:
    if section == "Example":
        return _code(block)
    if section in ("Returns", "Yields"):
        return block + "\n"
    entries = re.split(r"\n(?! )", block)
    lines = []
    for entry in entries:
        text = " ".join(entry.split())
        match = _ENTRY.match(text)
        lines.append(f"* `{match[1]}`: {match[2]}" if match else f"  {text}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
