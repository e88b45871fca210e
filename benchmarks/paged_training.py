"""Measures a training whose reviewers' vectors are kept in a file, beside one that keeps them in memory.

    python benchmarks/paged_training.py [--reviewers 1000000] [--rounds 3] [--part 4] [--json FILE]

Each training runs in a process of its own, on invented reviews with planted tastes: up to three reviews of
each reviewer, of which the last is held out. The limit of memory of the second training is one part of what
the vectors and the state of their optimizer take. A third training has no vectors of reviewers. Memory is
what the process holds itself, without pages of mapped files, which the system takes back when it needs
them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring import measure, parser_for, write_figures

from engine.config.sections import RelevanceConfig
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.networks.paged_rows import table_bytes
from pipelines.training.loops import train_relevance
from pipelines.training.validation import ndcg_of
from pipelines.work.tensorflow_start import start_tensorflow

EACH, TASTES, MOVIES = 3, 50, 20_000
KINDS = ("memory", "file", "none")
_INTERVAL = 0.02
"""Seconds between two looks at memory."""


def main() -> None:
    """Prints the figures, the memory and the processor time of each training."""
    parser = parser_for(__doc__)
    parser.add_argument("--reviewers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", type=int, default=4)
    parser.add_argument("--kind", choices=KINDS, help="train one kind in this process")
    asked = parser.parse_args()
    config = RelevanceConfig(max_rounds=asked.rounds, memory_limit="100GB")
    size = table_bytes(asked.reviewers, config)
    if asked.kind == "file":
        config = replace(config, memory_limit=f"{size // asked.part / 1e6:.3f}MB")
    elif asked.kind == "none":
        config = replace(config, reviewer_embeddings="none")
    if asked.kind:
        write_figures(_train(asked.reviewers, config), asked.json)
        return
    found: dict[str, Any] = {"reviewers": asked.reviewers, "table_bytes": size}
    with tempfile.TemporaryDirectory(prefix="paged-") as folder:
        for kind in KINDS:
            file = Path(folder, kind)
            words = ("--reviewers", asked.reviewers, "--rounds", asked.rounds, "--part", asked.part)
            took = measure([sys.executable, __file__, *words, "--kind", kind, "--json", file])
            found[kind] = {**json.loads(file.read_text()), "cpu_seconds": took.cpu_seconds}
    write_figures(found, asked.json)


def _train(num_reviewers: int, config: RelevanceConfig) -> dict[str, Any]:
    """Trains the relevance head; returns its loss and its NDCG of the held-out reviews in each round."""
    peak = _watch_memory()
    start_tensorflow()
    reviews = _some_reviews(num_reviewers)
    train, held_out = hold_out_last(reviews, 1 / EACH)
    validate = ndcg_of(train, held_out, 0)
    likes = np.ones(len(train), dtype=np.bool_)
    trained = train_relevance(train, likes, config, 1, validate=validate)
    return {"losses": trained.losses, "ndcg@20": trained.figures, "peak_bytes": peak[0]}


def _watch_memory() -> list[int]:
    """Watches the memory of this process in a thread; returns a list of the peak in bytes."""
    peak = [0]

    def watch() -> None:
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    peak[0] = max(peak[0], int(line.split()[1]) * 1024)
            time.sleep(_INTERVAL)

    threading.Thread(target=watch, daemon=True).start()
    return peak


def _some_reviews(num_reviewers: int) -> Reviews:
    """Invents reviews: each reviewer has a taste, and most of their movies are of this taste."""
    generator = np.random.default_rng(0)
    size = num_reviewers * EACH
    tastes = np.repeat(generator.integers(TASTES, size=num_reviewers), EACH)
    tastes = np.where(generator.random(size) < 0.8, tastes, generator.integers(TASTES, size=size))
    places = np.minimum(generator.zipf(1.3, size) - 1, MOVIES // TASTES - 1)
    reviewers = np.repeat(np.arange(num_reviewers), EACH)
    movies = places * TASTES + tastes
    _, first = np.unique(reviewers * MOVIES + movies, return_index=True)
    first.sort()
    return make_reviews(
        reviewers[first], movies[first], None, first, num_reviewers=num_reviewers, num_movies=MOVIES
    )


if __name__ == "__main__":
    main()
