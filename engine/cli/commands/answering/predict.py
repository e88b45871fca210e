"""Implements `engine predict`, which predicts a reviewer's ratings of given movies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.listing import Columns, print_list
from engine.cli.options import FORMAT, INDEX, TITLE, VERBOSE, columns_of
from engine.cli.title_option import movie_id_of
from engine.responses import predictions

if TYPE_CHECKING:
    from engine.answers import MoviePrediction


@click.command(
    params=[
        click.Argument(["reviewer_id"]),
        click.Argument(["movie_ids"], nargs=-1, metavar="MOVIE_ID..."),
        *(TITLE, INDEX, columns_of("MoviePrediction"), *FORMAT, VERBOSE),
    ]
)
def predict(
    reviewer_id: str,
    movie_ids: tuple[str, ...],
    title: str | None,
    index: Path,
    columns: Columns | None,
    format: str,
) -> None:
    """Predict a reviewer's ratings of movies: mean, median, interval, and the chance of each rating.

    The reviewer's rating of a movie lies within the printed interval with a chance of at least 80 per cent. A
    movie that the index does not hold is skipped with a warning; if the index holds none of the movies, the
    command fails.
    """
    from engine.recommender import Engine

    engine = Engine.load(index)
    if title is not None or not movie_ids:
        movie_ids = (*movie_ids, movie_id_of(engine, None, title, format))
    found = engine.predictions(reviewer_id, engine.known_movies(movie_ids))
    print_list(found, _usual(found[0]), format, lambda: predictions(reviewer_id, found), chosen=columns)


def _usual(first: MoviePrediction) -> Columns:
    levels = list(first.rating_probabilities)
    columns: Columns = {"movie": "movie_id", "title": "title"}
    if [float(level) for level in levels] == [0, 1]:
        # If the only rating levels are 0 and 1, as for ratings made from counts, the chance of a like is the
        # whole prediction.
        return {**columns, "like": "like_probability"}
    columns = {**columns, "mean": _mean, "median": "median_rating", "interval": _interval}
    columns = {**columns, "like": "like_probability"}
    return {**columns, **{f"{float(level):g}": _chance_of(level) for level in levels}}


def _mean(movie: MoviePrediction) -> str:
    return f"{movie.predicted_rating:.2f}"


def _interval(movie: MoviePrediction) -> str:
    low, high = movie.interval
    return f"{low:g} to {high:g}"


def _chance_of(level: str) -> Callable[[MoviePrediction], str]:
    return lambda movie: f"{movie.rating_probabilities[level]:.0%}"
