"""Simulates the lists of everyone on many workers, from what is measured on this machine with an index.

    python benchmarks/scaling.py [--index movie-index] [--reviewers 3826085] [--json FILE]

Measured are the start of a worker, the processor time of each shard, and the processor time that the process
which hands out shards spends on each of them. The simulation gives shards to whichever worker is free first.
Scaling stops being linear where workers start for too few shards, where the last shards are waited for, or
where the process that hands out shards is busy all the time.
"""

from __future__ import annotations

import heapq
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import parser_for, write_figures

from engine import Engine
from pipelines.batch.recommend_all import SHARD_SIZE, recommend_all
from pipelines.batch.worker import Worker

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
LINEAR = 0.9
"""The least efficiency, which is speed-up divided by workers, that counts as linear."""
_MEASURED_SHARDS = 8
_FEWER = 10
"""A measured shard has a tenth of the reviewers of a simulated one, so that the measuring takes seconds."""


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("--index", type=Path, default=Path("movie-index"))
    parser.add_argument("--reviewers", type=int, default=3_826_085)
    parser.add_argument("--shard-size", type=int, default=SHARD_SIZE)
    asked = parser.parse_args()
    start, shards, handing = _measure(asked.index, max(1, asked.shard_size // _FEWER))
    num_shards = -(-asked.reviewers // asked.shard_size)
    drawn = np.random.default_rng(0).choice(_FEWER * np.array(shards), num_shards).tolist()
    alone = simulate(drawn, 1, start, handing)
    rows: list[dict[str, Any]] = []
    for workers in WORKERS:
        seconds = simulate(drawn, workers, start, handing)
        efficiency = alone / seconds / workers
        row = {"workers": workers, "seconds": round(seconds, 1), "speed_up": round(alone / seconds, 2)}
        rows.append({**row, "efficiency": round(efficiency, 3)})
    linear = [row["workers"] for row in rows if row["efficiency"] >= LINEAR]
    figures = {
        "reviewers": asked.reviewers,
        "shards": num_shards,
        "worker_start_s": round(start, 3),
        "shard_s": {"mean": round(_FEWER * float(np.mean(shards)), 3), "max": round(_FEWER * max(shards), 3)},
        "handing_out_s": round(handing, 4),
        "simulated": rows,
        "linear_up_to": max(linear),
    }
    write_figures(figures, asked.json)


def simulate(shards: Sequence[float], workers: int, start: float, handing: float) -> float:
    """Returns the seconds until the last shard is kept, if each goes to the worker that is free first.

    Args:
        shards: the seconds of each shard.
        workers: the number of workers.
        start: the seconds in which a worker starts; all start at once, each on a core of its own.
        handing: the seconds in which one process hands out a shard and keeps its file, one after another.
    """
    free = [start] * workers
    heapq.heapify(free)
    kept = 0.0
    for seconds in shards:
        kept = max(kept, heapq.heappop(free) + seconds) + handing
        heapq.heappush(free, kept)
    return max(free)


def _measure(index: Path, size: int) -> tuple[float, list[float], float]:
    """Measures the start of a worker, the seconds of some shards, and the seconds around each shard."""
    engine = Engine.load(index)
    rows = np.random.default_rng(0).permutation(engine.num_reviewers)
    settings = (str(index), engine.info()["build"], 10, "parquet", {})
    code = f"from pipelines.batch.worker import Worker; Worker(*{settings!r}, print)"
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    start = time.perf_counter() - started
    worker = Worker(*settings, lambda _: None)
    shards = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(_MEASURED_SHARDS + 1):
            begin = number * size % max(1, len(rows) - size)
            started = time.process_time()
            worker.write(Path(folder) / f"{number}.parquet", rows[begin : begin + size].tolist())
            shards.append(time.process_time() - started)
        ids = engine.reviewer_ids(rows[: _MEASURED_SHARDS * size])
        handing = []
        for divided in (len(ids), -(-len(ids) // 64)):
            started = time.process_time()
            place = Path(folder) / f"lists-{divided}"
            made = recommend_all(index, place, reviewers=ids, shard_size=divided, processes=1)
            handing.append((made["num_shards"], time.process_time() - started))
    (few, once), (many, often) = handing
    return start, shards[1:], max(0.0, often - once) / max(1, many - few)


if __name__ == "__main__":
    main()
