"""Implements `engine show`, which describes a movie or a reviewer of an index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from engine.cli.listing import Columns, is_for_people, print_list
from engine.cli.options import FORMAT, INDEX, TITLE, VERBOSE, K, columns_of
from engine.cli.output import print_records
from engine.cli.tables import format_markdown, format_table, wrapped
from engine.cli.terminal import on_one_line, say
from engine.cli.title_option import movie_id_of
from engine.responses import profile

_CARD = ("category", "main_cat", "brand", "description", "price", "year", "link")
"""The fields of a movie's card that `engine show` prints."""
_BAR = 30
"""The length of the longest bar of a histogram, in characters."""
_LONGEST = 100_000
"""The largest number of characters of one text, such as a description, that `engine show` prints."""


@click.group()
def show() -> None:
    """Show what an index holds of a movie or of a reviewer."""


@show.command(params=[click.Argument(["movie_id"], required=False), TITLE, INDEX, *FORMAT, VERBOSE])
def movie(movie_id: str | None, title: str | None, index: Path, format: str) -> None:
    """Show a movie: facts such as title and price, reviews by rating and by year, and similar movies."""
    from engine.recommender import Engine

    engine = Engine.load(index)
    found = engine.movie(movie_id_of(engine, movie_id, title, format))
    if not is_for_people(format):
        print_records([profile(found)], format, profile(found))
        return
    card = {name: found.card[name] for name in _CARD}
    if card["category"] is not None:
        # The main category is left out, because the category begins with the main category.
        del card["main_cat"]
    _print_facts({"movie": found.movie_id, "title": found.title, **card, "reviews": found.num_reviews})
    _print_counts("stars", found.rating_counts, found.mean_rating, format)
    _print_counts("year", found.reviews_by_year, None, format)
    columns: Columns = {"movie": "movie_id", "title": "title"}
    if found.variants:
        say("\nThe same film:")
        print_list(found.variants, {**columns, "format": "format"}, format)
    if found.similar:
        say("\nSimilar movies:")
        print_list(found.similar, {**columns, "similarity": "similarity"}, format)


@show.command(
    params=[click.Argument(["reviewer_id"]), INDEX, K, columns_of("ReviewedMovie"), *FORMAT, VERBOSE]
)
def reviewer(reviewer_id: str, index: Path, k: int, columns: Columns | None, format: str) -> None:
    """Show a reviewer: the reviews by rating and by year, the latest reviews, and similar reviewers.

    In the formats jsonl, csv and tsv, the command prints only the latest reviews, without counts and similar
    reviewers.
    """
    from engine.recommender import Engine

    found = Engine.load(index).reviewer(reviewer_id, k)
    usual: Columns = {"movie": "movie_id", "title": "title", "stars": "rating", "day": "day"}
    if is_for_people(format):
        _print_facts({"reviewer": found.reviewer_id, "reviews": found.num_reviews})
        _print_counts("stars", found.rating_counts, found.mean_rating, format)
        _print_counts("year", found.reviews_by_year, None, format)
        say("\nLatest reviews:")
    print_list(found.history, usual, format, lambda: profile(found), chosen=columns)
    if is_for_people(format) and found.similar:
        alike: Columns = {"reviewer": "reviewer_id", "similarity": "similarity"}
        say("\nSimilar reviewers:")
        print_list(found.similar, {**alike, "shared": "num_shared", "reviews": "num_reviews"}, format)


def _print_facts(facts: Mapping[str, Any]) -> None:
    """Prints facts with their names, wrapped to the width of the screen; leaves out facts that are None."""
    for name, value in facts.items():
        if value is not None:
            text = f"{value:g}" if isinstance(value, float) else on_one_line(str(value)[:_LONGEST])
            say(wrapped(f"{name.replace('_', ' ')}: {text}"))


def _print_counts(name: str, counts: Mapping[str, int] | None, mean: float | None, format: str) -> None:
    """Prints the number of reviews of each rating or year with a bar, and the mean rating if it is known."""
    if not counts:
        return
    longest = max(counts.values())
    rows: list[list[Any]] = [
        [key, count, "#" * round(_BAR * count / max(longest, 1))] for key, count in counts.items()
    ]
    say()
    say((format_table if format == "table" else format_markdown)([name, "reviews", ""], rows))
    if mean is not None:
        say(f"mean: {mean:.2f} stars")
