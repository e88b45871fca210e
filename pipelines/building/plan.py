"""Estimates what a build will take in memory, disk and time, before it starts.

1. `pipelines/building/survey.py` estimates how many reviews, reviewers and movies the files hold. It counts
   reviews that a condition or the least number of reviews will drop, so a build is smaller than its plan.
2. Each of them takes what `Costs` says, which was measured on builds of synthetic data sets.
3. Time is scaled by how fast this machine is now at a piece of work that was timed in these measurements.
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
"""Files that hold the memory limit of the control group, in the second and in the first version."""
_CALIBRATION_ROWS = 200_000
_CALIBRATION_ROUNDS = 30
"""Times that the calibrating work is done, of which the fastest counts."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Holds what a build takes for each thing that it handles, in bytes, or in seconds of two cores."""

    process: int = 900_000_000
    """Bytes of memory that do not grow with the data, such as of libraries."""
    reading: int = 350_000_000
    """Bytes of memory for the blocks that are parsed at a time."""
    plain_byte: float = 0.3
    """Bytes of memory of the database for a plain byte of the files, within its limit."""
    reviewer_number: int = 16
    """Bytes of memory in training for each number of a reviewer's vector."""
    movie_number: int = 48
    """Bytes of memory in training for each number of a movie's vectors."""
    review: int = 520
    """Bytes of memory for a review, in training and measuring."""
    neighbours_review: float = 7.0
    """Neighbours of a movie for each of its reviews, within the number that is kept."""
    neighbour: int = 24
    """Bytes of memory for a neighbour of a movie while tables are built."""
    disk_reviewer: int = 40
    """Bytes of the index for a reviewer beside their vector: the id, biases, offsets."""
    disk_movie: int = 500
    """Bytes of the index for a movie beside its vectors and neighbours: the card and the catalogue."""
    disk_review: int = 5
    """Bytes of the index for a review."""
    scratch_review: int = 200
    """Bytes of the work database for a review."""
    scratch_plain_byte: float = 0.15
    """Bytes of the work database for a plain byte of the files, while they are read."""
    seconds: float = 20.0
    """Seconds that do not grow with the data."""
    seconds_review_read: float = 4e-6
    """Seconds to filter and join a review."""
    seconds_review_trained: float = 8e-5
    """Seconds to train on a review and to measure it, all rounds together."""
    seconds_movie_trained: float = 1e-2
    """Seconds to train and measure a movie, up to `movies_trained` movies."""
    movies_trained: int = 10_000
    """Movies beyond which training compares no more at a time."""
    seconds_movie: float = 4e-4
    """Seconds to index and describe a movie."""
    calibration: float = 0.009
    """Seconds of the calibrating work on the machine of the measurements."""


COSTS = Costs()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Says about what a build will take, and what the machine has."""

    files: Survey
    memory: Mapping[str, int]
    """Bytes at the peak, by phase."""
    index_bytes: int
    scratch_bytes: int
    """Bytes of temporary files and checkpoints, which lie beside the index."""
    seconds: Mapping[str, float]
    """Seconds by phase."""
    pace: float
    """How many times as long this machine takes as the machine of the measurements."""
    machine: Mapping[str, int]
    """Bytes of memory, bytes of disk free where the index goes, and cores."""

    @property
    def faults(self) -> list[str]:
        """Says what does not fit, each in a few words; empty where everything fits."""
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
        """Returns the plan as plain values."""
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
) -> Plan:
    """Estimates within seconds what a build of some files into the directory `output` will take.

    Raises:
        SourceError: a file is missing, unreadable, or of no format that we know.
        ConfigError: `config.ingest.columns` does not fit a table.
    """
    config = config or Config()
    files = survey([Path(path) for path in reviews], [Path(path) for path in metadata], config.ingest)
    pace = _calibrate() / COSTS.calibration
    return Plan(
        files=files,
        memory=_memory(files, config),
        index_bytes=_index_bytes(files, config),
        scratch_bytes=round(
            COSTS.scratch_review * files.num_reviews + COSTS.scratch_plain_byte * files.num_plain_bytes
        ),
        seconds=_seconds(files, pace),
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
    """Raises ConfigError for a build that cannot fit in memory or on disk.

    Files of up to `SMALL` bytes pass unread. So does a build with a condition, as nobody knows which part of
    the files it keeps.

    Raises:
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


def _memory(files: Survey, config: Config) -> dict[str, int]:
    database = max(LEAST_FOR_READING, COSTS.plain_byte * files.num_plain_bytes)
    database = min(size_in_bytes(config.ingest.memory_limit), database)
    reviewer = config.relevance.embedding_dim * COSTS.reviewer_number
    movie = (config.relevance.embedding_dim + config.rating.dim) * COSTS.movie_number
    movie += round(_neighbours(files, config) * COSTS.neighbour)
    training = files.num_reviewers * reviewer + files.num_movies * movie + files.num_reviews * COSTS.review
    return {
        "reading": round(COSTS.process / 2 + COSTS.reading + database),
        "training": COSTS.process + training,
    }


def _index_bytes(files: Survey, config: Config) -> int:
    dim, rating_dim = config.relevance.embedding_dim, 2 * config.rating.dim
    # Two vectors for relevance, one of them also in the vector index; two for ratings; 8 bytes a neighbour.
    neighbours = 2 * 8 * round(_neighbours(files, config))
    movie = 4 * (3 * dim + 2 * rating_dim) + neighbours + COSTS.disk_movie
    reviewer = 4 * dim + COSTS.disk_reviewer
    return files.num_reviewers * reviewer + files.num_movies * movie + files.num_reviews * COSTS.disk_review


def _neighbours(files: Survey, config: Config) -> float:
    """Estimates the neighbours of a movie in each table."""
    reviews = files.num_reviews / max(files.num_movies, 1)
    return min(config.neighbours.num_neighbours, COSTS.neighbours_review * reviews)


def _seconds(files: Survey, pace: float) -> dict[str, float]:
    read = files.seconds_a_megabyte * files.num_plain_bytes / 1e6
    training = COSTS.seconds + COSTS.seconds_review_trained * files.num_reviews
    training += COSTS.seconds_movie_trained * min(files.num_movies, COSTS.movies_trained)
    return {
        "reading": read + pace * COSTS.seconds_review_read * files.num_reviews,
        "training": pace * training,
        "indexing": pace * COSTS.seconds_movie * files.num_movies,
    }


def _machine(output: Path) -> dict[str, int]:
    place = next(parent for parent in (output, *output.absolute().parents) if parent.exists())
    return {"memory": memory_limit(), "disk": shutil.disk_usage(place).free, "cores": os.cpu_count() or 1}


def memory_limit() -> int:
    """Returns the bytes that this process may use: of the machine, or of its control group."""
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
    """Times a piece of work like a training: the fastest of several rounds, as other work may disturb it."""
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
