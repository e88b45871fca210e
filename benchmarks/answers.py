"""Measures how long an index takes to answer: from a cold shell, and from a process that has it open.

    python benchmarks/answers.py [--index movie-index] [--repeats 5]

A cold answer is compared with a process that only imports what every answer needs, since most of it is that.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine import Engine
from engine.artifact import Artifact
from engine.ids import IdTable

IMPORTS = [sys.executable, "-c", "import numpy, faiss, click"]


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--index", type=Path, default=Path("movie-index"))
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    engine = Engine.load(asked.index)
    reviewers, movies = ids(asked.index, "reviewer"), ids(asked.index, "movie")
    answer = [
        sys.executable,
        "-m",
        "engine.cli",
        "recommend",
        "reviewer",
        reviewers[0],
        "--index",
        asked.index,
    ]

    imports, cold = [], []
    for _ in range(asked.repeats):  # In turns, so that a machine that slows down slows both.
        imports.append(seconds(lambda: subprocess.run(IMPORTS, check=True)))
        cold.append(seconds(lambda: subprocess.run(answer, check=True, stdout=subprocess.DEVNULL)))
    report("imports alone", statistics.median(imports))
    report("a cold recommend", statistics.median(cold))
    print(f"{'ratio':24}{statistics.median(cold) / statistics.median(imports):10.2f}")

    few = reviewers[:200]
    report("recommend, one by one", seconds(lambda: [engine.recommend(one) for one in few]) / len(few))
    report("recommend_many, each", seconds(lambda: engine.recommend_many(reviewers)) / len(reviewers))
    some = movies[:200]
    report("similar, one by one", seconds(lambda: [engine.similar(one) for one in some]) / len(some))


def ids(index: Path, kind: str, limit: int = 2000) -> list[str]:
    """Give the first ids of an index, of reviewers or movies."""
    artifact = Artifact.open(index)
    table = IdTable(artifact.array(f"{kind}_ids"), artifact.array(f"{kind}_id_offsets"))
    return [table.id(row) for row in range(min(limit, len(table)))]


def seconds(work: Callable[[], object]) -> float:
    """Give how long some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def report(what: str, duration: float) -> None:
    """Print a duration in milliseconds."""
    print(f"{what:24}{duration * 1000:10.2f} ms")


if __name__ == "__main__":
    main()
