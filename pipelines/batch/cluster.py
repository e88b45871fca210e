"""Makes the recommendation lists of shards (parts of the reviewers) in worker processes of Ray.

A worker process opens the index once, and makes the lists of one shard after another. The worker process
sends the complete file of each shard to the calling process, and the calling process alone writes to the
output. If a worker process is lost, Ray makes the lists of its shard again in another worker process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from engine.artifact.locks import temporary_folder
from pipelines.batch.shards import Shards
from pipelines.batch.worker import Worker
from pipelines.work.cluster import scratch_folder
from pipelines.work.runners import Runner


def run_on_ray(
    shards: Shards, settings: Mapping[str, Any], workers: Runner, on_lists: Callable[[int], None]
) -> None:
    """Writes the recommendation lists of all missing shards (parts of the reviewers), made by workers of Ray.

    The argument `settings` holds the arguments of `Worker` except `on_lists`, as JSON values. The function
    `on_lists` gets the number of lists in each complete shard.

    Raises:
        EngineError: a worker cannot make lists, or was lost again and again; the files of complete shards are
            kept.
    """
    missing = shards.missing()
    shared = workers.share(json.dumps(settings))
    calls = ((shared, shard.reviewer_rows) for shard in missing)
    for position, (num_rows, content) in workers.run(make_lists, calls):
        shard = missing[position]
        shards.write(shard, content, num_rows)
        on_lists(len(shard.reviewer_rows))


def make_lists(settings: str, reviewer_rows: Sequence[int | str]) -> tuple[int, bytes]:
    """Makes the lists of a shard; returns the number of lines and the bytes of the shard's file."""
    with temporary_folder(scratch_folder()) as folder:
        path = folder / "lists"
        num_rows = _worker(settings).write(path, reviewer_rows)
        return num_rows, path.read_bytes()


@lru_cache(maxsize=1)
def _worker(settings: str) -> Worker:
    """Opens the index in a worker of Ray, once for all shards of a run."""
    return Worker(**json.loads(settings), on_lists=lambda number: None)
