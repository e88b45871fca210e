"""Implements `engine similar`: the movies similar to a movie, and the reviewers similar to a reviewer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from engine.cli.listing import Columns, is_for_people, print_list, say_if_short
from engine.cli.options import (
    ALL_VARIANTS,
    BECAUSE,
    CARD,
    DIVERSITY,
    EXCLUDE,
    FORMAT,
    INDEX,
    NO_COLD,
    ONLY,
    SHOW_VARIANTS,
    TITLE,
    VERBOSE,
    WHERE,
    K,
    columns_of,
)
from engine.cli.terminal import MOST_SHOWN, on_one_line, say
from engine.cli.title_option import movie_id_of
from engine.responses import similar_movies, similar_reviewers


@click.group()
def similar() -> None:
    """Find the movies similar to a movie, or the reviewers similar to a reviewer."""


@similar.command(
    params=[
        click.Argument(["movie_id"], required=False),
        *(TITLE, INDEX, K, WHERE, NO_COLD, ONLY, EXCLUDE, ALL_VARIANTS, SHOW_VARIANTS, DIVERSITY, BECAUSE),
        *(columns_of("SimilarMovie"), CARD, *FORMAT, VERBOSE),
    ]
)
def movie(
    movie_id: str | None,
    title: str | None,
    index: Path,
    k: int,
    columns: Columns | None,
    cards: bool,
    format: str,
    **options: Any,
) -> None:
    """List the movies most similar to a movie, and say what each of them has in common with the movie.

    Two movies are similar if they belong to one series, or if their metadata is alike. Two movies are also
    similar if more reviewers have reviewed or liked both movies than the popularity of the two movies
    explains.
    """
    from engine.recommender import Engine

    engine = Engine.load(index)
    movie_id = movie_id_of(engine, movie_id, title, format)
    found = engine.similar(movie_id, k, **options)
    whole_title = engine.title(movie_id)
    if is_for_people(format):
        say(on_one_line(f"Like {(whole_title or movie_id)[:MOST_SHOWN]}:"), err=True)
    usual: Columns = {"#": "rank", "movie": "movie_id", "title": "title", "similarity": "similarity"}
    if options["because"]:
        usual = {**usual, "because of": "because"}
    if options["show_variants"]:
        usual = {**usual, "variants": "variants"}
    response = partial(similar_movies, movie_id, whole_title, found)
    print_list(found, usual, format, response, chosen=columns, cards=cards)
    if is_for_people(format):
        say_if_short(len(found), k)


@similar.command(
    name="reviewer",
    params=[click.Argument(["reviewer_id"]), INDEX, K, columns_of("SimilarReviewer"), *FORMAT, VERBOSE],
)
def similar_reviewer(reviewer_id: str, index: Path, k: int, columns: Columns | None, format: str) -> None:
    """List the reviewers most similar to a reviewer, by shared movies and by learned vectors."""
    from engine.recommender import Engine

    found = Engine.load(index).similar_reviewers(reviewer_id, k)
    usual: Columns = {"#": "rank", "reviewer": "reviewer_id", "similarity": "similarity"}
    usual = {**usual, "shared": "num_shared", "reviews": "num_reviews"}
    print_list(found, usual, format, lambda: similar_reviewers(reviewer_id, k, found), chosen=columns)
    if is_for_people(format):
        say_if_short(len(found), k, "reviewer")
