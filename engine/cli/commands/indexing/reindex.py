"""Implements `engine reindex`, which rebuilds the vector index over the movies without training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from engine.cli.options import FORMAT, INDEX, KEEP, VERBOSE, option
from engine.cli.output import print_facts
from engine.cli.summary import print_summary
from engine.cli.terminal import say, start_logging


@click.command(
    params=[
        INDEX,
        option(
            ["--kind"],
            metavar="KIND",
            help="Build flat (all movies compared), ivf (lists of near movies), ivf-fp16 and ivf-sq8 (the "
            "same, rounded to two bytes or one byte a number), milvus (a vector database), or auto, which "
            "chooses; by default what the build was asked for.",
        ),
        option(
            ["--uri"],
            metavar="URI",
            help="Use the vector database at this address for --kind milvus, such as http://HOST:19530; by "
            "default what the build was asked for, or else an embedded database in the index directory.",
        ),
        option(
            ["--recall"],
            type=float,
            metavar="SHARE",
            help="Find at least this part of the exhaustive top lists, such as 0.99; by default what the "
            "build was asked for.",
        ),
        *(KEEP, *FORMAT, VERBOSE),
    ]
)
def reindex(
    index: Path, kind: str | None, uri: str | None, recall: float | None, keep: int | None, format: str
) -> None:
    """Build the vector index over the movies again, without training.

    The command tunes the search again and measures the recall of the search. The index changes in one step
    when the new vector index is complete; the index stays as it was if the search cannot reach the wanted
    recall.
    """
    start_logging(logging.INFO)
    from pipelines.updating.reindex import rebuild_index

    manifest = rebuild_index(index, kind=kind, uri=uri, recall=recall, keep=keep)
    facts = {"directory": str(index), **manifest}
    shown = {name: facts[name] for name in ("directory", "build", "search", "audit", "files")}
    print_facts(facts, format, lambda: print_summary(shown))


@click.command(name="index", params=list(reindex.params), hidden=True)
@click.pass_context
def index(context: click.Context, /, **given: Any) -> None:
    """Run `engine reindex`, the new name of this command."""
    say("`engine index` is called `engine reindex` now; use that name.", err=True)
    context.invoke(reindex, **given)
