"""What a build will take, in memory, disk and time, before it starts.

The model is a sum of parts that grow with what the files hold (`pipelines/building/survey.py`); what a row
of each part takes was measured on builds of synthetic sets, and is written down in `Costs`. Reviews that a
condition or the least number of reviews will drop are counted as if they stayed, so that a build is smaller
than its plan.
Time is scaled by how fast this machine is now at a piece of work whose time on the machine of those
measurements is known.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.config.sections import Config
from engine.config.values import size_in_bytes
from engine.errors import ConfigError
from pipelines.building.survey import Survey, survey
from pipelines.reading.staging import LEAST_FOR_READING

SMALL = 64_000_000
"""Bytes of files up to which a build starts without a plan: it takes no more than other programs do."""
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_CALIBRATION_ROWS = 200_000
_CALIBRATION_ROUNDS = 30


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a build takes for each thing that it holds; bytes, and seconds of two cores."""

    process: int = 900_000_000
    """Bytes of the libraries and what does not grow."""
    reading: int = 350_000_000
    """Bytes of the blocks that are parsed at a time."""
    plain_byte: float = 0.3
    """Bytes of the database for a plain byte of the files, between what it needs and its limit."""
    reviewer_number: int = 16
    """Bytes for each number of a reviewer's vector while it is trained."""
    movie_number: int = 48
    """Bytes for each number of a movie's vectors while they are trained."""
    review: int = 520
    """Bytes for a review while it is trained on, and while the build is measured."""
    neighbours_review: float = 7.0
    """Neighbours of a movie for each of its reviews, as far as they are kept."""
    neighbour: int = 24
    """Bytes for a neighbour of a movie while the tables are made."""
    disk_reviewer: int = 40
    """Bytes of the index for a reviewer beside the numbers of the vector: the id, biases, offsets."""
    disk_movie: int = 500
    """Bytes of the index for a movie beside its vectors and neighbours: what is shown and filtered by."""
    disk_review: int = 5
    """Bytes of the index for a review."""
    scratch_review: int = 200
    """Bytes of the work database for a review."""
    scratch_plain_byte: float = 0.15
    """Bytes of it for a plain byte of the files, while they are read."""
    seconds: float = 20.0
    """Of what does not grow."""
    seconds_review_read: float = 4e-6
    """Of filtering and joining a review."""
    seconds_review_trained: float = 8e-5
    """Of training and measuring, a review, all rounds together."""
    seconds_movie_trained: float = 1e-2
    """Of the same, a movie, up to `movies_trained` of them; with more no more are compared at a time."""
    movies_trained: int = 10_000
    seconds_movie: float = 4e-4
    """Of indexing and describing a movie."""
    calibration: float = 0.009
    """What the piece of work takes that a machine is compared by."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a build will take, about, and what there is.

    Attributes:
        files: what the files hold.
        memory: bytes at the peak, by phase.
        index_bytes: bytes of the index.
        scratch_bytes: bytes of temporary files and checkpoints, which lie beside the index.
        seconds: by phase.
        pace: how much longer this machine takes than that of the measurements.
        machine: bytes of memory, of disk where the index goes, and cores.
    """

    files: Survey
    memory: Mapping[str, int]
    index_bytes: int
    scratch_bytes: int
    seconds: Mapping[str, float]
    pace: float
    machine: Mapping[str, int]

    @property
    def faults(self) -> list[str]:
        """What does not fit, each in a few words; empty where everything does."""
        faults = []
        phase, peak = max(self.memory.items(), key=lambda item: item[1])
        if peak > self.machine["memory"]:
            faults.append(
                f"{phase} takes about {_gigabytes(peak)} of memory, there are "
                f"{_gigabytes(self.machine['memory'])}"
            )
        disk = self.index_bytes + self.scratch_bytes
        if disk > self.machine["disk"]:
            faults.append(
                f"the index and temporary files take about {_gigabytes(disk)} of disk, there are "
                f"{_gigabytes(self.machine['disk'])} free"
            )
        return faults

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values."""
        return {
            "files": asdict(self.files),
            "memory": {**self.memory, "peak": max(self.memory.values())},
            "disk": {"index": self.index_bytes, "scratch": self.scratch_bytes},
            "seconds": {**self.seconds, "total": sum(self.seconds.values())},
            "pace": self.pace,
            "machine": dict(self.machine),
            "fits": not self.faults,
            "faults": self.faults,
        }


def plan_build(
    reviews: Sequence[Path | str],
    *,
    output: Path | str,
    metadata: Sequence[Path | str] = (),
    config: Config | None = None,
    costs: Costs | None = None,
) -> Plan:
    """Estimates what a build of some files will take, within seconds.

    Args:
        reviews: review files in any of the known formats.
        output: where the index would go.
        metadata: movie files.
        config: settings; the defaults where none are given.
        costs: what the parts of a build take.

    Raises:
        SourceError: a file is missing, unreadable, or of no format that we know.
        ConfigError: `config.ingest.columns` does not fit a table.
    """
    config, costs = config or Config(), costs or Costs()
    files = survey([Path(path) for path in reviews], [Path(path) for path in metadata], config.ingest)
    pace = _calibrate() / costs.calibration
    return Plan(
        files=files,
        memory=_memory(files, config, costs),
        index_bytes=_index_bytes(files, config, costs),
        scratch_bytes=round(
            costs.scratch_review * files.num_reviews + costs.scratch_plain_byte * files.num_plain_bytes
        ),
        seconds=_seconds(files, costs, pace),
        pace=pace,
        machine=_machine(Path(output)),
    )


def check_plan(
    reviews: Sequence[Path | str],
    *,
    output: Path | str,
    metadata: Sequence[Path | str] = (),
    config: Config | None = None,
) -> None:
    """Refuses a build that cannot fit.

    Files of up to `SMALL` bytes are not looked at, nor is what a condition chooses from, of which nobody
    knows how much it will keep.

    Raises:
        ConfigError: memory or disk are too small.
        SourceError: a file is missing, unreadable, or of no format that we know.
    """
    if config is not None and config.ingest.where is not None:
        return
    if sum(Path(path).stat().st_size for path in [*reviews, *metadata] if Path(path).is_file()) <= SMALL:
        return
    plan = plan_build(reviews, output=output, metadata=metadata, config=config)
    if plan.faults:
        raise ConfigError(
            f"This build does not fit: {'; '.join(plan.faults)}; keep fewer reviews with --since or --where, "
            "lower --memory-limit or relevance.embedding_dim, or take a larger machine or disk "
            "(engine plan says more)"
        )


def _memory(files: Survey, config: Config, costs: Costs) -> dict[str, int]:
    database = max(LEAST_FOR_READING, costs.plain_byte * files.num_plain_bytes)
    database = min(size_in_bytes(config.ingest.memory_limit), database)
    reviewer = config.relevance.embedding_dim * costs.reviewer_number
    movie = (config.relevance.embedding_dim + config.rating.dim) * costs.movie_number
    movie += round(_neighbours(files, config, costs) * costs.neighbour)
    return {
        "reading": round(costs.process / 2 + costs.reading + database),
        "training": round(
            costs.process
            + files.num_reviewers * reviewer
            + files.num_movies * movie
            + files.num_reviews * costs.review
        ),
    }


def _index_bytes(files: Survey, config: Config, costs: Costs) -> int:
    dim, rating_dim = config.relevance.embedding_dim, 2 * config.rating.dim
    # Two vectors for relevance, of which one lies in the index too, and two for ratings; 8 bytes a neighbour.
    neighbours = 2 * 8 * round(_neighbours(files, config, costs))
    movie = 4 * (3 * dim + 2 * rating_dim) + neighbours + costs.disk_movie
    reviewer = 4 * dim + costs.disk_reviewer
    return files.num_reviewers * reviewer + files.num_movies * movie + files.num_reviews * costs.disk_review


def _neighbours(files: Survey, config: Config, costs: Costs) -> float:
    """How many neighbours a movie has in each table."""
    reviews = files.num_reviews / max(files.num_movies, 1)
    return min(config.neighbours.num_neighbours, costs.neighbours_review * reviews)


def _seconds(files: Survey, costs: Costs, pace: float) -> dict[str, float]:
    read = files.seconds_a_megabyte * files.num_plain_bytes / 1e6
    return {
        "reading": read + pace * costs.seconds_review_read * files.num_reviews,
        "training": pace
        * (
            costs.seconds
            + costs.seconds_review_trained * files.num_reviews
            + costs.seconds_movie_trained * min(files.num_movies, costs.movies_trained)
        ),
        "indexing": pace * costs.seconds_movie * files.num_movies,
    }


def _machine(output: Path) -> dict[str, int]:
    place = next(parent for parent in (output, *output.absolute().parents) if parent.exists())
    return {
        "memory": memory_limit(),
        "disk": shutil.disk_usage(place).free,
        "cores": os.cpu_count() or 1,
    }


def memory_limit() -> int:
    """The bytes that this process may use: of the machine, or of the control group that it runs in."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            limits.append(int(text))
    return min(limits)


def _calibrate() -> float:
    """The seconds of a piece of work like that of a training, the best of some, as others may be at work."""
    generator = np.random.default_rng(0)
    table = generator.standard_normal((_CALIBRATION_ROWS, 64), dtype=np.float32)
    rows = generator.integers(0, _CALIBRATION_ROWS, 20_000)
    weights = generator.standard_normal((64, 256), dtype=np.float32)
    took = []
    for _ in range(_CALIBRATION_ROUNDS):
        started = time.perf_counter()
        products = table[rows] @ weights
        np.add.at(table[:, 0], rows, products[:, 0])
        np.sort(products, axis=1)
        took.append(time.perf_counter() - started)
    return min(took)


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"
