"""The command that writes the lists of everyone to files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from engine.cli.options import (
    check_k,
    index_option,
    json_option,
    k_option,
    list_options,
    start_logging,
    verbose_option,
)
from engine.cli.output import print_json

if TYPE_CHECKING:
    from engine.questions.options import ListArguments

_PATH = click.Path(path_type=Path)


@click.command(name="all")
@index_option
@click.option(
    "--output",
    type=_PATH,
    required=True,
    metavar="DIR|FILE",
    help="A directory, for a file every so many reviewers, or one file that ends with .parquet, .csv or "
    ".jsonl.",
)
@click.option(
    "--format", metavar="FORMAT", help="parquet, the default, csv or jsonl; a file's ending says it too."
)
@click.option(
    "--reviewers",
    type=_PATH,
    metavar="FILE",
    help="Only for these reviewers: a file with one id a line.",
)
@click.option(
    "--shard-size", type=int, default=20_000, show_default=True, metavar="N", help="Reviewers a file."
)
@click.option("--processes", type=int, metavar="N", help="Processes to use; by default one a core.")
@k_option
@list_options
@json_option
@verbose_option
def everyone(
    index: Path,
    output: Path,
    format: str | None,
    reviewers: Path | None,
    shard_size: int,
    processes: int | None,
    k: int,
    as_json: bool,
    **options: Unpack[ListArguments],
) -> None:
    """Write the lists of everyone to files, a line a movie.

    A work that was killed goes on where it was when the same command is given again; with other options, or
    after the index was built again, it is refused.
    """
    check_k(k)
    start_logging(logging.INFO)
    from pipelines.batch.recommend_all import recommend_all

    summary = recommend_all(
        index,
        output,
        k=k,
        format=format,
        reviewers=reviewers,
        shard_size=shard_size,
        processes=processes or 0,
        **options,
    )
    if as_json:
        print_json(summary)
    else:
        click.echo(
            f"{summary['num_rows']:,} lines for {summary['num_reviewers']:,} reviewers in {summary['output']}"
        )
