"""Implements `engine tune`, which searches for better settings and writes the settings to a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.listing import is_for_people
from engine.cli.options import FORMAT, ON, PATH, VERBOSE, count, option
from engine.cli.output import TableFormatter, print_report
from engine.cli.source_options import REVIEWS, SEED, SOURCE_OPTIONS, SourceCommand
from engine.cli.terminal import say
from engine.errors import shown

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    """Converts a duration such as 90s, 10m or 1.5h to seconds."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([smh]?)", text.strip())
    if match is None or float(match[1]) == 0:
        raise click.BadParameter(f"{shown(text)} is not a time; write it as 90s, 10m or 2h.")
    return float(match[1]) * _SECONDS[match[2]]


@click.command(
    cls=SourceCommand,
    params=[
        REVIEWS,
        option(
            ["--output"],
            type=PATH,
            required=True,
            metavar="FILE.toml",
            help="Write the recipe to this file. Trials are kept beside it, in FILE.trials.sqlite.",
        ),
        option(
            ["--time-budget"],
            callback=_seconds,
            default="10m",
            metavar="TIME",
            help="Search for this long: 90s, 10m or 2h.",
        ),
        option(
            ["--trials"],
            type=count,
            default=100,
            metavar="N",
            help="Try each part of the model at most this often, trials of earlier runs included.",
        ),
        option(
            ["--at-once"],
            type=count,
            metavar="N",
            help="Choose the settings of this many trials at once; by default of one, and with --on ray of "
            "one for each worker. The same number finds the same settings on Ray and without it.",
        ),
        *(*ON, *SOURCE_OPTIONS, SEED, *FORMAT, VERBOSE),
    ],
)
def tune(reviews: tuple[Path, ...], output: Path, at_once: int | None, format: str, **settings: Any) -> None:
    """Search for settings that suit the reviews, and write the settings to a recipe.

    A trial trains a part of the model with chosen settings, and is judged on validation reviews. The search
    never uses the test reviews, on which the quality of a build is measured. Poor trials are stopped early.
    If the command is interrupted, running the same command again resumes the search. To build an index with
    the settings that tune found, give the recipe that tune wrote to `build-index --config`.
    """
    from pipelines.tuning.tune import tune

    found = tune(reviews, output=output, at_once=at_once or 0, **settings).to_dict()
    parts = found["parts"]
    print_report({"output": str(output), **found}, format, lambda table: _lines(parts, table), parts)
    if is_for_people(format):
        say(f"The recipe is in {output}; build with --config {output}", err=True)


def _lines(parts: Sequence[Mapping[str, Any]], table: TableFormatter) -> Iterator[str]:
    columns = ("name", "figure", "before", "after", "trials", "pruned")
    rows = [[part[column] for column in columns] for part in parts]
    yield table(["part", "figure", "before", "after", "trials", "cut short"], rows)
    for part in parts:
        for name, value in part["settings"].items():
            yield f"{name} = {value}"
