"""Implements `engine info`, which describes an index."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.options import INDEX, JSON, VERBOSE, flag, option
from engine.cli.output import print_summary, say_if_retrain
from engine.cli.terminal import print_json, say


@click.command(
    params=[
        INDEX,
        flag(["--verify"], help="Read every file of the index and compare its checksum."),
        option(
            ["--expect"],
            metavar="SHA256",
            help="Refuse the index unless its digest is this one; reads every file, as --verify does.",
        ),
        *(JSON, VERBOSE),
    ]
)
def info(index: Path, verify: bool, expect: str | None, as_json: bool) -> None:
    """Show what an index was built from, and how good the recommendations from the index are."""
    from engine.artifact.reader import Artifact
    from engine.opened import OpenedIndex

    artifact = Artifact.open(index, expect=expect)
    verify = verify or expect is not None
    if verify:
        OpenedIndex(artifact).verify()
    facts = {"location": str(artifact.build_directory), "digest": artifact.digest, **artifact.manifest}
    say_if_retrain(facts)
    if as_json:
        print_json(facts | ({"verified": True} if verify else {}))
    else:
        print_summary(facts)
        if verify:
            say("Every file is as it was written.", err=True)
