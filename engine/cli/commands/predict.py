"""The commands that ask the other way round: whom to tell about a movie, who is alike, what is predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import index_option, json_option, verbose_option
from engine.cli.output import (
    print_json,
    print_predictions,
)

if TYPE_CHECKING:
    from engine import Engine


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
