"""Measures how fast the lists of many reviewers are made, beside implicit's own batches; prints JSON.

    python benchmarks/everyone.py INDEX [--reviewers 100000] [--full] [--repeats 3]

Both have the same movies, the same reviewers, vectors of the same length and every core. implicit
(`pip install movie-engine[peers]`) ranks by the inner product alone; without it only the engine is measured.
The recall is the part of the top ten of scoring every movie that the lists hold. Beside the reviewers a
second stands the processor time of one, which a machine that has other work too distorts less. Memory is what
the processes hold of their own, without mapped files, once a fifth of the lists is made and at the end.
"""

from __future__ import annotations

import argparse
import json
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
from threadpoolctl import threadpool_limits

from engine import Engine
from engine.artifact.reader import Artifact
from engine.model.scorer import Model
from engine.model.storage import load_model
from pipelines.batch.recommend_all import recommend_all

K = 10
_RECALLED = 500
_BATCH = 1000
_INTERVAL = 0.1


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", type=Path)
    parser.add_argument("--reviewers", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help="Take every reviewer of the index.")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    engine = Engine.load(asked.index)
    wanted = engine.num_reviewers if asked.full else min(asked.reviewers, engine.num_reviewers)
    rows = np.random.default_rng(0).permutation(engine.num_reviewers)[:wanted].astype(np.int64)
    model = load_model(Artifact.open(asked.index))
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
    print(json.dumps(figures, indent=2))


def write_lists(index: Path, engine: Engine, rows: np.ndarray) -> None:
    """Write the lists of some reviewers as Parquet, processes started and files written included."""
    directory = Path(tempfile.mkdtemp(prefix="engine-lists-"))
    try:
        recommend_all(
            index, directory, k=K, reviewers=engine.reviewer_ids(rows), shard_size=max(1, len(rows) // 8)
        )
    finally:
        shutil.rmtree(directory)


def implicit_batches(model: Model, rows: np.ndarray) -> Callable[[], object] | None:
    """Give what lets implicit make lists from the same vectors, or None where it is not installed."""
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        return None
    threadpool_limits(1, "blas")  # As it asks for: its own threads use every core.
    peer = AlternatingLeastSquares(factors=model.relevance.movie_vectors.shape[1], num_threads=0)
    peer.item_factors = np.ascontiguousarray(model.relevance.movie_vectors)
    queries = [model.reviewers(rows[begin:end]).queries for begin, end in model.batches(rows)]
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
    """Give the part of the top lists over all movies that the lists hold."""
    everything = "movie_count >= 0"  # With a condition every movie that it keeps is scored.
    found, exact = (engine.list_columns(rows, K, where=where) for where in (None, everything))
    lists = [set(zip(part.places.tolist(), part.movie_rows.tolist(), strict=True)) for part in (found, exact)]
    return len(lists[0] & lists[1]) / max(len(lists[1]), 1)


class Cost(NamedTuple):
    """What some work took."""

    seconds: float
    cpu_seconds: float
    """Of this process and of those that it started and waited for."""


def cost(work: Callable[[], object]) -> Cost:
    """Give what some work takes."""
    before, started = os.times(), time.perf_counter()
    work()
    after = os.times()
    return Cost(time.perf_counter() - started, sum(after[:4]) - sum(before[:4]))


class MemoryOfChildren:
    """Watches the memory of the processes that this one starts, while it is entered."""

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
        """Give the largest sum in the second fifth of the time that there were any and in the last, MiB."""
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
    """Give the memory that a process does not share with files, in KiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


if __name__ == "__main__":
    main()
