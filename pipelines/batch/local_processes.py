"""Runs shards in processes of this machine."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from pipelines.batch.shards import Shards
from pipelines.work.progress import progress_of_lists

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _Shard(NamedTuple):
    number: int
    begin: int
    end: int


def _make(
    shards: Shards,
    todo: Sequence[_Shard],
    rows: NDArray[np.int64] | None,
    setup: Mapping[str, Any],
    processes: int,
    num_reviewers: int,
) -> None:
    """Lets processes make the shards that are missing, each the next one."""
    waiting: queue.SimpleQueue[_Shard] = queue.SimpleQueue()
    for shard in todo:
        waiting.put(shard)
    done = num_reviewers - sum(shard.end - shard.begin for shard in todo)
    wanted = min(processes, len(todo))
    with (
        progress_of_lists("Recommending", num_reviewers, done) as on_lists,
        _processes(wanted) as started,
        ThreadPoolExecutor(wanted) as pool,
    ):
        ends = [pool.submit(_run, process, setup, waiting, rows, shards, on_lists) for process in started]
        try:
            for end in ends:
                end.result()
        except BaseException:
            for process in started:
                process.kill()
            raise


def _run(
    process: subprocess.Popen[str],
    setup: Mapping[str, Any],
    waiting: queue.SimpleQueue[_Shard],
    rows: NDArray[np.int64] | None,
    shards: Shards,
    on_lists: Callable[[int], None],
) -> None:
    """Hands shards to one process until none is left."""
    _tell(process, setup)
    _wait_for(process, "ready", on_lists)
    while True:
        try:
            shard = waiting.get_nowait()
        except queue.Empty:
            return
        task: dict[str, Any] = {"path": str(shards.unfinished_path(shard.number))}
        if rows is None:
            task |= {"begin": shard.begin, "end": shard.end}
        else:
            task["rows"] = rows[shard.begin : shard.end].tolist()
        _tell(process, task)
        num_rows = _wait_for(process, "written", on_lists)
        shards.keep(shard.number, shard.end - shard.begin, num_rows)


def _tell(process: subprocess.Popen[str], task: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
    except OSError as error:
        raise _ended(process) from error


def _wait_for(process: subprocess.Popen[str], report: str, on_lists: Callable[[int], None]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        said = json.loads(line)
        if "error" in said:
            raise DataError(said["error"])
        if report in said:
            return int(said[report])
        on_lists(said["done"])
    raise _ended(process)


def _ended(process: subprocess.Popen[str]) -> DataError:
    return DataError(
        f"A process that makes lists ended before its time, with code {process.wait()}; what is complete is "
        "kept, so give the same command again to go on, with fewer --processes if memory ran out"
    )


@contextmanager
def _processes(number: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Starts processes that make lists; they end with the block, whatever happens."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    # As many processes as cores, so one thread each: more would wait for one another.
    environment |= dict.fromkeys(_ONE_THREAD, "1")
    command = [sys.executable, "-m", "pipelines.batch.worker"]
    started = []
    try:
        for _ in range(number):
            started.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    env=environment,
                )
            )
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()
