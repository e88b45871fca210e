"""Makes recommendation lists in worker processes of Ray, one shard (a part of the reviewers) after another.

A worker process opens the index once, and makes the lists of one shard after another. The worker sends the
file of each shard to the calling process, and only the calling process writes to the output. If a worker
process is killed, Ray makes the lists of the worker's shard again in another worker process.
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
    """Makes the recommendation lists of all missing shards in workers of Ray, and writes the lists to files.

    The argument `settings` holds the arguments of `Worker`, except `on_lists`, as JSON values. After each
    complete shard, the function `on_lists` is called with the number of lists in the shard.

    Raises:
        EngineError: a worker cannot make lists; or more than `MOST_LOST` workers (see
            `pipelines/work/sessions.py`) that made the lists of one shard were killed. After an error, the
            files of the shards that are complete are not deleted, so that another run can resume.
    """
    missing = shards.missing()
    shared = workers.share(json.dumps(settings))
    calls = ((shared, shard.reviewer_rows) for shard in missing)
    for position, (num_rows, content) in workers.run(make_lists, calls):
        shard = missing[position]
        shards.write(shard, content, num_rows)
        on_lists(len(shard.reviewer_rows))


def make_lists(settings: str, reviewer_rows: Sequence[int | str]) -> tuple[int, bytes]:
    """Makes the lists of a shard; returns the number of lines and the content of the shard's file."""
    with temporary_folder(scratch_folder()) as folder:
        path = folder / "lists"
        num_rows = _worker(settings).write(path, reviewer_rows)
        return num_rows, path.read_bytes()


@lru_cache(maxsize=1)
def _worker(settings: str) -> Worker:
    """Opens the index in a worker process of Ray; later calls return the index that is already open."""
    return Worker(**json.loads(settings), on_lists=lambda number: None)
