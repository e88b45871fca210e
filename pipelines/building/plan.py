"""Estimates the memory, disk space and time that a build will take, before the build starts.

The file `pipelines/building/survey.py` estimates how many reviews, reviewers and movies the files of a build
hold. The estimated numbers include reviews that some filters, such as `ingest.where`, will drop, so a build
with such a filter needs less memory, disk space and time than estimated. The class `Costs` holds the memory,
disk space and time that each review, each reviewer and each movie takes, as measured on builds of synthetic
data sets. The function `_calibrate` measures the speed of this machine with a short benchmark. The benchmark
took `Costs.calibration` seconds on the machine that produced the other times in `Costs`. All times in `Costs`
are multiplied by the time of the benchmark on this machine, divided by `Costs.calibration`.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.config.sections import Config
from engine.config.values import size_in_bytes
from engine.errors import ConfigError
from pipelines.building.parts import PlannedPart, parts_of
from pipelines.building.survey import Survey, survey
from pipelines.inputs.named import Sources, inputs_of
from pipelines.inputs.spool import Input, is_read_once, num_bytes_of
from pipelines.networks.paged_rows import file_bytes, table_bytes
from pipelines.reading.staging import LEAST_FOR_READING

SMALL = 64_000_000
"""The largest total size of the files of a build, in bytes, for which memory and disk space are not checked
before the build starts."""
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""The files in which Linux gives the memory limit of the process's control group, for cgroup versions 2 and
1."""
_CALIBRATION_ROWS = 200_000
_CALIBRATION_ROUNDS = 5
"""The number of runs of the benchmark that measures the machine's speed; the fastest run counts."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Holds the measured costs of a build for each review, reviewer and movie, in bytes and seconds.

    The costs in seconds were measured on a machine with two cores.
    """

    process: int = 900_000_000
    """The part of a build's memory that does not depend on the amount of data, such as for libraries, in
    bytes."""
    reading: int = 350_000_000
    """The memory for the blocks of files that are parsed at the same time, in bytes."""
    plain_byte: float = 0.3
    """The memory that the work database takes for each decompressed byte of the files, in bytes, up to the
    memory limit."""
    reviewer_number: int = 16
    """The memory that training takes for each reviewer and each dimension of the reviewer's vector, in
    bytes."""
    movie_number: int = 48
    """The memory that training takes for each movie and each dimension of the movie's relevance vector and
    rating vector, in bytes."""
    review: int = 520
    """The memory that training and measuring quality take for each review, in bytes."""
    neighbours_review: float = 7.0
    """The mean number of neighbours of a movie, divided by the mean number of reviews of a movie. The mean
    number of neighbours of a movie is estimated as `neighbours_review` times the mean number of reviews of a
    movie, but at most as the setting `neighbours.num_neighbours`."""
    neighbour: int = 24
    """The memory for each neighbour of each movie while the neighbour tables are built, in bytes."""
    disk_reviewer: int = 40
    """The size of the id, the biases and the offsets of a reviewer in the index, in bytes."""
    disk_movie: int = 500
    """The size in the index, in bytes, of a movie's catalogue entry and card (the fields that answers show,
    such as title and price)."""
    disk_review: int = 5
    """The size of a review in the index, in bytes."""
    scratch_review: int = 200
    """The size of a review in the work database on disk, in bytes."""
    scratch_plain_byte: float = 0.15
    """The size of the work database on disk for each decompressed byte of the files, in bytes."""
    seconds: float = 6.0
    """The part of a build's time that does not depend on the amount of data, in seconds."""
    seconds_review_read: float = 4e-6
    """The seconds to filter and join one review in the work database."""
    seconds_review_trained: float = 8e-5
    """The seconds that each review adds to a build, for all rounds of training and for measuring quality."""
    seconds_movie_trained: float = 1e-2
    """The seconds that each movie adds to training and to measuring quality. In a catalogue of more than
    `movies_trained` movies, each movie beyond `movies_trained` adds no time."""
    movies_trained: int = 10_000
    """In a catalogue of at least this number of movies, further movies do not make a training step slower."""
    seconds_movie: float = 4e-4
    """The seconds to write one movie to the vector index and to the catalogue."""
    calibration: float = 0.009
    """The seconds of the benchmark in `_calibrate` on the machine on which the costs were measured."""


COSTS = Costs()
"""The costs with which builds are estimated."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Holds the estimated memory, disk space and time of a build, and the resources of the machine."""

    files: Survey
    memory: Mapping[str, int]
    """The peak memory in each phase of the build, in bytes."""
    index_bytes: int
    """The estimated size of the index, in bytes."""
    scratch_bytes: int
    """The estimated size of the temporary files and checkpoints that the build writes beside the index, in
    bytes."""
    seconds: Mapping[str, float]
    """The estimated time of each phase of the build, in seconds."""
    pace: float
    """The time of the benchmark in `_calibrate` on this machine, divided by the time on the machine on which
    `Costs` was measured."""
    machine: Mapping[str, int]
    """The memory of this machine in bytes, the free space on the disk of the index in bytes, and the number
    of cores."""
    parts: Sequence[PlannedPart]
    """The plan for each part of the work, such as reading or training. The plan for a part names the machine
    or the software that does this part of the work, and the number of workers."""

    @property
    def faults(self) -> list[str]:
        """Describes each resource (memory or disk space) of which the machine has too little for a build."""
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
        """Returns the estimates as values that JSON can hold."""
        return {
            "files": asdict(self.files),
            "memory": {**self.memory, "peak": max(self.memory.values())},
            "disk": {"index": self.index_bytes, "scratch": self.scratch_bytes},
            "seconds": {**self.seconds, "total": sum(self.seconds.values())},
            "pace": self.pace,
            "machine": dict(self.machine),
            "parts": [asdict(part) for part in self.parts],
            "fits": not self.faults,
            "faults": self.faults,
        }


def plan_build(
    reviews: Sources,
    *,
    output: Path | str,
    metadata: Sources = (),
    config: Config | None = None,
    times: float = 1.0,
) -> Plan:
    """Estimates, within seconds, the memory, disk space and time of a build into the directory `output`.

    The argument `times` is a factor: if `times` is 2, the estimate is for files that are twice as long as the
    given files, with more reviews of the same kind.

    Raises:
        SourceError: a file is missing, cannot be read, or has an unknown format.
        ConfigError: `config.ingest.columns` does not fit a table, or `times` is less than 1.
    """
    if not 1 <= times < math.inf:
        raise ConfigError(f"times must be at least 1 but is {times:g}")
    config = config or Config()
    with inputs_of(reviews, metadata) as (review_inputs, metadata_inputs):
        return _plan(survey(review_inputs, metadata_inputs, config.ingest, times), Path(output), config)


def _plan(files: Survey, output: Path, config: Config) -> Plan:
    pace = _calibrate() / COSTS.calibration
    memory, seconds, machine = _memory(files, config), _seconds(files, pace), _machine(output)
    return Plan(
        files=files,
        memory=memory,
        index_bytes=_index_bytes(files, config),
        scratch_bytes=round(
            COSTS.scratch_review * files.num_reviews
            + COSTS.scratch_plain_byte * files.num_plain_bytes
            + file_bytes(files.num_reviewers, config.relevance)
        ),
        seconds=seconds,
        pace=pace,
        machine=machine,
        parts=parts_of(files, config, memory, seconds, _seconds_joined(files, pace), machine, pace),
    )


def check_plan(
    reviews: Sequence[Input], *, output: Path, metadata: Sequence[Input] = (), config: Config | None = None
) -> None:
    """Raises ConfigError if a build is estimated to need more memory or disk space than the machine has.

    A build is not checked if all files together have at most `SMALL` bytes. A build with the setting
    `ingest.where` is not checked, because the share of reviews that the condition `ingest.where` keeps is
    unknown. A build from a pipe is not checked, because a pipe can be read only once.

    Raises:
        SourceError: a file is missing, cannot be read, or has an unknown format.
    """
    config = config or Config()
    if config.ingest.where is not None:
        return
    files = [*reviews, *metadata]
    if any(map(is_read_once, files)) or sum(map(num_bytes_of, files)) <= SMALL:
        return
    plan = _plan(survey(reviews, metadata, config.ingest), output, config)
    if plan.faults:
        raise ConfigError(
            f"This build does not fit: {'; '.join(plan.faults)}; keep fewer reviews with --since or --where, "
            "lower --memory-limit, relevance.memory_limit or relevance.embedding_dim, or take a larger "
            "machine or disk (engine plan says more)"
        )


def expected_seconds(num_reviews: int, num_movies: int) -> float:
    """Estimates how many seconds the rest of a build takes on this machine once all files are read."""
    return _calibrate() / COSTS.calibration * sum(_computing_seconds(num_reviews, num_movies).values())


def _memory(files: Survey, config: Config) -> dict[str, int]:
    database = max(LEAST_FOR_READING, COSTS.plain_byte * files.num_plain_bytes)
    database = min(size_in_bytes(config.ingest.memory_limit), database)
    movie = (config.relevance.embedding_dim + config.rating.dim) * COSTS.movie_number
    movie += round(_neighbours(files, config) * COSTS.neighbour)
    training = files.num_movies * movie + files.num_reviews * COSTS.review
    if file_bytes(files.num_reviewers, config.relevance):
        training += size_in_bytes(config.relevance.memory_limit)
    elif table_bytes(files.num_reviewers, config.relevance):
        training += files.num_reviewers * config.relevance.embedding_dim * COSTS.reviewer_number
    return {
        "reading": round(COSTS.process / 2 + COSTS.reading + database),
        "training": COSTS.process + training,
    }


def _index_bytes(files: Survey, config: Config) -> int:
    dim, rating_dim = config.relevance.embedding_dim, 2 * config.rating.dim
    # A movie has two relevance vectors, one of which is also in the vector index, and two rating vectors. A
    # movie has neighbours in three tables (two neighbour tables and the table of successors), of 8 bytes
    # each.
    neighbours = 3 * 8 * round(_neighbours(files, config))
    movie = 4 * (3 * dim + 2 * rating_dim) + neighbours + COSTS.disk_movie
    own = dim if config.relevance.reviewer_embeddings == "learned" else 0
    reviewer = 4 * own + COSTS.disk_reviewer
    return files.num_reviewers * reviewer + files.num_movies * movie + files.num_reviews * COSTS.disk_review


def _neighbours(files: Survey, config: Config) -> float:
    """Estimates the mean number of neighbours of a movie in each neighbour table."""
    reviews = files.num_reviews / max(files.num_movies, 1)
    return min(config.neighbours.num_neighbours, COSTS.neighbours_review * reviews)


def _seconds(files: Survey, pace: float) -> dict[str, float]:
    read = files.seconds_a_megabyte * files.num_plain_bytes / 1e6
    computing = _computing_seconds(files.num_reviews, files.num_movies)
    return {
        "reading": read + _seconds_joined(files, pace),
        **{phase: pace * seconds for phase, seconds in computing.items()},
    }


def _seconds_joined(files: Survey, pace: float) -> float:
    """Estimates the seconds that the work database takes to filter and join the rows of the files."""
    return pace * COSTS.seconds_review_read * files.num_reviews


def _computing_seconds(num_reviews: int, num_movies: int) -> dict[str, float]:
    """Estimates the seconds of training and indexing on the machine on which `Costs` was measured."""
    training = COSTS.seconds + COSTS.seconds_review_trained * num_reviews
    training += COSTS.seconds_movie_trained * min(num_movies, COSTS.movies_trained)
    return {"training": training, "indexing": COSTS.seconds_movie * num_movies}


def _machine(output: Path) -> dict[str, int]:
    place = next(parent for parent in (output, *output.absolute().parents) if parent.exists())
    return {"memory": memory_limit(), "disk": shutil.disk_usage(place).free, "cores": os.cpu_count() or 1}


def memory_limit() -> int:
    """Returns how many bytes of memory the machine and the control group (cgroup) let this process use."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            limits.append(int(text))
    return min(limits)


@cache
def _calibrate() -> float:
    """Measures the machine's speed: returns the seconds of the fastest of several runs of a benchmark."""
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
