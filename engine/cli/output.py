"""Prints facts by name, prints remarks about answers, and starts the log lines."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.artifact.layout import (
    BASELINES_SECTION,
    CALIBRATION_SECTION,
    CONFIG_SECTION,
    FILES_ENTRY,
    UPDATES_SECTION,
)
from engine.cli.tables import cell_text, format_table
from engine.cli.terminal import LogFormatter, say

if TYPE_CHECKING:
    from engine.answers import Variety

_PACKAGES = ("engine", "indexes", "pipelines")
_NOT_SHOWN = (FILES_ENTRY, CONFIG_SECTION, CALIBRATION_SECTION, BASELINES_SECTION)
"""Sections of a manifest that are too long for a printed summary; --json prints all sections."""


def start_logging(level: int) -> None:
    """Sends the engine's own log lines of a level and above to stderr; other libraries log as before."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler])
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(min(level, logger.level or level))


def log_more(_context: click.Context, _option: click.Parameter, verbose: bool) -> None:
    """Starts logging at level DEBUG if the option --verbose is given."""
    if verbose:
        start_logging(logging.DEBUG)


def say_variety(variety: Variety | None) -> None:
    """Prints to stderr how diversity and novelty changed a list; prints nothing if `variety` is None."""
    if variety is not None:
        say(
            f"Variety took {variety.score_loss:.3g} off the mean score; the list's diversity is "
            f"{variety.list_diversity:.2f} instead of {variety.plain_diversity:.2f}.",
            err=True,
        )


def say_if_short(found: int, wanted: int, kind: str = "movie") -> None:
    """Prints to stderr that a list is shorter than wanted, if fewer answers were found than wanted."""
    if found < wanted:
        shown = {0: f"No {kind}", 1: f"Only one {kind}"}.get(found, f"Only {found:,} {kind}s")
        say(f"{shown} can be listed.", err=True)


def say_if_retrain(manifest: Mapping[str, Any]) -> None:
    """Prints to stderr why an index should be trained again, if the manifest says that it should."""
    updates = manifest.get(UPDATES_SECTION) or {}
    if updates.get("retrain"):
        say(f"Train again with build-index: {updates['reason']}.", err=True)


def print_summary(manifest: Mapping[str, Any]) -> None:
    """Prints a manifest without the sections of `_NOT_SHOWN`, and the total size of the index's files."""
    _print_section({name: manifest[name] for name in manifest if name not in _NOT_SHOWN})
    files = manifest.get(FILES_ENTRY)
    if isinstance(files, Mapping):
        size = sum(entry["size"] for entry in files.values())
        say(f"files: {len(files)}, {size / 1e6:,.1f} MB")


def _print_section(section: Mapping[str, Any], indent: str = "") -> None:
    for name, value in section.items():
        label, inner = f"{indent}{cell_text(name).replace('_', ' ')}:", f"{indent}  "
        is_list = isinstance(value, list | tuple)
        if _is_comparison(value):
            say(label)
            _print_rows([{"": key, **row} for key, row in value.items()], inner)
        elif isinstance(value, Mapping):
            say(label)
            _print_section(value, inner)
        elif is_list and value and all(isinstance(row, Mapping) for row in value):
            say(label)
            _print_rows(value, inner)
        else:
            shown = ", ".join(map(cell_text, value)) or "-" if is_list else cell_text(value)
            say(f"{label} {shown}")


def _is_comparison(value: Any) -> bool:
    """Tells whether a manifest's value is a mapping of rows, such as the metrics of each model."""
    rows = list(value.values()) if isinstance(value, Mapping) else []
    return len(rows) > 1 and all(
        isinstance(row, Mapping)
        and row
        and not any(isinstance(cell, Mapping | list) for cell in row.values())
        for row in rows
    )


def _print_rows(rows: Sequence[Mapping[str, Any]], indent: str) -> None:
    """Prints rows as a table with one column for each field that any row has."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    say(format_table(columns, [[row.get(column) for column in columns] for row in rows], indent=indent))
