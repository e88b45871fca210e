"""The command that looks first: what review files hold, before anything is built from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.output import format_table, print_json
from engine.cli.source_options import source_command

if TYPE_CHECKING:
    from engine.config.sections import Config

_PATH = click.Path(path_type=Path)
_VERDICTS = {True: "true", False: "false", None: "unknown"}
_STATISTICS = ("mean", "sd", "min", "q1", "median", "q3", "max")


@click.command()
@click.argument("reviews", nargs=-1, type=_PATH, required=True)
@click.option(
    "--output",
    type=_PATH,
    metavar="FILE.html",
    help="Write a page with tables and plots as well; it needs no network and no other file.",
)
@source_command()
def explore(
    reviews: tuple[Path, ...],
    output: Path | None,
    metadata: tuple[Path, ...],
    config: Config,
    as_json: bool,
) -> None:
    """Describe what files of reviews hold.

    REVIEWS are the same files that build-index takes, filtered in the same way: counts, statistics, the most
    active reviewers and most reviewed movies, reviews over time, variants and copies, and whether what is
    often said of review logs is true of these.
    """
    from pipelines.exploring.explore import explore

    figures = explore(reviews, metadata=metadata, config=config, output=output)
    if as_json:
        print_json(figures)
    else:
        for line in _lines(figures):
            click.echo(line)
    if output is not None:
        click.echo(f"The page is {output}", err=True)


def _lines(figures: Mapping[str, Any]) -> list[str]:
    """What people are shown: the counts, the statistics and the findings."""
    counts = figures["counts"]
    described = [
        [name.replace("_", " "), *(found[column] for column in _STATISTICS)]
        for name, found in figures["statistics"].items()
        if found is not None
    ]
    accounting = figures["accounting"]
    parts = ("kept", "duplicate", "filtered", "rejected")
    lines = [
        f"{accounting['read']:,} rows read = " + " + ".join(f"{accounting[part]:,} {part}" for part in parts),
        f"{counts['reviews']:,} reviews by {counts['reviewers']:,} reviewers of {counts['movies']:,} movies: "
        f"{counts['sparsity']:.2%} of the pairs have none",
        "",
        format_table(["", *_STATISTICS], described),
    ]
    for found in figures["findings"]:
        lines += ["", f"{found['statement']}: {_VERDICTS[found['holds']]}", f"  {found['sentence']}"]
    return lines
