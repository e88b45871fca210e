"""Implements `engine recommend all`, which writes the top lists of all reviewers to files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from engine.cli.commands.recommend import LIST_OPTIONS
from engine.cli.options import INDEX, JSON, PATH, VERBOSE, K, option
from engine.cli.output import print_json, start_logging


@click.command(
    name="all",
    params=[
        INDEX,
        option(
            ["--output"],
            type=PATH,
            required=True,
            metavar="DIR|FILE",
            help="Write into a directory, a file every so many reviewers, or into one file that ends with "
            ".parquet, .csv or .jsonl.",
        ),
        option(
            ["--format"],
            metavar="FORMAT",
            help="Write parquet, the default, csv or jsonl; a file's ending says it too.",
        ),
        option(
            ["--reviewers"],
            type=PATH,
            metavar="FILE",
            help="Write the lists of these reviewers only: a file with one id a line.",
        ),
        option(
            ["--shard-size"], type=int, default=20_000, metavar="N", help="Put this many reviewers in a file."
        ),
        option(
            ["--processes"], type=int, metavar="N", help="Use this many processes; by default one a core."
        ),
        *(K, *LIST_OPTIONS, JSON, VERBOSE),
    ],
)
def everyone(index: Path, output: Path, processes: int | None, as_json: bool, **options: Any) -> None:
    """Write the top lists of all reviewers to files, one line per listed movie.

    If the command is killed, running the same command again writes the files that are missing. A second run
    fails if its options differ from the options of the killed run, or if the index was built again in the
    meantime.
    """
    start_logging(logging.INFO)
    from pipelines.batch.recommend_all import recommend_all

    summary = recommend_all(index, output, processes=processes or 0, **options)
    if as_json:
        print_json(summary)
    else:
        counts = f"{summary['num_rows']:,} lines for {summary['num_reviewers']:,} reviewers"
        click.echo(f"{counts} in {summary['output']}")
