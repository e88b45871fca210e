"""The commands that find what is alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import (
    all_variants_option,
    check_k,
    index_option,
    json_option,
    k_option,
    no_cold_option,
    verbose_option,
    where_option,
)
from engine.cli.output import print_json, print_similar, print_similar_reviewers, say_if_short

if TYPE_CHECKING:
    from engine import Engine

_MOST_CHOICES = 20


@click.group()
def similar() -> None:
    """Find what is alike."""


@similar.command()
@click.argument("movie_id", required=False)
@click.option(
    "--title",
    "text",
    metavar="TEXT",
    help="Ask by a piece of the title, such as 'blade runner'; if several movies match, you are asked which.",
)
@index_option
@k_option
@where_option
@no_cold_option
@all_variants_option
@json_option
@verbose_option
def movie(
    movie_id: str | None,
    text: str | None,
    index: Path,
    k: int,
    where: str | None,
    no_cold: bool,
    all_variants: bool,
    as_json: bool,
) -> None:
    """List the movies that are most like a movie, judged by who reviewed them and how."""
    if (movie_id is None) == (text is None):
        raise click.UsageError("Give either the id of a movie or --title with a piece of its title.")
    check_k(k)
    from engine import Engine

    engine = Engine.load(index)
    if movie_id is None:
        movie_id = _by_title(engine, text or "", as_json)
    found = engine.similar(movie_id, k, where=where, no_cold=no_cold, all_variants=all_variants)
    shown = [item.to_dict() for item in found]
    title = engine.title(movie_id)
    if as_json:
        print_json({"movie_id": movie_id, "title": title, "similar": shown})
    else:
        click.echo(f"Like {title or movie_id}:", err=True)
        print_similar(shown)
        say_if_short(len(shown), k)


def _by_title(engine: Engine, text: str, as_json: bool) -> str:
    """The movie that a piece of a title means; where it may mean several, asks in a terminal, else fails."""
    from engine.errors import TitleError

    try:
        return engine.find_movie(text).movie_id
    except TitleError as error:
        if as_json:
            print_json({"title": text, "matches": [vars(match) for match in error.matches]})
        if as_json or not error.matches or not sys.stdin.isatty():
            raise
        return _ask(text, error.matches)


def _ask(text: str, matches: tuple[Any, ...]) -> str:
    shown = matches[:_MOST_CHOICES]
    for number, match in enumerate(shown, start=1):
        click.echo(f"{number:>3}  {match.movie_id}  {match.title}", err=True)
    if len(matches) > len(shown):
        click.echo(
            f"     and {len(matches) - len(shown):,} more; say more of the title to see them", err=True
        )
    number = click.prompt(
        f"Which movie is {text!r}?", type=click.IntRange(1, len(shown)), default=1, err=True
    )
    chosen: str = shown[number - 1].movie_id
    return chosen


@similar.command(name="reviewer")
@click.argument("reviewer_id")
@index_option
@k_option
@json_option
@verbose_option
def similar_reviewer(reviewer_id: str, index: Path, k: int, as_json: bool) -> None:
    """List the reviewers whose taste is nearest to a reviewer's, nearest first."""
    check_k(k)
    from engine import Engine

    found = [item.to_dict() for item in Engine.load(index).similar_reviewers(reviewer_id, k)]
    if as_json:
        print_json({"reviewer_id": reviewer_id, "k": k, "similar": found})
    else:
        print_similar_reviewers(found)
        say_if_short(len(found), k, "reviewer")
