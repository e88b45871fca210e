"""Implements `engine info`, which describes an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.artifact.layout import COUNTS_SECTION, METRICS_SECTION
from engine.cli.options import FORMAT, INDEX, VERBOSE, flag, option
from engine.cli.output import print_facts
from engine.cli.summary import print_index, say_if_retrain
from engine.cli.tables import format_table
from engine.cli.terminal import say

if TYPE_CHECKING:
    from engine.artifact.builds import KeptBuild


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
    """Show what an index was built from, how good its recommendations are, and which builds it keeps.

    The formats csv, tsv and markdown have a line for each fact.
    """
    from engine.artifact.builds import kept_builds
    from engine.artifact.reader import Artifact
    from engine.opened import OpenedIndex

    artifact = Artifact.open(index, expect=expect)
    verify = verify or expect is not None
    if verify:
        OpenedIndex(artifact).verify()
    facts = {"location": str(artifact.build_directory), "digest": artifact.digest, **artifact.manifest}
    kept = kept_builds(artifact.directory)
    builds = [_facts(build, kept[0]) for build in kept]
    say_if_retrain(facts)
    if verify and format in ("json", "jsonl"):
        facts["verified"] = True
    print_facts({**facts, "builds": builds}, format, lambda: _print(facts, builds))
    if verify and format != "json":
        say("Every file is as it was written.", err=True)


def _print(facts: Mapping[str, Any], builds: Sequence[Mapping[str, Any]]) -> None:
    print_index(facts)
    say("builds:")
    names = ("build", "state", "reviews", "ndcg@10")
    rows = [[*(one[name] for name in names), f"{one['bytes_alone'] / 1e6:,.1f}"] for one in builds]
    say(format_table([*names, "MB alone"], rows, indent="  "))


def _facts(build: KeptBuild, first: KeptBuild) -> dict[str, Any]:
    """Returns the facts that `engine info` prints about a kept build, such as the build's state.

    The argument `first` is the first build of the list that `kept_builds` returns, usually the live build.
    """
    counts, metrics = (build.manifest.get(name, {}) for name in (COUNTS_SECTION, METRICS_SECTION))
    state = "kept" if build.refused is None else "refused"
    if first.is_live and build.name in (first.name, first.before):
        state = "live" if build.is_live else "before"
    return {
        "build": build.name,
        "state": state,
        "created": build.created,
        "before": build.before,
        "refused_because": build.refused,
        "reviews": counts.get("reviews"),
        "ndcg@10": metrics.get("ncf", {}).get("ndcg@10"),
        "bytes": build.num_bytes,
        "bytes_alone": build.num_bytes_alone,
    }
