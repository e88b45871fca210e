"""Implements `engine add-reviews` and `engine add-movies`, which update an index without training."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from engine.artifact.layout import COUNTS_SECTION, MOVIES_ADDED_SECTION, UPDATES_SECTION
from engine.cli.listing import is_for_people
from engine.cli.options import FORMAT, INDEX, KEEP, VERBOSE
from engine.cli.output import print_facts
from engine.cli.source_options import COLUMNS, READING_OPTIONS, SOURCE, SourceCommand, columns_of
from engine.cli.summary import print_summary, say_if_retrain
from engine.cli.terminal import say, start_logging
from engine.config.sections import Config


@click.command(
    name="add-reviews",
    cls=SourceCommand,
    params=[
        click.Argument(["reviews"], nargs=-1, type=SOURCE),
        INDEX,
        KEEP,
        *READING_OPTIONS,
        *FORMAT,
        VERBOSE,
    ],
)
def add_reviews(
    reviews: tuple[Path, ...], index: Path, keep: int | None, config: Config, format: str
) -> None:
    """Add new reviews to an index without training.

    REVIEWS are files in any format that build-index accepts. The command also adds the feedback that `engine
    serve` has written to the journal of the index, so REVIEWS may be left out. Known reviewers get longer
    histories, and new reviewers are added to the index. A later review by the same reviewer of the same movie
    replaces the earlier review. Reviews of movies that the index does not hold are left out, and their number
    is printed. The index changes in one step when the updated index is complete; if the command fails, the
    index stays as it was. At the end the command prints how far the reviews have changed since the training,
    and whether to train again.
    """
    import pipelines

    result = pipelines.add_reviews(reviews, index=index, config=config, keep=keep)
    update, updates = result.update, result.manifest.get(UPDATES_SECTION)
    shown = {name: value for name, value in update.items() if name != "accounting"}
    facts = {"directory": str(index), "update": update, "updates": updates}
    print_facts(facts, format, lambda: print_summary(shown))
    if not update["changed"]:
        say("Every review is there already; the index stays as it is.", err=True)
    if update["reviews_of_unknown_movies"]:
        say(
            "Reviews left out, of movies that the index does not hold: "
            f"{update['reviews_of_unknown_movies']:,} ({update['unknown_movies']:,} movies).",
            err=True,
        )
    say_if_retrain(result.manifest)


@click.command(
    name="add-movies",
    params=[
        click.Argument(["metadata"], nargs=-1, type=SOURCE, required=True),
        INDEX,
        KEEP,
        COLUMNS,
        *FORMAT,
        VERBOSE,
    ],
)
def add_movies(
    metadata: tuple[Path, ...], index: Path, keep: int | None, columns: str | None, format: str
) -> None:
    """Add movies without reviews to an index, from metadata of the movies, without training.

    METADATA are files in any format that the option --metadata of build-index accepts. The vector of an added
    movie is predicted from the movie's metadata, in the way that the build learned from reviewed movies. Top
    lists mark the added movies as cold. For movies that the index holds already, the new metadata replaces
    the old metadata.
    """
    import pipelines

    start_logging(logging.INFO)
    manifest = pipelines.add_movies(metadata, index=index, columns=columns_of(columns or ""), keep=keep)
    account = manifest[MOVIES_ADDED_SECTION]
    print_facts({"directory": str(index), **account}, format, lambda: print_summary(account))
    if is_for_people(format):
        cold_movies = manifest[COUNTS_SECTION]["cold_movies"]
        say(f"{index} holds {cold_movies:,} movies without reviews.", err=True)
