"""Implements `engine similar`: the movies similar to a movie, and the reviewers similar to a reviewer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import ALL_VARIANTS, INDEX, JSON, NO_COLD, VERBOSE, WHERE, K, option
from engine.cli.output import print_answers, print_json, say_if_short
from engine.responses import similar_movies, similar_reviewers, title_matches

if TYPE_CHECKING:
    from engine.errors import Named
    from engine.recommender import Engine

_MOST_CHOICES = 20
"""The largest number of movies from which the user is asked to choose."""


@click.group()
def similar() -> None:
    """Find the movies similar to a movie, or the reviewers similar to a reviewer."""


@similar.command(
    params=[
        click.Argument(["movie_id"], required=False),
        option(
            ["--title"],
            metavar="TEXT",
            help="Ask by a piece of the title, such as 'blade runner'; if several movies match, you are "
            "asked which one you mean.",
        ),
        *(INDEX, K, WHERE, NO_COLD, ALL_VARIANTS, JSON, VERBOSE),
    ]
)
def movie(
    movie_id: str | None, title: str | None, index: Path, k: int, as_json: bool, **options: Any
) -> None:
    """List the movies most similar to a movie, by shared reviewers and by learned vectors."""
    if (movie_id is None) == (title is None):
        raise click.UsageError("Give either the id of a movie or --title with a piece of its title.")
    from engine.recommender import Engine

    engine = Engine.load(index)
    if movie_id is None:
        movie_id = _by_title(engine, title or "", as_json)
    found = engine.similar(movie_id, k, **options)
    whole_title = engine.title(movie_id)
    if as_json:
        print_json(similar_movies(movie_id, whole_title, found))
    else:
        click.echo(f"Like {whole_title or movie_id}:", err=True)
        columns = {"#": "rank", "movie": "movie_id", "title": "title", "similarity": "similarity"}
        print_answers(found, columns)
        say_if_short(len(found), k)


def _by_title(engine: Engine, text: str, as_json: bool) -> str:
    """Returns the id of the movie that a piece of a title names; asks the user if several titles match."""
    from engine.errors import TitleError

    try:
        return engine.find_movie(text).movie_id
    except TitleError as error:
        if as_json:
            print_json(title_matches(text, error.matches))
        if as_json or not error.matches or not sys.stdin.isatty():
            raise
        return _ask(text, error.matches)


def _ask(text: str, matches: tuple[Named, ...]) -> str:
    shown = matches[:_MOST_CHOICES]
    for number, match in enumerate(shown, start=1):
        click.echo(f"{number:>3}  {match.movie_id}  {match.title}", err=True)
    if more := len(matches) - len(shown):
        click.echo(f"     and {more:,} more; say more of the title to see them", err=True)
    choices = click.IntRange(1, len(shown))
    return shown[click.prompt(f"Which movie is {text!r}?", type=choices, default=1, err=True) - 1].movie_id


@similar.command(name="reviewer", params=[click.Argument(["reviewer_id"]), INDEX, K, JSON, VERBOSE])
def similar_reviewer(reviewer_id: str, index: Path, k: int, as_json: bool) -> None:
    """List the reviewers most similar to a reviewer, by shared movies and by learned vectors."""
    from engine.recommender import Engine

    found = Engine.load(index).similar_reviewers(reviewer_id, k)
    if as_json:
        print_json(similar_reviewers(reviewer_id, k, found))
    else:
        columns = {"#": "rank", "reviewer": "reviewer_id", "similarity": "similarity"}
        print_answers(found, {**columns, "shared": "num_shared", "reviews": "num_reviews"})
        say_if_short(len(found), k, "reviewer")
