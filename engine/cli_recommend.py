"""The commands that recommend movies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from engine.cli_options import check_k, index_option, json_option, k_option, list_options, verbose_option
from engine.cli_output import (
    print_json,
    print_recommendations,
    say_if_short,
    say_variety,
    variety_section,
)

if TYPE_CHECKING:
    from engine.list_options import ListArguments


@click.group()
def recommend() -> None:
    """Recommend movies to someone."""


@recommend.command()
@click.argument("reviewer_id")
@index_option
@k_option
@list_options
@json_option
@verbose_option
def reviewer(reviewer_id: str, index: Path, k: int, as_json: bool, **options: Unpack[ListArguments]) -> None:
    """List the movies that suit a reviewer best, most suitable first.

    Each comes with the stars that the reviewer would give it and the chance that they would like it.
    """
    check_k(k)
    from engine import Engine

    items = Engine.load(index).recommend(reviewer_id, k, **options)
    shown = [item.to_dict() for item in items]
    if as_json:
        print_json({"reviewer_id": reviewer_id, "k": k, "recommendations": shown} | variety_section(items))
    else:
        print_recommendations(shown)
        say_variety(items)
        say_if_short(len(shown), k)
