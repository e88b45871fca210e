"""Writes docs/settings.md from the settings and what is said of them: python docs/settings.py."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.config import sections
from engine.config.values import expected, rules

PAGE = Path(__file__).with_name("settings.md")
_HEADING = """\
# Settings

Every setting of a build. A recipe for `--config` holds them by section (`[relevance]`, `max_rounds = 10`);
`--set relevance.max_rounds=10` sets one; options such as `--threads` set those that are used often. What a
build was made with stands in the manifest of its index (`engine info --json`). Written by
`python docs/settings.py`, and compared with the code by the tests.
"""
_TABLE = "| setting | default | range | meaning | when to change it |\n|---|---|---|---|---|\n"


def render() -> str:
    """Returns the whole page as Markdown."""
    parts = [_HEADING]
    for name, section in typing.get_type_hints(sections.Config).items():
        if dataclasses.is_dataclass(section):
            about = inspect.getdoc(typing.cast("type[Any]", section))
            parts.append(f"## {name}\n\n{about}\n\n{_TABLE}" + "".join(_rows(section, f"{name}.")))
        else:
            parts.append(_TABLE + "".join(_rows(sections.Config, "", (name,))))
    return "\n".join(parts)


def _rows(section: Any, prefix: str, only: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields the line of each setting of a section, or of some."""
    kinds, demanded, told = typing.get_type_hints(section), rules(section), meanings(section)
    for field in dataclasses.fields(section):
        if not only or field.name in only:
            default = getattr(section, field.name, {})
            allowed = ", ".join(rule.wanted for rule in demanded[field.name]) or expected(kinds[field.name])
            cells = (f"`{prefix}{field.name}`", f"`{_text(default)}`", allowed, *told[field.name])
            yield f"| {' | '.join(cells)} |\n"


def meanings(section: type[Any]) -> dict[str, tuple[str, str]]:
    """Reads what the strings below the settings of a section say: the meaning, and when to change it."""
    body = ast.parse(inspect.getsource(section)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for setting, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(setting, ast.AnnAssign) and isinstance(below, ast.Expr):
            text = " ".join(ast.literal_eval(below.value).split())
            meaning, _, when = text.partition(". ")
            found[ast.unparse(setting.target)] = f"{meaning}.", when
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if value is None:
        return "none"
    if value == "":
        return '""'
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
