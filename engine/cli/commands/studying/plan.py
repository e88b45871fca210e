"""Implements `engine plan`, which estimates the memory, disk space and time of a build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from engine.cli.options import DEFAULT_INDEX, FORMAT, PATH, VERBOSE, option
from engine.cli.output import TableFormatter, print_report
from engine.cli.source_options import REVIEWS, SOURCE_OPTIONS, SourceCommand
from engine.config.sections import Config


@click.command(
    cls=SourceCommand,
    params=[
        REVIEWS,
        option(
            ["--output"],
            type=PATH,
            default=DEFAULT_INDEX,
            metavar="DIR",
            help="Plan for an index in this directory.",
        ),
        option(
            ["--times"],
            type=float,
            default=1.0,
            metavar="N",
            help="Plan for files that are N times as long and go on as they begin.",
        ),
        *(*SOURCE_OPTIONS, *FORMAT, VERBOSE),
    ],
)
def plan(
    reviews: tuple[Path, ...],
    output: Path,
    times: float,
    metadata: tuple[Path, ...],
    config: Config,
    format: str,
) -> None:
    """Estimate the memory, disk space and time that a build of an index will take.

    REVIEWS are files in any format that build-index accepts. The command takes the same options as
    build-index. The command reads the beginnings of the files, and measures the speed of this machine by a
    short computation. From the beginnings of the files and the speed of the machine, the command estimates
    what a build needs, and says whether the machine has enough memory and disk space. The last table divides
    the build into parts, such as reading and training. For each part, the table names the machine or
    software, such as Ray or Milvus, that should do the part, and the number of workers. The formats jsonl,
    csv and tsv hold the memory, in bytes, and the seconds of each phase.
    """
    from pipelines.building.plan import plan_build

    planned = plan_build(reviews, output=output, metadata=metadata, config=config, times=times).to_dict()
    memory, seconds = planned["memory"], planned["seconds"]
    records = [{"phase": name, "memory": memory.get(name), "seconds": seconds[name]} for name in seconds]
    print_report(planned, format, lambda table: _lines(planned, table), records)


def _lines(planned: Mapping[str, Any], table: TableFormatter) -> Iterator[str]:
    from pipelines.work.progress import duration

    files, memory, disk = planned["files"], planned["memory"], planned["disk"]
    seconds, machine = planned["seconds"], planned["machine"]
    yield (
        f"about {files['num_reviews']:,} reviews by up to {files['num_reviewers']:,} reviewers of up to "
        f"{files['num_movies']:,} movies, in {files['num_bytes'] / 1e6:,.0f} MB of files"
    )
    yield ""
    rows = [[phase, _gigabytes(memory.get(phase)), duration(took)] for phase, took in seconds.items()]
    yield table(["phase", "memory", "time"], rows)
    yield ""
    yield (
        f"memory: {_gigabytes(memory['peak'])} of {_gigabytes(machine['memory'])}; disk: index "
        f"{_gigabytes(disk['index'])} and temporary files {_gigabytes(disk['scratch'])} of "
        f"{_gigabytes(machine['disk'])} free"
    )
    yield ""
    headings = ["part", "engine", "workers", "memory each", "time"]
    parts = [
        [part["name"], part["engine"], part["workers"], _gigabytes(part["memory"]), _took(part["seconds"])]
        for part in planned["parts"]
    ]
    yield table(headings, parts)
    for part in planned["parts"]:
        yield f"{part['name']}: {part['why']}"
    yield ""
    yield "It fits." if planned["fits"] else f"It does not fit: {'; '.join(planned['faults'])}."


def _took(seconds: float) -> str:
    from pipelines.work.progress import duration

    return duration(seconds) if seconds >= 1 else f"{1000 * seconds:,.2f} ms a search"


def _gigabytes(size: float | None) -> str:
    return "-" if size is None else f"{size / 1e9:,.1f} GB"
