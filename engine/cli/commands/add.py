"""Adds reviews or movies to an index, without training it again."""

from __future__ import annotations

from pathlib import Path

import click

from engine.artifact.layout import COUNTS_SECTION, MOVIES_ADDED_SECTION, UPDATES_SECTION
from engine.cli.options import INDEX, JSON, PATH, VERBOSE
from engine.cli.output import print_json, print_summary, say_if_retrain
from engine.cli.source_options import READING_OPTIONS, REVIEWS, SourceCommand
from engine.config.sections import Config


@click.command(
    name="add-reviews", cls=SourceCommand, params=[REVIEWS, INDEX, *READING_OPTIONS, JSON, VERBOSE]
)
def add_reviews(reviews: tuple[Path, ...], index: Path, config: Config, as_json: bool) -> None:
    """Add new reviews to an index without training.

    REVIEWS are files such as build-index takes. Known reviewers get longer histories, new reviewers join, and
    of a movie that someone reviewed before the later review counts. Reviews of movies that the index does not
    hold are counted and left out. The new version replaces the old one at once, or not at all. At the end the
    command says how far the reviews have moved on since the training, and whether to train again.
    """
    import pipelines

    result = pipelines.add_reviews(reviews, index=index, config=config)
    update, updates = result.update, result.manifest.get(UPDATES_SECTION)
    if as_json:
        print_json({"directory": str(index), "update": update, "updates": updates})
    else:
        print_summary({name: value for name, value in update.items() if name != "accounting"})
    if not update["changed"]:
        click.echo("Every review is there already; the index stays as it is.", err=True)
    if update["reviews_of_unknown_movies"]:
        click.echo(
            "Reviews left out, of movies that the index does not hold: "
            f"{update['reviews_of_unknown_movies']:,} ({update['unknown_movies']:,} movies).",
            err=True,
        )
    say_if_retrain(result.manifest)


@click.command(
    name="add-movies",
    params=[click.Argument(["metadata"], nargs=-1, type=PATH, required=True), INDEX, JSON, VERBOSE],
)
def add_movies(metadata: tuple[Path, ...], index: Path, as_json: bool) -> None:
    """Add movies that nobody has reviewed yet to an index, from their metadata, without training.

    METADATA are files such as build-index takes with --metadata. New movies get vectors from their metadata,
    as the index learned from reviewed movies; answers mark them as cold. Movies that the index holds already
    are shown as the new metadata describes them.
    """
    import pipelines

    manifest = pipelines.add_movies(metadata, index=index)
    account = manifest[MOVIES_ADDED_SECTION]
    if as_json:
        print_json({"directory": str(index), **account})
    else:
        print_summary(account)
        cold_movies = manifest[COUNTS_SECTION]["cold_movies"]
        click.echo(f"{index} holds {cold_movies:,} movies without reviews.", err=True)
