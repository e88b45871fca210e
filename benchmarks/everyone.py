"""Measures how fast the lists of many reviewers are made, beside implicit's own batches; prints JSON.

    python benchmarks/everyone.py INDEX [--reviewers 20000] [--full] [--repeats 3]

Both have the same movies, the same reviewers, vectors of the same length and every core. implicit
(`pip install movie-engine[peers]`) ranks by the inner product alone; without it only the engine is measured.
The recall is the part of the top ten of scoring every movie that the lists hold.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from threadpoolctl import threadpool_limits

from engine import Engine
from engine.artifact import Artifact
from engine.model_files import load_model
from engine.scorer import Model
from pipelines.everyone import recommend_all

K = 10
_RECALLED = 500
_BATCH = 1000


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", type=Path)
    parser.add_argument("--reviewers", type=int, default=20_000)
    parser.add_argument("--full", action="store_true", help="Take every reviewer of the index.")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    engine = Engine.load(asked.index)
    wanted = engine.num_reviewers if asked.full else min(asked.reviewers, engine.num_reviewers)
    rows = np.random.default_rng(0).permutation(engine.num_reviewers)[:wanted].astype(np.int64)
    model = load_model(Artifact.open(asked.index))
    peer = implicit_batches(model, rows)
    ours, theirs = [], []
    for _ in range(asked.repeats):  # In turns, so that a machine that slows down slows both.
        ours.append(len(rows) / seconds(lambda: write_lists(asked.index, engine, rows)))
        if peer is not None:
            theirs.append(len(rows) / seconds(peer))
    figures: dict[str, Any] = {
        "movies": engine.num_movies,
        "reviewers": len(rows),
        "embedding_dim": model.relevance.embedding_dim,
        "index": engine.info()["search"],
        "reviewers_a_second": statistics.median(ours),
        "recall": recall(engine, rows[:_RECALLED]),
    }
    if theirs:
        pairs = [one / other for one, other in zip(ours, theirs, strict=True)]
        figures |= {
            "implicit_reviewers_a_second": statistics.median(theirs),
            "ratio": statistics.median(pairs),
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


def seconds(work: Callable[[], object]) -> float:
    """Give how long some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
