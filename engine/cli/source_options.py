"""The options of the commands that read reviews, and the configuration that they add up to."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from engine.cli.options import Command, json_option, start_logging, verbose_option

if TYPE_CHECKING:
    from engine.config.sections import Config

_PATH = click.Path(path_type=Path)
_SEED_OPTION = click.option(
    "--seed", type=int, metavar="N", help="Seed of every random choice; 42 by default."
)
_SENTIMENT_OPTION = click.option(
    "--sentiment",
    is_flag=True,
    help="Score the texts of the reviews with a lexicon of English, and let that count beside the stars.",
)


def source_command(
    *, seed: bool = False, sentiment: bool = False, update: bool = False
) -> Callable[[Command], Command]:
    """Adds the options that say what is read, which rows stay, and how the answer is printed.

    In place of the many the command is given `metadata`, `config` and `as_json`; talk goes to stderr by then.

    Args:
        seed: whether the command makes random choices.
        sentiment: whether it can learn from the texts of reviews.
        update: whether the reviews go into an index that is there, which asks for less.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(
            *arguments: Any,
            recipe: Path | None,
            assignments: tuple[str, ...],
            **options: Any,
        ) -> Any:
            given = {name: options.pop(name) for name in (*_SETTINGS, *_SETTING_OF) if name in options}
            config = resolve_config(recipe, assignments, given)
            start_logging(logging.INFO)
            return command(*arguments, config=config, **options)

        added = [
            *_BUILD_OPTIONS * (not update),
            *_SOURCE_OPTIONS,
            *[_SEED_OPTION] * seed,
            *[_SENTIMENT_OPTION] * sentiment,
        ]
        decorated: Callable[..., Any] = run
        for option in reversed([*added, json_option, verbose_option]):
            decorated = option(decorated)
        return cast(Command, decorated)

    return decorate


_BUILD_OPTIONS = (
    click.option(
        "--metadata",
        type=_PATH,
        multiple=True,
        metavar="FILE",
        help="A file that describes the movies: titles, categories, prices. May be given several times.",
    ),
    click.option(
        "--min-reviews-per-reviewer",
        type=int,
        metavar="N",
        help="Drop reviewers with fewer reviews, until none is left; 2 by default.",
    ),
    click.option(
        "--min-reviews-per-movie",
        type=int,
        metavar="N",
        help="Drop movies with fewer reviews, likewise; 2 by default.",
    ),
)
_SOURCE_OPTIONS = (
    click.option(
        "--format",
        metavar="FORMAT",
        help="How the files are written: amazon, movielens, table, or auto, the default, which finds out.",
    ),
    click.option(
        "--columns",
        metavar="NAMES",
        help="For tables (CSV, Parquet): which column is which, as reviewer=..,movie=..,rating=..,time=..",
    ),
    click.option(
        "--where",
        metavar="SQL",
        help="Keep only reviews for which this condition over the prepared columns is true.",
    ),
    click.option("--since", metavar="DATE", help="Keep only reviews from this day on, YYYY-MM-DD."),
    click.option(
        "--until", metavar="DATE", help="Keep only reviews up to and including this day, YYYY-MM-DD."
    ),
    click.option("--verified-only", is_flag=True, help="Keep only reviews of verified purchases."),
    click.option(
        "--allow-truncated",
        is_flag=True,
        help="Go on with what can be read of a gzip file that ends too early.",
    ),
    click.option(
        "--memory-limit",
        metavar="SIZE",
        help="Memory that the database may use before it goes to disk; 4GB by default.",
    ),
    click.option("--threads", type=int, metavar="N", help="Threads to use; by default one a core."),
    click.option(
        "--config",
        "recipe",
        type=_PATH,
        metavar="FILE.toml",
        help="Read settings from a file; options and --set go before it.",
    ),
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set anything that has no option, such as ingest.threads=2. May be given several times.",
    ),
)

_SETTINGS = (
    "format",
    "columns",
    "where",
    "since",
    "until",
    "verified_only",
    "min_reviews_per_reviewer",
    "min_reviews_per_movie",
    "allow_truncated",
    "memory_limit",
    "threads",
)
_SETTING_OF = {"seed": "seed", "sentiment": "sentiment.use"}


def resolve_config(recipe: Path | None, assignments: Sequence[str], options: dict[str, Any]) -> Config:
    """Merges a recipe, assignments and the options that were given into one configuration.

    Raises:
        ConfigError: one of them is unknown, of the wrong type or out of range.
    """
    from engine.config.sections import Config, load_config
    from engine.config.values import parse_assignment

    # An option that was not given is None, and a flag False: neither overrides what the recipe says.
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    overrides = {_SETTING_OF.get(name, f"ingest.{name}"): value for name, value in given.items()}
    if "columns" in given:
        overrides["ingest.columns"] = parse_assignment(Config, f"ingest.columns={given['columns']}")[1]
    return load_config(recipe, assignments, overrides)
