"""Runs child processes that make recommendation lists, one shard (a part of the reviewers) after another."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from engine.errors import DataError
from pipelines.batch.shards import Shard, Shards


def run_shards(
    shards: Shards, settings: Mapping[str, Any], most: int, on_lists: Callable[[int], None]
) -> None:
    """Makes and writes the lists of all missing shards in at most `most` child processes.

    Each child process makes the lists of one missing shard after another, until no shard is missing. The
    argument `settings` holds the arguments of `Worker`, except `on_lists`, as JSON values. The function
    `on_lists` is called, in several threads, with the number of lists that were just made.

    Raises:
        DataError: a child process failed or ended early. The files of the shards that are complete by then
            are kept, so that another run can resume.
    """
    missing = shards.missing()
    if not missing:
        return
    waiting: queue.SimpleQueue[Shard] = queue.SimpleQueue()
    for shard in missing:
        waiting.put(shard)
    number = min(most, len(missing))
    with ExitStack() as stack:
        processes = [stack.enter_context(ListProcess(shards.lock)) for _ in range(number)]
        for process in processes:
            process.tell(settings)
        pool = stack.enter_context(ThreadPoolExecutor(number))
        ends = [pool.submit(_feed, process, waiting, shards, on_lists) for process in processes]
        try:
            for end in ends:
                end.result()
        except BaseException:
            # The threads of the pool wait for the child processes, so the pool ends only after every child
            # process has ended.
            for process in processes:
                process.kill()
            raise


def _feed(
    process: ListProcess, waiting: queue.SimpleQueue[Shard], shards: Shards, on_lists: Callable[[int], None]
) -> None:
    """Gives one shard after another to a child process, until no shard is waiting."""
    process.wait_for("ready", on_lists)
    while True:
        try:
            shard = waiting.get_nowait()
        except queue.Empty:
            return
        path = str(shards.unfinished_path(shard))
        process.tell({"path": path, "reviewer_rows": list(shard.reviewer_rows)})
        shards.keep(shard, process.wait_for("written", on_lists))


class ListProcess:
    """Runs a child process that makes lists; tasks go to the child, and reports come back, as lines of JSON.

    The child process has a process group of its own, so that Ctrl-C in a terminal interrupts only the parent
    process, which then kills the child. The child process inherits `lock`, the file descriptor of the lock on
    the output. The output therefore stays locked until both the parent process and the child process have
    ended.
    """

    def __init__(self, lock: int) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        # As many child processes run as the machine has cores, so child processes of several threads would
        # compete for the cores.
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.batch.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            process_group=0,
            pass_fds=(lock,),
        )

    def __enter__(self) -> ListProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, task: Mapping[str, Any]) -> None:
        """Sends a task to the child process as one line of JSON.

        Raises:
            DataError: the child process has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def wait_for(self, name: str, on_lists: Callable[[int], None]) -> int:
        """Reads reports of the child until a report has the entry `name`; returns the value of the entry.

        A report without the entry `name` holds the number of lists that the child has just made; the function
        `on_lists` is called with this number.

        Raises:
            DataError: the child process has ended; or the child reports an error.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line)
            if "error" in report:
                raise DataError(report["error"])
            if name in report:
                return int(report[name])
            on_lists(report["done"])
        raise self._ended()

    def kill(self) -> None:
        """Kills the child process; threads that wait for a report of the child then get an error."""
        self._process.kill()

    def _ended(self) -> DataError:
        return DataError(
            f"A process that makes lists ended early, with code {self._process.wait()}; what is complete is "
            "kept, so give the same command again to go on, with fewer --processes if memory ran out"
        )
