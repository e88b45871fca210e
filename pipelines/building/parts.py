"""Plans where each part of the work runs: on this machine, in workers of Ray, or in a vector database.

Several workers may read files, but one machine joins the rows of the files; reading and joining need limited
memory for files of any size. Training needs a machine whose memory holds all reviews; the vectors of
reviewers are kept in a file if memory is too small for them. Several workers may make the lists of all
reviewers. Several nodes of a vector database may hold the vectors of the movies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from engine.config.sections import Config
from engine.config.values import size_in_bytes
from indexes.choose import num_bytes
from pipelines.building.survey import Survey
from pipelines.networks.paged_rows import file_bytes

_SECONDS_REVIEWER = 2e-4
"""The number of seconds in which one core makes one reviewer's list in an index with ratings; two cores were
measured to make 9,753 lists a second."""
_WORKER_BYTES = 200_000_000
"""The number of bytes of memory that a worker that makes lists needs beside the mapped files of the index."""
_WORKER_SECONDS = 3.0
"""The number of seconds that a worker needs to start and to open the index."""
_WANTED_SECONDS = 3600.0
"""The longest time, in seconds, that reading all files should take, and that making the lists of all
reviewers should take. For a task that takes longer on this machine, the plan mostly names workers of Ray."""
_READING_BYTES = 850_000_000
"""The number of bytes of memory of a worker that reads files of usual size, one file at a time."""
_MOST_WORKERS = 1000
"""The largest number of workers that is planned for a part of the work."""
_NODE_BYTES = 16_000_000_000
"""The number of bytes of vectors that one node of a vector database should hold at most."""
_SECONDS_COMPARED = 2.5e-8
"""The number of seconds in which one core of a vector database compares a query with one vector of 64 numbers
in memory."""


@dataclass(frozen=True, kw_only=True)
class PlannedPart:
    """Describes the plan for one part of the work, such as reading, training or making lists."""

    name: str
    engine: str
    """The machine or the software that does this part of the work: "this machine", "a larger machine", "Ray",
    "FAISS" or "Milvus"."""
    workers: int
    """The number of processes, workers or nodes that share this part of the work."""
    memory: int
    """The number of bytes of memory that each process, worker or node needs."""
    seconds: float
    """The number of seconds that this part of the work takes; for the search for candidates, the seconds of
    one search."""
    why: str
    """A sentence for users that says why the machine or software in `engine` was chosen for this part of the
    work."""


def parts_of(
    files: Survey,
    config: Config,
    memory: Mapping[str, int],
    seconds: Mapping[str, float],
    joined: float,
    machine: Mapping[str, int],
    pace: float,
) -> list[PlannedPart]:
    """Plans where to read files, train, make lists and search, and with how many workers and how much memory.

    Each part of the work, such as training, runs on this machine, on a larger machine, on Ray, in FAISS or in
    Milvus. The plan also estimates the seconds that each part of the work takes.

    Args:
        files: the estimated sizes of the files.
        config: the settings of the build.
        memory: the peak memory of each phase of a build, in bytes.
        seconds: the time of each phase of a build, in seconds.
        joined: the seconds in which one machine joins the rows of the files; more workers do not shorten this
            time.
        machine: the memory of this machine in bytes, the free disk space in bytes, and the number of cores.
        pace: the time of a computation on this machine, divided by the time on the machine on which `Costs`
            was measured.
    """
    return [
        _reading(memory["reading"], seconds["reading"], joined, machine),
        _training(files, config, memory["training"], seconds["training"] + seconds["indexing"], machine),
        _lists(files, pace, machine),
        _candidates(files, config, pace),
    ]


def _reading(memory: int, seconds: float, joined: float, machine: Mapping[str, int]) -> PlannedPart:
    if seconds > _WANTED_SECONDS and memory <= machine["memory"]:
        parsed = (seconds - joined) * machine["cores"]
        # If joining takes most of the wanted time, parsing is planned to take at least a quarter of the time
        # of joining, because more workers would hardly shorten the total time.
        wanted = max(_WANTED_SECONDS - joined, joined / 4)
        workers = min(max(math.ceil(parsed / wanted), machine["cores"]), _MOST_WORKERS)
        return PlannedPart(
            name="reading",
            engine="Ray",
            workers=workers,
            memory=_READING_BYTES,
            seconds=joined + parsed / workers,
            why="Workers of one core each read the files, of which there must be as many or more; this "
            "machine joins the rows, and keeps on disk what exceeds the memory limit.",
        )
    why = "This machine reads the files; what exceeds the memory limit is kept on disk."
    engine = "this machine" if memory <= machine["memory"] else "a larger machine"
    return PlannedPart(name="reading", engine=engine, workers=1, memory=memory, seconds=seconds, why=why)


def _training(
    files: Survey, config: Config, memory: int, seconds: float, machine: Mapping[str, int]
) -> PlannedPart:
    if memory > machine["memory"]:
        engine, why = "a larger machine", "One machine must hold all reviews to train on them."
    elif file_bytes(files.num_reviewers, config.relevance):
        engine, why = (
            "this machine",
            (
                "The vectors of all reviewers exceed relevance.memory_limit, so they are kept in a file, and "
                "blocks of them are trained in memory."
            ),
        )
    else:
        engine, why = "this machine", "The vectors of all reviewers and movies fit into its memory."
    return PlannedPart(name="training", engine=engine, workers=1, memory=memory, seconds=seconds, why=why)


def _lists(files: Survey, pace: float, machine: Mapping[str, int]) -> PlannedPart:
    total, cores = pace * _SECONDS_REVIEWER * files.num_reviewers, machine["cores"]
    if total / cores <= _WANTED_SECONDS:
        engine, workers = "this machine", cores
        why = "The cores of this machine make the lists of everyone within an hour."
    else:
        engine, workers = "Ray", min(math.ceil(total / (_WANTED_SECONDS - _WORKER_SECONDS)), _MOST_WORKERS)
        why = "Workers of one core each share the shards, so that the lists take about an hour."
    return PlannedPart(
        name="lists of everyone",
        engine=engine,
        workers=workers,
        memory=_WORKER_BYTES,
        seconds=_WORKER_SECONDS + total / workers,
        why=why,
    )


def _candidates(files: Survey, config: Config, pace: float) -> PlannedPart:
    dim, limit = config.relevance.embedding_dim + 1, size_in_bytes(config.index.memory_limit)
    size = num_bytes(max(files.num_movies, 1), dim, "ivf-fp16")
    if size <= limit and config.index.kind != "milvus":
        seconds = pace * _SECONDS_COMPARED * 0.02 * files.num_movies
        why = "The vectors of the movies fit into index.memory_limit in each process."
        return PlannedPart(
            name="candidates", engine="FAISS", workers=1, memory=size, seconds=seconds, why=why
        )
    size = num_bytes(max(files.num_movies, 1), dim, "flat")
    nodes = math.ceil(size / _NODE_BYTES)
    why = (
        "The vectors of the movies exceed index.memory_limit, so processes should not hold them all."
        if size > limit
        else "The setting index.kind asks for a vector database."
    )
    return PlannedPart(
        name="candidates",
        engine="Milvus",
        workers=nodes,
        memory=math.ceil(size / nodes),
        seconds=pace * _SECONDS_COMPARED * files.num_movies / nodes,
        why=why,
    )
