"""Makes the recommendation lists of shards (parts of the reviewers) in worker processes of Ray.

A worker opens the index once, and makes the lists of one shard after another. A worker sends the complete
file of a shard back, so that only this process writes to the output. The unfinished file of a lost worker is
never seen, and Ray makes the lists of the shard again.
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
    """Writes the lists of all missing shards (parts of the reviewers), made by workers of Ray.

    The argument `settings` holds the arguments of `Worker` except `on_lists`, as JSON values. The number of
    lists of each complete shard is passed to `on_lists`.

    Raises:
        EngineError: a worker cannot make lists, or was lost again and again; complete shards are kept.
    """
    missing = shards.missing()
    shared = workers.share(json.dumps(settings))
    calls = ((shared, shard.reviewer_rows) for shard in missing)
    for position, (num_rows, content) in workers.run(make_lists, calls):
        shard = missing[position]
        shards.write(shard, content, num_rows)
        on_lists(len(shard.reviewer_rows))


def make_lists(settings: str, reviewer_rows: Sequence[int | str]) -> tuple[int, bytes]:
    """Makes the lists of a shard in a worker; returns the number of lines and the bytes of the file."""
    with temporary_folder(scratch_folder()) as folder:
        path = folder / "lists"
        num_rows = _worker(settings).write(path, reviewer_rows)
        return num_rows, path.read_bytes()


@lru_cache(maxsize=1)
def _worker(settings: str) -> Worker:
    """Opens the index in a worker, once for all shards of a run."""
    return Worker(**json.loads(settings), on_lists=lambda number: None)
