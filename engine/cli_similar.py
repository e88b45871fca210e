"""The commands that find what is alike."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli_options import check_k, index_option, json_option, k_option, verbose_option, where_option
from engine.cli_output import print_json, print_similar, say_if_short


@click.group()
def similar() -> None:
    """Find what is alike."""


@similar.command()
@click.argument("movie_id")
@index_option
@k_option
@where_option
@json_option
@verbose_option
def movie(movie_id: str, index: Path, k: int, where: str | None, as_json: bool) -> None:
    """List the movies that are most like a movie, judged by who reviewed them and how."""
    check_k(k)
    from engine import Engine

    engine = Engine.load(index)
    shown = [item.to_dict() for item in engine.similar(movie_id, k, where=where)]
    title = engine.title(movie_id)
    if as_json:
        print_json({"movie_id": movie_id, "title": title, "similar": shown})
    else:
        click.echo(f"Like {title or movie_id}:", err=True)
        print_similar(shown)
        say_if_short(len(shown), k)
