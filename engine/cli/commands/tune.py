"""The command that searches for better settings and writes them down as a recipe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.output import format_table, print_json
from engine.cli.source_options import source_command

if TYPE_CHECKING:
    from engine.config.sections import Config

_PATH = click.Path(path_type=Path)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    """Reads a time such as 90s, 10m or 1.5h."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None or float(match[1]) == 0:
        raise click.BadParameter(f"{text!r} is not a time; write it as 90s, 10m or 2h.")
    return float(match[1]) * _SECONDS[match[2]]


@click.command()
@click.argument("reviews", nargs=-1, type=_PATH, required=True)
@click.option(
    "--output",
    type=_PATH,
    required=True,
    metavar="FILE.toml",
    help="Where the recipe goes. Trials are kept beside it, in FILE.trials.sqlite.",
)
@click.option(
    "--time-budget",
    callback=_seconds,
    default="10m",
    show_default=True,
    metavar="TIME",
    help="How long to search, as 90s, 10m or 2h.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Trials of each part of the model at most, those of earlier runs included.",
)
@source_command(seed=True)
def tune(
    reviews: tuple[Path, ...],
    output: Path,
    time_budget: float,
    trials: int,
    metadata: tuple[Path, ...],
    config: Config,
    as_json: bool,
) -> None:
    """Search for settings that suit the reviews, and write them as a recipe.

    Each trial is judged by validation reviews, never by those that a build measures itself on. Poor trials
    are cut short. A run that was interrupted goes on where it stopped when it is started again; the recipe
    is for build-index --config.
    """
    from pipelines.tuning.tune import tune

    tuning = tune(
        reviews, output=output, metadata=metadata, config=config, time_budget=time_budget, trials=trials
    )
    found = tuning.to_dict()
    if as_json:
        print_json({"output": str(output), **found})
        return
    rows = [
        [part["name"], part["figure"], part["before"], part["after"], part["trials"], part["pruned"]]
        for part in found["parts"]
    ]
    click.echo(format_table(["part", "figure", "before", "after", "trials", "cut short"], rows))
    for part in found["parts"]:
        for name, value in part["settings"].items():
            click.echo(f"{name} = {value}")
    click.echo(f"The recipe is in {output}; build with --config {output}", err=True)
