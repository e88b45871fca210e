"""Defines the options of commands that read reviews, and makes a configuration from the options."""

from __future__ import annotations

import logging
import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click

from engine.cli.options import PATH, flag, option
from engine.cli.terminal import say, start_logging
from engine.config.sections import Config, load_config
from engine.config.values import parse_assignment


class _Named(click.Path):
    """Reads the name of a source of reviews: a path, a pattern, or an address such as s3://bucket/reviews."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Returns an address, such as s3://bucket/reviews, as text, and a path or pattern as a `Path`."""
        return value if "://" in os.fspath(value) else super().convert(value, param, ctx)


SOURCE = _Named(path_type=Path)
REVIEWS = click.Argument(["reviews"], nargs=-1, type=SOURCE, required=True)
SEED = option(["--seed"], type=int, metavar="N", help="Seed every random choice with this; 42 by default.")
SENTIMENT = flag(
    ["--sentiment"],
    help="Score the texts of the reviews with a lexicon of English, and let that count beside the stars.",
)
PAGE = option(
    ["--output"],
    type=PATH,
    metavar="FILE.html",
    help="Write a page with tables and plots as well; it needs no network and no other file.",
)

COLUMNS = option(
    ["--columns"],
    metavar="NAMES",
    help="Name the columns of a table, or the fields of JSON, as reviewer=NAME,movie=NAME,rating=NAME,"
    "time=NAME, title=NAME and so on; time= leaves the times out.",
)

READING_OPTIONS = (
    option(
        ["--input-format"],
        metavar="FORMAT",
        help="Read the files as amazon, movielens, table, or auto, the default, which finds out.",
    ),
    COLUMNS,
    flag(
        ["--no-header"],
        help="Read the first line of a table as a review; name the columns by number: reviewer=1,movie=2.",
    ),
    option(
        ["--time-format"],
        metavar="FORMAT",
        help="Read times as unix, excel, day-first, month-first or year-first, or by a pattern: %d.%m.%Y.",
    ),
    option(
        ["--where"],
        metavar="SQL",
        help="Keep only reviews for which this condition over the prepared columns is true.",
    ),
    option(["--since"], metavar="DATE", help="Keep only reviews from this day on, YYYY-MM-DD."),
    option(["--until"], metavar="DATE", help="Keep only reviews up to and including this day, YYYY-MM-DD."),
    flag(["--verified-only"], help="Keep only reviews of verified purchases."),
    flag(["--allow-truncated"], help="Go on with what can be read of a compressed file that ends too early."),
    option(
        ["--memory-limit"],
        metavar="SIZE",
        help="Let the database use this much memory before it goes to disk; 4GB by default.",
    ),
    option(["--threads"], type=int, metavar="N", help="Use this many threads; by default one a core."),
    option(
        ["--config"],
        type=PATH,
        metavar="FILE.toml",
        help="Read settings from a file; options and --set override them.",
    ),
    option(
        ["--set"],
        multiple=True,
        metavar="KEY=VALUE",
        help="Set anything that has no option, such as ingest.threads=2. May be given several times.",
    ),
)
"""The options of every command that reads files of reviews."""
SOURCE_OPTIONS = (
    option(
        ["--metadata"],
        type=SOURCE,
        multiple=True,
        metavar="FILE",
        help="Read what describes the movies (titles, categories, prices) from a file, the files of a folder "
        "or pattern, or remote storage. May be given several times.",
    ),
    option(
        ["--min-reviews-per-reviewer"],
        type=int,
        metavar="N",
        help="Drop reviewers with fewer reviews, until none is left; 2 by default.",
    ),
    option(
        ["--min-reviews-per-movie"],
        type=int,
        metavar="N",
        help="Drop movies with fewer reviews, until none is left; 2 by default.",
    ),
    *READING_OPTIONS,
)
"""The options of commands that train a model on reviews, or that describe reviews."""

_SETTINGS = {
    name: f"ingest.{name}"
    for name in (
        *("columns", "no_header", "time_format", "where", "since", "until", "verified_only"),
        *("min_reviews_per_reviewer", "min_reviews_per_movie", "allow_truncated", "memory_limit", "threads"),
    )
} | {"input_format": "ingest.format", "seed": "seed", "sentiment": "sentiment.use"}
"""Maps the name of each option to the dotted name of the setting that the option sets."""
_FORMER_FORMATS = ("auto", "amazon", "movielens")
"""The values of the option --format in earlier versions; these values belong to the option --input-format
now."""


class SourceCommand(click.Command):
    """Runs a command that reads reviews; makes `config` from the options --config, --set and others."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the options of a command; reads the former `--format amazon` as `--input-format amazon`."""
        renamed = [
            "--input-format" if arg == "--format" and value in _FORMER_FORMATS else arg
            for arg, value in zip_longest(args, args[1:])
        ]
        if renamed != args:
            say("The format of files is called --input-format now; use that name.", err=True)
        return super().parse_args(ctx, renamed)

    def invoke(self, ctx: click.Context) -> Any:
        """Starts logging, makes `config` from the options --config, --set and others, and runs the command.

        Raises:
            ConfigError: a setting is unknown, has the wrong type or is out of range.
        """
        start_logging(logging.INFO)
        given = {setting: ctx.params.pop(name, None) for name, setting in _SETTINGS.items()}
        # An option that was not given is None, or False for a flag, and must not override the recipe.
        given = {name: value for name, value in given.items() if value is not None and value is not False}
        if "ingest.columns" in given:
            given["ingest.columns"] = columns_of(given["ingest.columns"])
        ctx.params["config"] = load_config(ctx.params["config"], ctx.params.pop("set"), given)
        return super().invoke(ctx)


def columns_of(text: str) -> dict[str, str]:
    """Reads the value of the option --columns, which names the columns of review files.

    Raises:
        ConfigError: the value is not a list of pairs such as `reviewer=who,movie=what`.
    """
    return dict(parse_assignment(Config, f"ingest.columns={text}")[1])
