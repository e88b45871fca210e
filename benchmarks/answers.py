"""Measures how long an index takes to answer: in a new process, and in a process that has it open.

    python benchmarks/answers.py [--index movie-index] [--questions 1000] [--repeats 9] [--json FILE]

A cold answer is paired with a process that only imports what every answer needs, which is most of its time.
A question asks for a list of ten for a random reviewer, with titles and reasons. It is compared with scoring
the whole catalogue in Keras (`benchmarks/exhaustive_keras.py`). The first questions after opening map in the
pages that they touch, so they are measured apart from as many questions for other reviewers.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import parser_for, resident_peak, write_figures

from engine import Engine

IMPORTS = (sys.executable, "-c", "import numpy, faiss, click")
WHERE = "average_rating >= 4 and movie_count >= 20"
TELL_PEAK = """
import sys
from pathlib import Path
from engine.cli.main import main
main(sys.argv[1:], standalone_mode=False)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")), file=sys.stderr)
"""
"""Asks a question, and prints the peak of the resident memory of its own process, in KiB."""
_GIVEN = 5
"""Ratings of a newcomer."""
_FILTERED = 100
"""Questions with a condition."""
_WARM_UP = 20
"""Questions before the clock starts."""
_MIB = 2**20


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("--index", type=Path, default=Path("movie-index"))
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--where", default=WHERE, help="The condition of the filtered questions.")
    asked = parser.parse_args()
    started = time.perf_counter()
    engine = Engine.load(asked.index)
    loaded = time.perf_counter() - started
    chance = np.random.default_rng(0)
    first = engine.reviewer_ids(chance.integers(0, engine.num_reviewers, asked.questions))
    reviewers = engine.reviewer_ids(chance.integers(0, engine.num_reviewers, asked.questions))
    movies = engine.movie_ids(chance.integers(0, engine.num_movies, asked.questions))
    given = [movies[begin : begin + _GIVEN] for begin in range(0, len(movies), _GIVEN)]
    rated = engine.info()["model"]["rating_levels"]
    new = [dict.fromkeys(ids, rated[-1]) if rated else dict.fromkeys(ids) for ids in given]
    figures: dict[str, Any] = {
        "movies": engine.num_movies,
        "reviewers": engine.num_reviewers,
        "load_ms": loaded * 1000,
        "recommend_first": times(engine.recommend, first),
        "recommend": times(engine.recommend, reviewers),
        "recommend_where": times(lambda one: engine.recommend(one, where=asked.where), reviewers[:_FILTERED]),
        "recommend_for": times(engine.recommend_for, new),
        "similar": times(engine.similar, movies),
        "peak_mib": resident_peak(os.getpid()) / _MIB,
        "cold": cold(asked.index, reviewers[0], asked.repeats),
    }
    keras = exhaustive(engine.num_movies, engine.num_reviewers)
    median = figures["recommend"]["median_ms"]
    figures["exhaustive_keras_ms"] = {name: seconds * 1000 for name, seconds in keras.items()}
    figures["times_as_fast"] = {name: seconds * 1000 / median for name, seconds in keras.items()}
    write_figures(figures, asked.json)


def times(ask: Callable[[Any], object], questions: Sequence[Any]) -> dict[str, float]:
    """Returns the median and the 99th percentile of the time of a question, in milliseconds."""
    for question in questions[:_WARM_UP]:
        ask(question)
    taken = []
    for question in questions:
        started = time.perf_counter()
        ask(question)
        taken.append(1000 * (time.perf_counter() - started))
    return {"median_ms": float(np.median(taken)), "p99_ms": float(np.percentile(taken, 99))}


def cold(index: Path, reviewer_id: str, repeats: int) -> dict[str, float]:
    """Measures a question in a process of its own, beside a process that only imports."""
    answer = (sys.executable, "-m", "engine.cli", *question(index, reviewer_id))
    pairs = []
    for _ in range(repeats + 1):  # In turns, so that a machine that slows down slows both.
        pairs.append((seconds(IMPORTS), seconds(answer)))
    pairs = pairs[1:]  # The first reads the files.
    told = subprocess.run(
        [sys.executable, "-c", TELL_PEAK, *question(index, reviewer_id)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return {
        "imports_ms": 1000 * statistics.median(first for first, _ in pairs),
        "answer_ms": 1000 * statistics.median(second for _, second in pairs),
        "ratio": statistics.median(second / first for first, second in pairs),
        "peak_mib": int(told.stderr.split()[-1]) / 1024,
    }


def question(index: Path, reviewer_id: str) -> tuple[str, ...]:
    """Returns the words of a question on the command line."""
    return ("recommend", "reviewer", reviewer_id, "--index", str(index), "--json")


def seconds(command: Sequence[str]) -> float:
    """Runs a command, and returns how long it takes."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def exhaustive(num_movies: int, num_reviewers: int) -> dict[str, float]:
    """Returns the seconds in which Keras scores every movie for one reviewer."""
    script = Path(__file__).with_name("exhaustive_keras.py")
    command = [sys.executable, str(script), str(num_movies), str(num_reviewers)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
