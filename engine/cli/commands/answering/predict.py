"""Implements `engine predict`, which predicts a reviewer's ratings of some movies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import INDEX, JSON, VERBOSE
from engine.cli.output import print_table
from engine.cli.terminal import print_json
from engine.responses import predictions

if TYPE_CHECKING:
    from engine.answers import MoviePrediction


@click.command(
    params=[
        click.Argument(["reviewer_id"]),
        click.Argument(["movie_ids"], nargs=-1, required=True, metavar="MOVIE_ID..."),
        *(INDEX, JSON, VERBOSE),
    ]
)
def predict(reviewer_id: str, movie_ids: tuple[str, ...], index: Path, as_json: bool) -> None:
    """Predict a reviewer's ratings of movies: mean, median, interval, and the chance of each rating.

    The reviewer's rating of a movie lies within the printed interval with a chance of at least 80 per cent. A
    movie that the index does not hold is skipped with a warning; if the index holds none of the movies, the
    command fails.
    """
    from engine.recommender import Engine

    engine = Engine.load(index)
    found = engine.predictions(reviewer_id, engine.known_movies(movie_ids))
    if as_json:
        print_json(predictions(reviewer_id, found))
    else:
        levels = [f"{float(level):g}" for level in found[0].rating_probabilities]
        if levels == ["0", "1"]:
            # On the scale of 0 and 1, which stands for counts too, the chance of a like says everything.
            rows = [[movie.movie_id, movie.title, f"{movie.like_probability:.0%}"] for movie in found]
            print_table(["movie", "title", "like"], rows)
            return
        headings = ["movie", "title", "mean", "median", "interval", "like", *levels]
        print_table(headings, [_cells(movie) for movie in found])


def _cells(movie: MoviePrediction) -> list[str | None]:
    low, high = movie.interval
    stars = f"{movie.predicted_rating:.2f}", f"{movie.median_rating:g}", f"{low:g} to {high:g}"
    chances = movie.like_probability, *movie.rating_probabilities.values()
    return [movie.movie_id, movie.title, *stars, *(f"{chance:.0%}" for chance in chances)]
