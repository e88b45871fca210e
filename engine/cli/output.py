"""Prints remarks about answers and indexes, and starts printing log lines."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from engine.artifact.layout import UPDATES_SECTION
from engine.cli.terminal import LogFormatter, say

if TYPE_CHECKING:
    from engine.answers import Variety

_PACKAGES = ("engine", "indexes", "pipelines")


def start_logging(level: int) -> None:
    """Sends the engine's log lines of a level and above to stderr; other libraries log as before."""
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
            f"Variety took {variety.score_loss:.3g} off the mean score; diversity is "
            f"{variety.list_diversity:.2f} instead of {variety.plain_diversity:.2f}.",
            err=True,
        )


def say_if_short(found: int, wanted: int, kind: str = "movie") -> None:
    """Prints to stderr that a list is short, if fewer answers of a kind were found than wanted."""
    if found < wanted:
        shown = {0: f"No {kind}", 1: f"Only one {kind}"}.get(found, f"Only {found:,} {kind}s")
        say(f"{shown} can be listed.", err=True)


def say_if_retrain(manifest: Mapping[str, Any]) -> None:
    """Prints to stderr why an index should be trained again, if the manifest says that it should be."""
    updates = manifest.get(UPDATES_SECTION) or {}
    if updates.get("retrain"):
        say(f"Train again with build-index: {updates['reason']}.", err=True)
