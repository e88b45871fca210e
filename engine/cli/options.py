"""Defines click options that several commands share; a command lists its options in `params`."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import click

from engine.cli.listing import FORMATS, read_columns
from engine.cli.terminal import start_logging
from engine.errors import ConfigError, shown
from engine.questions.arguments import check_k

DEFAULT_INDEX = "movie-index"
PATH = click.Path(path_type=Path)


def count(given: str | int) -> int:
    """Reads the value of an option that takes a whole number from 1 to a billion.

    Raises:
        ValueError: the text is not a whole number from 1 to a billion.
    """
    text = str(given)
    if text.isdecimal() and len(text) < 20 and 1 <= int(text) <= 1_000_000_000:
        return int(text)
    raise ValueError(f"{shown(text)} is not a whole number from 1 to 1,000,000,000.")


def _read_k(text: str | int) -> int:
    """Reads the value of the option -k, the length of a recommendation list.

    Raises:
        ValueError: the text is not a whole number from 1 to the largest length that a list may have.
    """
    try:
        k = int(text)
    except ValueError as error:
        raise ValueError(f"{shown(text)} is not a whole number.") from error
    try:
        check_k(k, "-k")
    except ConfigError as error:
        raise ValueError(f"{error}.") from error
    return k


def _read_format(context: click.Context, _option: click.Parameter, format: str | None) -> str:
    """Reads the format of printed answers from --format or --json; the default is a table."""
    if context.meta.get("json"):
        if format not in (None, "json"):
            raise click.UsageError(f"Give --json or --format {format}, but not both.")
        return "json"
    return format or "table"


def _note_json(context: click.Context, _option: click.Parameter, as_json: bool) -> None:
    context.meta["json"] = as_json


def _log_more(_context: click.Context, _option: click.Parameter, verbose: bool) -> None:
    """Starts logging at level DEBUG if the option --verbose is given."""
    if verbose:
        start_logging(logging.DEBUG)


option = partial(click.Option, show_default=True)
"""Makes an option that takes a value; the help text of the command shows the default value."""
flag = partial(click.Option, is_flag=True)
"""Makes an option that takes no value; the option is True if the user gives the option."""

INDEX = option(
    ["--index"],
    type=PATH,
    default=DEFAULT_INDEX,
    envvar="ENGINE_INDEX",
    show_envvar=True,
    metavar="DIR",
    help="Use the index in this directory.",
)
KEEP = option(
    ["--keep"],
    type=count,
    metavar="N",
    help="Keep this many builds in the directory of the index, the new one included, for engine rollback; by "
    "default as many as before, and 2 in a new directory.",
)
ON = (
    option(
        ["--on"],
        type=click.Choice(["ray"]),
        help="Run on Ray (extra [ray]): in workers that are started on this machine, or on the cluster of "
        "--address.",
    ),
    option(
        ["--address"],
        metavar="HOST:PORT|auto",
        help="Run on the Ray cluster at this address, or on the one that this machine belongs to.",
    ),
)
"""The options of commands that can do their work on Ray, a system for work on several machines."""
VERBOSE = flag(
    ["-v", "--verbose"], expose_value=False, callback=_log_more, help="Say on stderr what is being done."
)
FORMAT = (
    click.Option(
        ["--format"],
        type=click.Choice(FORMATS),
        callback=_read_format,
        help="Print the answer in this format; a table by default.",
    ),
    flag(
        ["--json"], expose_value=False, is_eager=True, callback=_note_json, help="The same as --format json."
    ),
)
"""The options of commands that print answers; the argument `format` of the command gets the chosen format."""
CARD = flag(
    ["--card", "cards"],
    help="Print a card for each movie: title, stars, average rating, category, price, description and link.",
)
K = option(["-k"], type=_read_k, default=10, metavar="N", help="List this many.")
TITLE = option(
    ["--title"],
    metavar="TEXT",
    help="Ask by a piece of the title, such as 'blade runner'; if several movies match, you are asked which "
    "one you mean.",
)
WHERE = option(
    ["--where"],
    metavar="SQL",
    help="List only movies that meet this condition, such as \"price < 10 and title ilike '%noir%'\".",
)
NO_COLD = flag(
    ["--no-cold"], help="Leave out cold movies: movies without reviews, known by their metadata alone."
)
ALL_VARIANTS = flag(
    ["--all-variants"],
    help="Treat every movie as a film of its own: list the DVD of a film beside its Blu-ray, and variants of "
    "what is known already.",
)


def _read_ids(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
    """Reads the movie ids in all values of an option; returns None if the user did not give the option."""
    if not values:
        return None
    from engine.questions.ids import ids_or_file

    return ids_or_file(values)


ONLY = option(
    ["--only"],
    multiple=True,
    callback=_read_ids,
    metavar="FILE|IDS",
    help="List none but these movies: ids with commas between them, or a file with one id a line. May be "
    "given several times.",
)
EXCLUDE = option(
    ["--exclude"],
    multiple=True,
    callback=_read_ids,
    metavar="FILE|IDS",
    help="List none of these movies, given in the same way as with --only.",
)
SHOW_VARIANTS = flag(["--show-variants"], help="Say of each movie which other movies are the same film.")
DIVERSITY = option(
    ["--diversity"],
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="0..1",
    help="Make the movies unlike each other; at 1 nothing else counts among the best candidates.",
)
BECAUSE = option(
    ["--because/--no-because"],
    default=True,
    help="Say which movies of the reviewer's history speak for each entry.",
)


def columns_of(answer: str) -> click.Option:
    """Makes the option --columns of a command; `answer` names the class of the command's answers."""

    def read(_context: click.Context, _option: click.Parameter, text: str | None) -> dict[str, Any] | None:
        if text is None:
            return None
        from engine import answers

        return read_columns(text, getattr(answers, answer))

    return click.Option(
        ["--columns"],
        callback=read,
        metavar="NAMES",
        help="Show these columns, such as title,price,average_rating.",
    )
