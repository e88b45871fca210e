"""Measures how fast the lists of many reviewers are made on Ray, beside processes; prints JSON.

    python benchmarks/ray_lists.py INDEX [--reviewers 100000] [--processes 2] [--repeats 3]

Both make the same files with the same number of workers. The pace once started is the pace of the reviewers
beyond a first part, in whose time processes start and open the index. Ray and its workers have started before
the first measurement.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from measuring import parser_for, write_figures

from engine import Engine
from pipelines.batch.recommend_all import recommend_all
from pipelines.work.cluster import ray_workers

_SHARDS = 20
"""The number of shards into which the reviewers are divided."""
_PLACES = (None, "ray")


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("--reviewers", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    engine = Engine.load(asked.index)
    ids = engine.reviewer_ids(range(min(asked.reviewers, engine.num_reviewers)))
    size = -(-len(ids) // _SHARDS)
    first = ids[: size * asked.processes]

    def seconds(on: str | None, reviewers: list[str], folder: Path) -> float:
        shutil.rmtree(folder, ignore_errors=True)
        started = time.perf_counter()
        recommend_all(
            asked.index, folder, reviewers=reviewers, shard_size=size, processes=asked.processes, on=on
        )
        return time.perf_counter() - started

    whole: dict[str | None, list[float]] = {on: [] for on in _PLACES}
    pace: dict[str | None, list[float]] = {on: [] for on in _PLACES}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="lists-") as directory, ray_workers(None, asked.processes, 1):
        start = time.perf_counter() - started
        folders = {on: Path(directory, str(on)) for on in _PLACES}
        seconds("ray", first, folders["ray"])
        for _ in range(asked.repeats):  # In turns, so that a machine that slows down slows both.
            for on in _PLACES:
                beginning = seconds(on, first, folders[on])
                whole[on].append(seconds(on, ids, folders[on]))
                pace[on].append((len(ids) - len(first)) / (whole[on][-1] - beginning))
        parts = [{path.name: path.read_bytes() for path in folders[on].glob("part-*")} for on in _PLACES]
    figures = {
        "reviewers": len(ids),
        "processes": asked.processes,
        "same_files": parts[0] == parts[1],
        "seconds": statistics.median(whole[None]),
        "ray_seconds": statistics.median(whole["ray"]),
        "ray_starts_in_seconds": start,
        "reviewers_a_second_once_started": statistics.median(pace[None]),
        "ray_reviewers_a_second_once_started": statistics.median(pace["ray"]),
        "ratio_once_started": statistics.median(
            there / here for here, there in zip(pace[None], pace["ray"], strict=True)
        ),
    }
    write_figures(figures, asked.json)


if __name__ == "__main__":
    main()
