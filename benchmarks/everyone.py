"""Measures how fast lists are made for many reviewers, beside the library implicit; prints JSON.

    python benchmarks/everyone.py INDEX [--reviewers 100000] [--full] [--repeats 3]

Both get the same movies and reviewers, vectors of the same length, and every core. implicit
(`pip install movie-engine[peers]`) ranks by the inner product alone; without it only the engine is measured.
The recall is the part of the exact top ten, found by scoring every movie, that the lists hold. The processor
time of a reviewer is given too, since other work on the machine distorts it less than reviewers a second.
Memory is what the processes hold without mapped files, after a fifth of the lists and at the end.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from measuring import parser_for, write_figures
from threadpoolctl import threadpool_limits

from engine import Engine
from engine.artifact.reader import Artifact
from engine.model.scorer import Model
from pipelines.batch.recommend_all import recommend_all

K = 10
_RECALLED = 500
"""Reviewers whose lists are compared with exact ones."""
_BATCH = 1000
"""Reviewers whom implicit makes lists for at a time."""
_INTERVAL = 0.1
"""Seconds between two looks at memory."""


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("--reviewers", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help="Take every reviewer of the index.")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    engine = Engine.load(asked.index)
    wanted = engine.num_reviewers if asked.full else min(asked.reviewers, engine.num_reviewers)
    rows = np.random.default_rng(0).permutation(engine.num_reviewers)[:wanted].astype(np.int64)
    model = Model.open(Artifact.open(asked.index))
    peer = implicit_batches(model, rows)
    ours, theirs = [], []
    with MemoryOfChildren() as memory:
        for _ in range(asked.repeats):  # In turns, so that a machine that slows down slows both.
            ours.append(cost(lambda: write_lists(asked.index, engine, rows)))
            if peer is not None:
                theirs.append(cost(peer))
    figures: dict[str, Any] = {
        "movies": engine.num_movies,
        "reviewers": len(rows),
        "embedding_dim": model.relevance.embedding_dim,
        "index": engine.info()["search"],
        "reviewers_a_second": len(rows) / statistics.median(one.seconds for one in ours),
        "cpu_ms_a_reviewer": 1000 * statistics.median(one.cpu_seconds for one in ours) / len(rows),
        "memory_mib_early_and_late": memory.early_and_late(),
        "recall": recall(engine, rows[:_RECALLED]),
    }
    if theirs:
        pairs = list(zip(ours, theirs, strict=True))
        figures |= {
            "implicit_reviewers_a_second": len(rows) / statistics.median(one.seconds for one in theirs),
            "implicit_cpu_ms_a_reviewer": 1000
            * statistics.median(one.cpu_seconds for one in theirs)
            / len(rows),
            "ratio": statistics.median(other.seconds / one.seconds for one, other in pairs),
            "cpu_ratio": statistics.median(other.cpu_seconds / one.cpu_seconds for one, other in pairs),
        }
    write_figures(figures, asked.json)


def write_lists(index: Path, engine: Engine, rows: np.ndarray) -> None:
    """Writes the lists of some reviewers as Parquet, including the start of the processes."""
    directory = Path(tempfile.mkdtemp(prefix="engine-lists-"))
    try:
        recommend_all(
            index, directory, k=K, reviewers=engine.reviewer_ids(rows), shard_size=max(1, len(rows) // 8)
        )
    finally:
        shutil.rmtree(directory)


def implicit_batches(model: Model, rows: np.ndarray) -> Callable[[], object] | None:
    """Returns what makes lists with implicit from the same vectors, or None if it is not installed."""
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        return None
    threadpool_limits(1, "blas")  # implicit asks for this, since its own threads use every core.
    peer = AlternatingLeastSquares(factors=model.relevance.movie_vectors.shape[1], num_threads=0)
    peer.item_factors = np.ascontiguousarray(model.relevance.movie_vectors)
    queries = [model.reviewers(rows[begin:end]).queries for begin, end in model.histories.batches(rows)]
    peer.user_factors = np.concatenate(queries)
    histories = model.histories.take(rows)
    seen = scipy.sparse.csr_matrix(
        (np.ones(len(histories.movie_rows), np.float32), histories.movie_rows, histories.offsets),
        shape=(len(rows), model.num_movies),
    )

    def work() -> None:
        for begin in range(0, len(rows), _BATCH):
            users = np.arange(begin, min(begin + _BATCH, len(rows)))
            peer.recommend(users, seen[users], N=K, filter_already_liked_items=True)

    return work


def recall(engine: Engine, rows: np.ndarray) -> float:
    """Returns the part of the exact top lists that the lists hold."""
    everything = "movie_count >= 0"  # With a condition every movie that it keeps is scored.
    found, exact = (engine.list_columns(rows, K, where=where) for where in (None, everything))
    lists = [set(zip(part.places.tolist(), part.movie_rows.tolist(), strict=True)) for part in (found, exact)]
    return len(lists[0] & lists[1]) / max(len(lists[1]), 1)


class Cost(NamedTuple):
    """The time that some work took."""

    seconds: float
    cpu_seconds: float
    """Processor time of this process, and of the processes that it started and waited for."""


def cost(work: Callable[[], object]) -> Cost:
    """Measures the time of some work."""
    before, started = os.times(), time.perf_counter()
    work()
    after = os.times()
    return Cost(time.perf_counter() - started, sum(after[:4]) - sum(before[:4]))


class MemoryOfChildren:
    """Watches, inside a with block, the memory of the processes that this process starts."""

    def __init__(self) -> None:
        self._samples: list[int] = []
        self._left = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryOfChildren:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._watcher.join()

    def early_and_late(self) -> tuple[float, float]:
        """Returns the most memory, in MiB, in the second and in the last fifth of their time."""
        fifth = max(1, len(self._samples) // 5)
        early, late = self._samples[fifth : 2 * fifth] or [0], self._samples[-fifth:] or [0]
        return max(early) / 1024, max(late) / 1024

    def _watch(self) -> None:
        while not self._left.wait(_INTERVAL):
            if children := self._children():
                self._samples.append(sum(map(_own_memory, children)))

    def _children(self) -> list[str]:
        lists = Path(f"/proc/{os.getpid()}/task").glob("*/children")
        return [child for path in lists for child in path.read_text().split()]


def _own_memory(pid: str) -> int:
    """Returns the memory that a process does not share with files, in KiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


if __name__ == "__main__":
    main()
