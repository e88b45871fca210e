"""The commands that change an index without training it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import index_option, json_option, verbose_option
from engine.cli.output import print_json, print_summary, say_if_retrain
from engine.cli.source_options import source_command

if TYPE_CHECKING:
    from engine.config.sections import Config

_PATH = click.Path(path_type=Path)


@click.command(name="add-reviews")
@click.argument("reviews", nargs=-1, type=_PATH, required=True)
@index_option
@source_command(update=True)
def add_reviews(reviews: tuple[Path, ...], index: Path, config: Config, as_json: bool) -> None:
    """Add new reviews to an index without training.

    REVIEWS are files such as build-index takes. Known reviewers get longer histories, new ones join, and of a
    movie that someone reviewed before the later review counts. Reviews of movies that the index does not hold
    are counted and left out. The new version replaces the old one at once, or not at all; how far the reviews
    have moved on since the training, and whether to train again, is said at the end and kept in the index.
    """
    import pipelines

    result = pipelines.add_reviews(reviews, index=index, config=config)
    update = result.update
    if as_json:
        print_json({"directory": str(index), "update": update, "updates": result.manifest.get("updates")})
    else:
        print_summary({name: value for name, value in update.items() if name != "accounting"})
    if not update["changed"]:
        click.echo("Every review is there already; the index stays as it is.", err=True)
    if update["reviews_of_unknown_movies"]:
        click.echo(
            "Reviews left out, of movies that the index does not hold: "
            f"{update['reviews_of_unknown_movies']:,} "
            f"({update['unknown_movies']:,} movies).",
            err=True,
        )
    say_if_retrain(result.manifest)


@click.command(name="add-movies")
@click.argument("metadata", nargs=-1, type=_PATH, required=True)
@index_option
@json_option
@verbose_option
def add_movies(metadata: tuple[Path, ...], index: Path, as_json: bool) -> None:
    """Add movies that nobody has reviewed yet to an index, from their metadata, without training.

    METADATA are files such as build-index takes with --metadata. New movies get vectors from what it says of
    them, as the index learned to from the movies reviewed; answers mark them as cold. Of movies that are
    there, what is shown becomes what the metadata says.
    """
    import pipelines

    manifest = pipelines.add_movies(metadata, index=index)
    account = manifest["movies_added"]
    if as_json:
        print_json({"directory": str(index), **account})
    else:
        print_summary(account)
        click.echo(f"{index} holds {manifest['counts']['cold_movies']:,} movies without reviews.", err=True)
