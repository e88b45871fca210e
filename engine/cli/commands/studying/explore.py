"""Implements `engine explore`, which describes files of reviews before an index is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from engine.cli.options import FORMAT, VERBOSE
from engine.cli.output import TableFormatter, print_report
from engine.cli.source_options import PAGE, REVIEWS, SOURCE_OPTIONS, SourceCommand
from engine.cli.tables import wrapped
from engine.cli.terminal import say
from engine.config.sections import Config

_VERDICTS = {True: "true", False: "false", None: "unknown"}
_STATISTICS = ("mean", "sd", "min", "q1", "median", "q3", "max")


@click.command(cls=SourceCommand, params=[REVIEWS, PAGE, *SOURCE_OPTIONS, *FORMAT, VERBOSE])
def explore(
    reviews: tuple[Path, ...], output: Path | None, metadata: tuple[Path, ...], config: Config, format: str
) -> None:
    """Describe what files of reviews hold.

    REVIEWS are files in any format that build-index accepts. The options that filter reviews have the same
    effect as in build-index. The command prints counts and statistics, and tests whether some common beliefs
    about reviews are true of REVIEWS. The page that --output writes and the format json also hold what the
    command does not print as text: the most active reviewers, the most reviewed movies, reviews over time,
    variants of films and copies of reviews. The formats jsonl, csv and tsv hold only the mean, the median and
    other statistics of the ratings, of the reviews per reviewer and of the reviews per movie.
    """
    from pipelines.exploring.explore import explore

    figures = explore(reviews, metadata=metadata, config=config, output=output)
    described = [{"name": name, **row} for name, row in figures["statistics"].items() if row is not None]
    print_report(figures, format, lambda table: _lines(figures, table), described)
    if output is not None:
        say(f"The page is {output}", err=True)


def _lines(figures: Mapping[str, Any], table: TableFormatter) -> list[str]:
    """Returns the lines that `engine explore` prints: the counts, the statistics and the findings."""
    counts = figures["counts"]
    described = [
        [name.replace("_", " "), *(found[column] for column in _STATISTICS)]
        for name, found in figures["statistics"].items()
        if found is not None
    ]
    accounting = figures["accounting"]
    parts = ("kept", "duplicate", "filtered", "rejected")
    times = f"; {accounting['times_lost']:,} without their time" if accounting["times_lost"] else ""
    lines = [
        f"{accounting['read']:,} rows read = "
        + " + ".join(f"{accounting[part]:,} {part}" for part in parts)
        + times,
        f"{counts['reviews']:,} reviews by {counts['reviewers']:,} reviewers of {counts['movies']:,} movies: "
        f"{counts['sparsity']:.2%} of the pairs have none",
        "",
        table(["", *_STATISTICS], described),
    ]
    for found in figures["findings"]:
        lines += ["", f"{found['statement']}: {_VERDICTS[found['holds']]}", wrapped(found["sentence"], "  ")]
    return lines
