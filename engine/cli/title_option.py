"""Finds the movie that the option --title means, and asks the user to choose if several titles match."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from engine.cli.listing import is_for_people
from engine.cli.terminal import MOST_SHOWN, on_one_line, print_json, say
from engine.responses import title_matches

if TYPE_CHECKING:
    from engine.errors import Named
    from engine.recommender import Engine

_MOST_CHOICES = 20
"""The largest number of movies in a question that asks the user which movie is meant."""


def movie_id_of(engine: Engine, movie_id: str | None, title: str | None, format: str) -> str:
    """Returns the id of the movie that the user named by an id, or by a piece of the title.

    If a piece of a title matches several movies, the function asks the user which movie is meant. If `format`
    is json, the function prints the matching movies as JSON instead of asking, and raises TitleError.

    Raises:
        UsageError: the user gave both an id and a title; the user gave neither.
        TitleError: no title matches; several titles match and the user cannot be asked.
    """
    if (movie_id is None) == (title is None):
        raise click.UsageError("Give either the id of a movie or --title with a piece of its title.")
    return _by_title(engine, title or "", format) if movie_id is None else movie_id


def _by_title(engine: Engine, text: str, format: str) -> str:
    """Returns the id of the movie that a piece of a title means; asks the user if several movies match."""
    from engine.errors import TitleError

    try:
        return engine.find_movie(text).movie_id
    except TitleError as error:
        if format == "json":
            print_json(title_matches(text, error.matches))
        if not is_for_people(format) or not error.matches or not sys.stdin.isatty():
            raise
        return _ask(text, error.matches)


def _ask(text: str, matches: tuple[Named, ...]) -> str:
    shown = matches[:_MOST_CHOICES]
    for number, match in enumerate(shown, start=1):
        say(on_one_line(f"{number:>3}  {match.movie_id}  {match.title[:MOST_SHOWN]}"), err=True)
    if more := len(matches) - len(shown):
        say(f"     and {more:,} more; say more of the title to see them", err=True)
    choices = click.IntRange(1, len(shown))
    return shown[click.prompt(f"Which movie is {text!r}?", type=choices, default=1, err=True) - 1].movie_id
