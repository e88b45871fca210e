"""The commands that ask the other way round: whom to tell about a movie, who is alike, what is predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import because_option, check_k, index_option, json_option, k_option, verbose_option
from engine.cli.output import (
    print_json,
    print_predictions,
    print_reviewers,
    print_similar_reviewers,
    say_if_short,
)

if TYPE_CHECKING:
    from engine import Engine


@click.command(name="movie")
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


@click.command(name="reviewer")
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


@click.command()
@click.argument("reviewer_id")
@click.argument("movie_ids", nargs=-1, required=True, metavar="MOVIE_ID...")
@index_option
@json_option
@verbose_option
def predict(reviewer_id: str, movie_ids: tuple[str, ...], index: Path, as_json: bool) -> None:
    """Predict what a reviewer would give movies: the mean, the median, the chances, and an interval.

    Four ratings in five fall into the interval. A movie that the index does not hold is skipped with a
    warning, as long as it holds another one.
    """
    from engine import Engine

    engine = Engine.load(index)
    known = _known(engine, movie_ids)
    found = [item.to_dict() for item in engine.predictions(reviewer_id, known)]
    if as_json:
        print_json({"reviewer_id": reviewer_id, "predictions": found})
    else:
        print_predictions(found)


def _known(engine: Engine, movie_ids: tuple[str, ...]) -> list[str]:
    """The movies that the index holds, said on stderr of the others; fails where it holds none."""
    from engine.errors import UnknownIdError

    known, first = [], None
    for movie_id in dict.fromkeys(movie_ids):
        try:
            engine.title(movie_id)
        except UnknownIdError as error:
            if first is None:
                first = error
            click.echo(f"Skipped: {error}", err=True)
        else:
            known.append(movie_id)
    if first is not None and not known:
        raise first
    return known
