"""Implements `engine show`, which describes a movie or a reviewer of an index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import INDEX, JSON, TITLE, VERBOSE, K
from engine.cli.output import print_answers, print_fields, print_table
from engine.cli.terminal import print_json, say
from engine.cli.title_option import movie_id_of
from engine.responses import profile

if TYPE_CHECKING:
    from engine.answers import ReviewedMovie

_NOT_SHOWN = ("title", "links", "movie_count", "average_rating")
"""Entries of a card that other lines show already, or that fill a screen."""
_BAR = 30
"""The length of the longest bar of a histogram, in characters."""


@click.group()
def show() -> None:
    """Show what an index holds of a movie or of a reviewer."""


@show.command(params=[click.Argument(["movie_id"], required=False), TITLE, INDEX, JSON, VERBOSE])
def movie(movie_id: str | None, title: str | None, index: Path, as_json: bool) -> None:
    """Show a movie: title, category, price and link, and its reviews by rating and by year."""
    from engine.recommender import Engine

    engine = Engine.load(index)
    found = engine.movie(movie_id_of(engine, movie_id, title, as_json))
    if as_json:
        print_json(profile(found))
        return
    card = {name: value for name, value in found.card.items() if name not in _NOT_SHOWN}
    print_fields({"movie": found.movie_id, "title": found.title, **card, "reviews": found.num_reviews})
    _print_counts("stars", found.rating_counts, found.mean_rating)
    _print_counts("year", found.reviews_by_year, None)
    if found.variants:
        say()
        print_answers(found.variants, {"variant": "movie_id", "title": "title", "format": "format"})


@show.command(params=[click.Argument(["reviewer_id"]), INDEX, K, JSON, VERBOSE])
def reviewer(reviewer_id: str, index: Path, k: int, as_json: bool) -> None:
    """Show a reviewer: the reviews by rating, and the latest reviews with titles and days."""
    from engine.recommender import Engine

    found = Engine.load(index).reviewer(reviewer_id, k)
    if as_json:
        print_json(profile(found))
        return
    print_fields({"reviewer": found.reviewer_id, "reviews": found.num_reviews})
    _print_counts("stars", found.rating_counts, found.mean_rating)
    say()
    print_answers(found.history, {"movie": "movie_id", "title": "title", "stars": _stars, "day": "day"})


def _stars(review: ReviewedMovie) -> str | None:
    return None if review.rating is None else f"{review.rating:g}"


def _print_counts(name: str, counts: Mapping[str, int] | None, mean: float | None) -> None:
    """Prints the number of reviews of each rating or year with a bar, and the mean rating if it is known."""
    if not counts:
        return
    longest = max(counts.values())
    rows: list[list[Any]] = [
        [key, count, "#" * round(_BAR * count / max(longest, 1))] for key, count in counts.items()
    ]
    say()
    print_table([name, "reviews", ""], rows)
    if mean is not None:
        say(f"mean: {mean:.2f} stars")
