"""The options that several commands share, and where their talk goes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.errors import ConfigError

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
    "-k", "k", type=int, default=10, show_default=True, metavar="N", help="How many to list."
)


def _read_ids(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> list[str] | None:
    from engine.questions.ids import ids_or_file

    return ids_or_file(values) if values else None


because_option = click.option(
    "--because/--no-because",
    default=True,
    show_default=True,
    help="Say which movies of the reviewer's history speak for it.",
)
no_cold_option = click.option(
    "--no-cold", is_flag=True, help="Leave out movies without reviews, known by their metadata alone."
)
all_variants_option = click.option(
    "--all-variants",
    is_flag=True,
    help="Take every movie for itself: list the DVD of a film beside its Blu-ray, and variants of what is "
    "known already.",
)
_LIST_OPTIONS = (
    where_option,
    no_cold_option,
    click.option("--include-seen", is_flag=True, help="List movies too that the reviewer has reviewed."),
    click.option(
        "--only",
        multiple=True,
        callback=_read_ids,
        metavar="FILE|IDS",
        help="None but these movies: ids with commas between them, or a file with one a line. May be given "
        "several times.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        callback=_read_ids,
        metavar="FILE|IDS",
        help="None of these movies, given likewise.",
    ),
    click.option(
        "--min-rating",
        type=float,
        metavar="STARS",
        help="Only movies whose predicted rating is at least this.",
    ),
    all_variants_option,
    click.option(
        "--format-preference",
        metavar="TEXT",
        help="Of the variants of a film list this one, such as blu-ray; otherwise the most reviewed one.",
    ),
    click.option("--show-variants", is_flag=True, help="Say of each movie which others are the same film."),
    click.option(
        "--diversity",
        type=float,
        default=0.0,
        show_default=True,
        metavar="0..1",
        help="How much it counts that the movies are unlike each other.",
    ),
    click.option(
        "--novelty",
        type=float,
        default=0.0,
        show_default=True,
        metavar="0..1",
        help="How far to lean away from bestsellers.",
    ),
    because_option,
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
