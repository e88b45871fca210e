"""The command `engine prepare`: the cleaned table as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.output import print_json
from engine.cli.source_options import source_command

if TYPE_CHECKING:
    from engine.config.sections import Config


_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("reviews", nargs=-1, type=_PATH, required=True)
@click.option(
    "--output",
    type=_PATH,
    required=True,
    metavar="FILE.parquet|FILE.csv",
    help="Where the table goes; its ending says in which format.",
)
@click.option(
    "--rejected",
    type=_PATH,
    metavar="FILE.parquet",
    help="Where the rows go that could not be used, each with its file, line and reason.",
)
@source_command()
def prepare(
    reviews: tuple[Path, ...],
    output: Path,
    rejected: Path | None,
    metadata: tuple[Path, ...],
    config: Config,
    as_json: bool,
) -> None:
    """Clean reviews, join them to the movies' descriptions, and write the table out.

    REVIEWS are the same files that build-index takes, and the table is what it would train on.
    """
    from pipelines.ingest.prepare import prepare

    accounting = prepare(reviews, metadata, output, config, rejected=rejected)
    if as_json:
        print_json({"output": str(output), "accounting": accounting.to_dict()})
    else:
        click.echo(str(accounting))
