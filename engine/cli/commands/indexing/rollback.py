"""Implements `engine rollback`, which makes the previous build of an index live again."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.listing import is_for_people
from engine.cli.options import FORMAT, INDEX, VERBOSE, option
from engine.cli.output import print_facts
from engine.cli.terminal import say


@click.command(
    params=[
        INDEX,
        option(
            ["--to"],
            metavar="BUILD",
            help="Make this build live, whether older or newer; engine info lists the builds. By default the "
            "build before the live one.",
        ),
        *(*FORMAT, VERBOSE),
    ]
)
def rollback(index: Path, to: str | None, format: str) -> None:
    """Make the previous build of an index live again.

    At every moment of a rollback, exactly one complete build is live. A running service notices within a
    second that another build is live. A second rollback goes one build further back. No build is deleted, so
    `engine rollback --to BUILD` can make a later build live again. The option --keep of the commands that
    make builds sets how many builds an index keeps.
    """
    from engine.artifact.builds import roll_back

    chosen, before = roll_back(index, to)
    facts = {"live": chosen.name, "created": chosen.created, "live_until_now": before}
    sentence = f"{chosen.name}, made at {chosen.created}, is the live build of {index} now."
    print_facts({"directory": str(index), **facts}, format, lambda: say(sentence))
    if is_for_people(format):
        say(f"Until now {before} was live; --to {before} makes it live again.", err=True)
