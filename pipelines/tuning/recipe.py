"""Recipes written out: TOML that holds only what differs from the defaults, as `--config` reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.config.sections import Config
from engine.errors import ConfigError, DataError


def differences(config: Config) -> dict[str, Any]:
    """What differs from the defaults, as nested plain values.

    Example:
        >>> from engine.config import load_config
        >>> differences(load_config(assignments=["seed=7", "rating.dim=16"]))
        {'seed': 7, 'rating': {'dim': 16}}
    """
    return _differences(config.to_dict(), Config().to_dict())


def check_recipe_output(path: Path) -> None:
    """Refuses a file that a recipe cannot be written to, before any work is done.

    Raises:
        ConfigError: it does not end with .toml, its folder does not exist, or it is a directory.
    """
    if path.suffix != ".toml":
        raise ConfigError(f"A recipe is TOML, so let {path} end with .toml")
    if not path.parent.is_dir():
        raise ConfigError(f"There is no directory {path.parent} to write {path.name} to; create it first")
    if path.is_dir():
        raise ConfigError(f"{path} is a directory; name a file to write to")


def write_recipe(config: Config, path: Path, notes: Sequence[str] = ()) -> None:
    """Writes a configuration as a recipe, whole or not at all.

    Args:
        config: what `load_config` gives for the recipe that is written.
        path: where it goes.
        notes: lines for people, which stand above the settings as comments.

    Raises:
        ConfigError: as `check_recipe_output`.
        DataError: the file cannot be written.
    """
    check_recipe_output(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    lines = [f"# {note}".rstrip() for note in notes] + _lines(differences(config))
    try:
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


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
    # JSON's texts, numbers and truths are TOML's too.
    return json.dumps(value)
