"""Writes a recipe for the option --config: a TOML file of the settings that differ from the defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.config.sections import Config
from pipelines.work.output import RECIPE_SUFFIXES, check_output, write_text


def differences(config: Config) -> dict[str, Any]:
    """Returns the settings that differ from the defaults, as nested dictionaries of plain values.

    Example:
        >>> from engine.config import load_config
        >>> differences(load_config(assignments=["seed=7", "rating.dim=16"]))
        {'seed': 7, 'rating': {'dim': 16}}
    """
    return _differences(config.to_dict(), Config().to_dict())


def write_recipe(config: Config, path: Path, notes: Sequence[str] = ()) -> None:
    """Writes a configuration as a recipe, a TOML file that `load_config` can read.

    The recipe begins with the lines in `notes` as comments for human readers. An older file at `path` is
    replaced only when the recipe is complete.

    Raises:
        ConfigError: the path does not end with .toml; no file can be written to the path.
        DataError: the file cannot be written.
    """
    check_output(path, RECIPE_SUFFIXES)
    lines = [f"# {note}".rstrip() for note in notes] + _lines(differences(config))
    write_text("\n".join(lines) + "\n", path)


def _differences(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        default = defaults[name]
        if isinstance(default, Mapping) and default:
            if inner := _differences(value, default):
                found[name] = inner
        elif value != default:
            found[name] = value
    return found


def _lines(values: Mapping[str, Any]) -> list[str]:
    sections = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    lines = [f"{name} = {_toml(value)}" for name, value in values.items() if name not in sections]
    for section, settings in sections.items():
        lines += ["", f"[{section}]", *(f"{name} = {_toml(value)}" for name, value in settings.items())]
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON and TOML write strings, numbers and booleans in the same way.
    return json.dumps(value)
