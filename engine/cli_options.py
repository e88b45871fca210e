"""The options that several commands share, and what they mean for the configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_INDEX = "movie-index"
_PACKAGES = ("engine", "indexes", "pipelines")
_PATH = click.Path(path_type=Path)

index_option = click.option(
    "--index",
    type=_PATH,
    default=DEFAULT_INDEX,
    envvar="ENGINE_INDEX",
    show_default=True,
    show_envvar=True,
    metavar="DIR",
    help="The directory of the index to ask.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text for people.")
where_option = click.option(
    "--where",
    metavar="SQL",
    help="Only movies for which this condition is true, such as \"price < 10 and title ilike '%noir%'\".",
)
k_option = click.option(
    "-k", "k", type=int, default=10, show_default=True, metavar="N", help="How many movies to list."
)
_LIST_OPTIONS = (
    where_option,
    click.option("--include-seen", is_flag=True, help="List movies too that the reviewer has reviewed."),
)
verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=lambda _context, _parameter, verbose: start_logging(logging.DEBUG) if verbose else None,
    help="Say on stderr what is being done.",
)


def check_k(k: int) -> None:
    """Refuses a list that is shorter than one.

    Raises:
        ConfigError: `k` is less than 1.
    """
    if k < 1:
        raise ConfigError(f"-k must be at least 1 but is {k}; it says how many movies to list")


def list_options(command: Command) -> Command:
    """Adds the options that say what a top list may hold; they have the names of `ListArguments`."""
    for option in reversed(_LIST_OPTIONS):
        command = option(command)
    return command


def start_logging(level: int) -> None:
    """Sends our own log lines from a level up to stderr; those of other libraries stay as they are."""
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(min(level, logger.level or level))


def source_options(command: Command) -> Command:
    """Adds the options that say what is read and which rows stay."""
    for option in reversed(_SOURCE_OPTIONS):
        command = option(command)
    return command


_SOURCE_OPTIONS = (
    click.option(
        "--metadata",
        type=_PATH,
        multiple=True,
        metavar="FILE",
        help="A file that describes the movies: titles, categories, prices. May be given several times.",
    ),
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


def resolve_config(
    recipe: Path | None, assignments: Sequence[str], options: dict[str, Any], seed: int | None = None
) -> Config:
    """Merges a recipe, assignments and the options that were given into one configuration.

    Raises:
        ConfigError: one of them is unknown, of the wrong type or out of range.
    """
    from engine.config import Config, load_config
    from engine.settings import parse_assignment

    # An option that was not given is None, and a flag False: neither overrides what the recipe says.
    given = {name: options[name] for name in _SETTINGS if options[name] not in (None, False)}
    overrides = {f"ingest.{name}": value for name, value in given.items()}
    if "columns" in given:
        overrides["ingest.columns"] = parse_assignment(Config, f"ingest.columns={given['columns']}")[1]
    if seed is not None:
        overrides["seed"] = seed
    return load_config(recipe, assignments, overrides)
