"""The command that builds the index of an artifact again, without training."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from engine.cli.options import index_option, json_option, start_logging, verbose_option
from engine.cli.output import print_json, print_summary


@click.command()
@index_option
@click.option(
    "--kind",
    metavar="KIND",
    help="flat (all movies compared), ivf (lists of near movies), ivf-fp16 and ivf-sq8 (the same, rounded to "
    "two bytes or one byte a number), or auto, which chooses; by default what the build was asked for.",
)
@click.option(
    "--recall",
    type=float,
    metavar="SHARE",
    help="The part of the exhaustive top lists that must be found, such as 0.99; by default likewise.",
)
@json_option
@verbose_option
def index(index: Path, kind: str | None, recall: float | None, as_json: bool) -> None:
    """Build the index over the movies again, without training.

    The search is tuned and audited again, and the new version replaces the old one at once, or not at all
    where the recall cannot be reached.
    """
    start_logging(logging.INFO)
    from pipelines.updating.reindex import rebuild_index

    facts = {"directory": str(index), **rebuild_index(index, kind=kind, recall=recall)}
    if as_json:
        print_json(facts)
    else:
        print_summary({name: facts[name] for name in ("directory", "build", "search", "audit", "files")})
