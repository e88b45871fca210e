"""Implements `engine info`, which prints the manifest of an index."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.options import INDEX, JSON, VERBOSE, flag
from engine.cli.output import print_json, print_summary, say_if_retrain


@click.command(
    params=[
        INDEX,
        flag(["--verify"], help="Read every file of the index and compare its checksum."),
        *(JSON, VERBOSE),
    ]
)
def info(index: Path, verify: bool, as_json: bool) -> None:
    """Show what an index was built from, and how good the recommendations from the index are."""
    from engine.artifact.reader import Artifact

    artifact = Artifact.open(index)
    if verify:
        artifact.verify()
    facts = {"location": str(artifact.build_directory), **artifact.manifest}
    say_if_retrain(facts)
    if as_json:
        print_json(facts | ({"verified": True} if verify else {}))
    else:
        print_summary(facts)
        if verify:
            click.echo("Every file is as it was written.", err=True)
