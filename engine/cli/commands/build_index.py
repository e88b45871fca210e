"""The offline commands, which import pipelines when they run: build an index, write the prepared table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import DEFAULT_INDEX
from engine.cli.output import print_json, print_summary
from engine.cli.source_options import source_command

if TYPE_CHECKING:
    from engine.config.sections import Config

_PATH = click.Path(path_type=Path)


@click.command(name="build-index")
@click.argument("reviews", nargs=-1, type=_PATH)
@click.option("--sample", is_flag=True, help="Build from the small sample that comes with the package.")
@click.option(
    "--output",
    type=_PATH,
    default=DEFAULT_INDEX,
    show_default=True,
    metavar="DIR",
    help="Where the index goes. One that is there answers until the new one is complete.",
)
@click.option(
    "--report",
    type=_PATH,
    metavar="FILE.html",
    help="Write the report to this file too; the index holds it as report.html in any case.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with a build into DIR that was killed, from its last checkpoint; same files and settings.",
)
@source_command(seed=True, sentiment=True)
def build_index(
    reviews: tuple[Path, ...],
    sample: bool,
    output: Path,
    report: Path | None,
    resume: bool,
    metadata: tuple[Path, ...],
    config: Config,
    as_json: bool,
) -> None:
    """Build an index from files of reviews.

    REVIEWS are json lines (Amazon), MovieLens files, CSV or Parquet; plain or gzip. What became of every row,
    how good the recommendations are on held-out reviews, and how much the fast search loses are printed at
    the end and kept in the index.
    """
    if bool(reviews) == sample:
        raise click.UsageError("Name at least one file of reviews, or --sample, but not both.")
    import pipelines

    if sample:
        from pipelines.synthetic.sample import sample_files

        files = sample_files()
        reviews, metadata = (files.reviews,), (files.metadata,)
    result = pipelines.build_index(
        reviews, output=output, metadata=metadata, config=config, report=report, resume=resume
    )
    if as_json:
        print_json({"directory": str(result.directory), **result.manifest})
    else:
        print_summary(result.manifest)
        click.echo(f"The index is in {result.directory}", err=True)
