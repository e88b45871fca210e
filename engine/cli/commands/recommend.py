"""The commands that recommend movies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import click

from engine.cli.main import LazyGroup
from engine.cli.options import (
    because_option,
    check_k,
    index_option,
    json_option,
    k_option,
    list_options,
    verbose_option,
)
from engine.cli.output import print_json, print_recommendations, print_reviewers, say_if_short, say_variety
from engine.responses import list_section

if TYPE_CHECKING:
    from engine.answers import TopList
    from engine.questions.options import ListArguments


@click.group(cls=LazyGroup, places={"all": "engine.cli.commands.recommend_all:everyone"})
def recommend() -> None:
    """Recommend movies to someone."""


@recommend.command()
@click.argument("reviewer_id")
@index_option
@k_option
@list_options
@click.option(
    "--fallback",
    metavar="error|popular",
    default="error",
    show_default=True,
    help="What to do about an unknown reviewer: fail, or list what is popular these days.",
)
@json_option
@verbose_option
def reviewer(
    reviewer_id: str, index: Path, k: int, fallback: str, as_json: bool, **options: Unpack[ListArguments]
) -> None:
    """List the movies that suit a reviewer best, most suitable first.

    Each comes with the stars that the reviewer would give it and the chance that they would like it.
    """
    check_k(k)
    from engine import Engine

    items = Engine.load(index).recommend(reviewer_id, k, fallback=fallback, **options)
    asked: dict[str, Any] = {"reviewer_id": reviewer_id}
    if items.fallback is not None:
        asked["fallback"] = items.fallback
        click.echo(
            f"The index does not know reviewer {reviewer_id!r}; these are the movies that are popular these "
            "days.",
            err=True,
        )
    _print(items, k, asked, as_json)


@recommend.command()
@click.argument("movies", nargs=-1, metavar="MOVIE=RATING...")
@click.option(
    "--from-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read ratings from a file first, oldest first: lines movie_id,rating or MOVIE=RATING.",
)
@index_option
@k_option
@list_options
@json_option
@verbose_option
def ratings(
    movies: tuple[str, ...],
    from_file: Path | None,
    index: Path,
    k: int,
    as_json: bool,
    **options: Unpack[ListArguments],
) -> None:
    """List the movies that suit someone new, from their ratings alone.

    Ratings go from the oldest to the latest, and of a movie given twice the later one counts. Where the index
    was built from data without ratings, the movies' ids are enough.
    """
    check_k(k)
    from engine import Engine
    from engine.questions.ratings import join_ratings, parse_pairs, read_ratings

    given = join_ratings({} if from_file is None else read_ratings(from_file), parse_pairs(movies))
    engine = Engine.load(index)
    items = engine.recommend_for(given, k, **options)
    unknown = [movie_id for movie_id in given if not engine.holds_movie(movie_id)]
    _print(items, k, {"ratings": given, "unknown_movies": unknown}, as_json)


@recommend.command()
@click.argument("reviewer_ids", nargs=-1, required=True, metavar="REVIEWER_ID...")
@click.option(
    "--strategy",
    metavar="average|least-misery",
    default="average",
    show_default=True,
    help="Whether a movie's score is the mean of the members' scores or the lowest of them.",
)
@index_option
@k_option
@list_options
@json_option
@verbose_option
def group(
    reviewer_ids: tuple[str, ...],
    strategy: str,
    index: Path,
    k: int,
    as_json: bool,
    **options: Unpack[ListArguments],
) -> None:
    """List the movies that suit several reviewers together, such as a household.

    What any of them has reviewed counts as seen. Each member's scores are brought to one scale first, so that
    none decides alone.
    """
    check_k(k)
    from engine import Engine

    items = Engine.load(index).recommend_group(reviewer_ids, k, strategy=strategy, **options)
    _print(items, k, {"reviewer_ids": list(dict.fromkeys(reviewer_ids)), "strategy": strategy}, as_json)


def _print(items: TopList, k: int, asked: dict[str, Any], as_json: bool) -> None:
    """Prints a list, in JSON behind what was asked for."""
    shown = [item.to_dict() for item in items]
    if as_json:
        print_json(asked | {"k": k, "recommendations": shown} | list_section(items))
    else:
        print_recommendations(shown)
        say_variety(items)
        say_if_short(len(shown), k)


@recommend.command(name="movie")
@click.argument("movie_id")
@index_option
@k_option
@because_option
@json_option
@verbose_option
def recommend_movie(movie_id: str, index: Path, k: int, because: bool, as_json: bool) -> None:
    """List the reviewers to tell about a movie, the most likely to come and like it first.

    Those who have reviewed it are left out. The score is the one that the movie has in a reviewer's own list.
    """
    check_k(k)
    from engine import Engine

    engine = Engine.load(index)
    found = [item.to_dict() for item in engine.reviewers_for(movie_id, k, because=because)]
    title = engine.title(movie_id)
    if as_json:
        print_json({"movie_id": movie_id, "title": title, "k": k, "reviewers": found})
    else:
        click.echo(f"To tell about {title or movie_id}:", err=True)
        print_reviewers(found)
        say_if_short(len(found), k, "reviewer")
