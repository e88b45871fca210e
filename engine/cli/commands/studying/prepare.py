"""Implements `engine prepare`, which cleans reviews and writes the cleaned reviews to one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.cli.options import FORMAT, ON, PATH, VERBOSE, option
from engine.cli.output import print_facts
from engine.cli.source_options import REVIEWS, SOURCE_OPTIONS, SourceCommand
from engine.cli.terminal import say


@click.command(
    cls=SourceCommand,
    params=[
        REVIEWS,
        option(
            ["--output"],
            type=PATH,
            required=True,
            metavar="FILE.parquet|FILE.csv",
            help="Write the table to this file; its ending says in which format.",
        ),
        option(
            ["--rejected"],
            type=PATH,
            metavar="FILE.parquet",
            help="Write the rows that could not be used to this file, each with its file, line and reason.",
        ),
        *(*ON, *SOURCE_OPTIONS, *FORMAT, VERBOSE),
    ],
)
def prepare(reviews: tuple[Path, ...], output: Path, format: str, **settings: Any) -> None:
    """Clean reviews, join the reviews with the metadata of the movies, and write the result to one table.

    REVIEWS are files in any format that build-index accepts. The table holds the reviews that build-index
    would train on. With --on ray, several files are read in workers at the same time.
    """
    from pipelines.ingest.prepare import prepare

    accounting = prepare(reviews, output=output, **settings)
    facts = {"output": str(output), "accounting": accounting.to_dict()}
    print_facts(facts, format, lambda: say(str(accounting)))
