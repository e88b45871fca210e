"""Implements `engine info`, which describes an index."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.listing import print_records
from engine.cli.options import FORMAT, INDEX, VERBOSE, flag, option
from engine.cli.output import say_if_retrain
from engine.cli.summary import flat, print_index
from engine.cli.tables import format_markdown
from engine.cli.terminal import say


@click.command(
    params=[
        INDEX,
        flag(["--verify"], help="Read every file of the index and compare its checksum."),
        option(
            ["--expect"],
            metavar="SHA256",
            help="Refuse the index unless its digest is this one; reads every file, as --verify does.",
        ),
        *(*FORMAT, VERBOSE),
    ]
)
def info(index: Path, verify: bool, expect: str | None, format: str) -> None:
    """Show what an index was built from, and how good the recommendations from the index are.

    The formats csv, tsv and markdown have a line for each fact.
    """
    from engine.artifact.reader import Artifact
    from engine.opened import OpenedIndex

    artifact = Artifact.open(index, expect=expect)
    verify = verify or expect is not None
    if verify:
        OpenedIndex(artifact).verify()
    facts = {"location": str(artifact.build_directory), "digest": artifact.digest, **artifact.manifest}
    say_if_retrain(facts)
    if verify and format in ("json", "jsonl"):
        facts["verified"] = True
    if format == "table":
        print_index(facts)
    elif format == "markdown":
        say(format_markdown(["name", "value"], list(flat(facts))))
    elif format in ("csv", "tsv"):
        print_records([{"name": name, "value": value} for name, value in flat(facts)], format)
    else:
        print_records([facts], format, facts)
    if verify and format != "json":
        say("Every file is as it was written.", err=True)
