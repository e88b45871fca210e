"""Measures trainings in workers of Ray beside trainings one after another, for a build and for five folds.

    python benchmarks/ray_trainings.py u.data [--workers 2] [--repeats 3] [--rounds 0] [--json FILE]

Each training uses one thread. Both ways run in turns, so that other work on the machine slows both. Ray has
started before the first measurement, and each worker has loaded TensorFlow. `--rounds` limits the rounds of
both heads, for a quick look.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import parser_for, write_figures

from engine.config.sections import Config, load_config
from pipelines import build_index, evaluate
from pipelines.work.cluster import THREADS, RayWorkers, ray_workers
from pipelines.work.tensorflow_start import start_tensorflow

_PLACES = (None, "ray")


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("reviews", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=0)
    asked = parser.parse_args()
    os.environ.update(dict.fromkeys((*THREADS, "TF_NUM_INTEROP_THREADS"), "1"))
    limits = [f"{head}.max_rounds={asked.rounds}" for head in ("relevance", "rating") if asked.rounds]
    config = load_config(assignments=["ingest.threads=1", *limits])
    start_tensorflow()
    with ray_workers(None, asked.workers, 1) as workers:
        _warm_up(workers)
        found = {
            "folds": _compare(lambda on: _folds(asked.reviews, config, on), asked.repeats),
            "build": _compare(lambda on: _build(asked.reviews, config, on), asked.repeats),
        }
    write_figures({"workers": asked.workers, **found}, asked.json)


def _warm_up(workers: RayWorkers) -> None:
    begun = [workers.begin(start_tensorflow) for _ in range(workers.num_workers)]
    for wait in begun:
        wait()


def _compare(work: Callable[[str | None], Any], repeats: int) -> dict[str, Any]:
    """Times both ways in turns; the results of both must be equal."""
    seconds: dict[str | None, list[float]] = {on: [] for on in _PLACES}
    results = []
    for _ in range(repeats):
        for on in _PLACES:
            started = time.perf_counter()
            results.append(work(on))
            seconds[on].append(time.perf_counter() - started)
    return {
        "same_results": all(result == results[0] for result in results),
        "seconds": statistics.median(seconds[None]),
        "ray_seconds": statistics.median(seconds["ray"]),
        "times_as_fast": statistics.median(
            here / there for here, there in zip(seconds[None], seconds["ray"], strict=True)
        ),
    }


def _folds(reviews: Path, config: Config, on: str | None) -> Any:
    """Trains and measures the engine's model on five folds; returns the mean figures."""
    return evaluate([reviews], protocol="folds", models=("ncf",), config=config, on=on).to_dict()["mean"]


def _build(reviews: Path, config: Config, on: str | None) -> Any:
    """Builds an index; returns the figures of its quality."""
    with tempfile.TemporaryDirectory(prefix="build-") as directory:
        built = build_index([reviews], output=Path(directory, "index"), config=config, on=on)
    return built.manifest["metrics"]


if __name__ == "__main__":
    main()
