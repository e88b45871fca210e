"""Runs several functions at once, in threads or child processes, and reads ahead from an iterator."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from contextvars import ContextVar, copy_context
from importlib import import_module
from typing import Any, TypeVar

from engine.errors import DataError
from pipelines.work.progress import hide_training

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_TEXTS_PER_PROCESS = 1_000
"""The least number of texts for which a child process is started; the start of an interpreter takes longer
than the work on fewer texts."""
_NUM_READ_AHEAD = 2
"""The largest number of items in the queue that the thread of `read_ahead` fills."""
_SECONDS_TO_NOTICE = 0.1
"""A thread that waits for the queue of `read_ahead` wakes up after this many seconds, to check whether the
reading or the writing side has stopped."""
_SECONDS_TO_END = 2.0
"""The largest number of seconds that `read_ahead` waits at the end for the reading thread to end."""


def map_texts(function: Callable[[str], _Result], texts: Sequence[str], *, threads: int = 0) -> list[_Result]:
    """Applies a function to every text, for many texts in child processes; returns the results in order.

    Each child process is a new interpreter that imports the function by module and name. Child processes are
    not forked, because a forked process would inherit locks that threads of DuckDB and TensorFlow hold. The
    start methods "spawn" and "forkserver" of `multiprocessing` are not used, because they run the caller's
    main script again if the script does not test `__name__`. The argument `function` must be defined at the
    top level of a module, and must return values that JSON can hold. At most `threads` child processes run;
    if `threads` is 0, at most one child process per core runs.
    """
    num_processes = min(threads or os.cpu_count() or 1, -(-len(texts) // _TEXTS_PER_PROCESS))
    if num_processes <= 1:
        return [function(text) for text in texts]
    size = -(-len(texts) // num_processes)
    shares = [texts[start : start + size] for start in range(0, len(texts), size)]
    with ExitStack() as stack:
        processes = [_start_process(function) for _ in shares]
        pool = stack.enter_context(ThreadPoolExecutor(num_processes))
        # After an interrupt, the child processes are killed, and the threads of the pool then end at once.
        for process in processes:
            stack.callback(process.kill)
        parts = pool.map(_map_in_process, processes, shares)
        return [result for part in parts for result in part]


def _start_process(function: Callable[[str], Any]) -> subprocess.Popen[bytes]:
    """Starts a child process in a new process group, so that Ctrl-C does not stop the child process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.work.parallel", function.__module__, function.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        process_group=0,
    )


def _map_in_process(process: subprocess.Popen[bytes], texts: Sequence[str]) -> list[Any]:
    """Sends texts to a child process, and returns the results.

    Raises:
        DataError: the child process ended before all results were returned.
    """
    output, _ = process.communicate(json.dumps(list(texts)).encode("ascii"))
    if process.returncode:
        raise DataError(
            f"A process that reads texts ended early, with code {process.returncode}; if memory ran out, use "
            "fewer --threads"
        )
    results: list[Any] = json.loads(output)
    return results


def _main(module: str, name: str) -> None:
    """Applies the function `name` of the module `module` to texts from stdin; writes the results to stdout.

    Stdin must hold a JSON array of texts. The function writes a JSON array to stdout, with the result of the
    function `name` for each text, in the order of the texts. If the parent process is killed, the child
    process that runs `_main` ends, because stdin ends or stdout is closed.
    """
    function: Callable[[str], Any] = getattr(import_module(module), name)
    try:
        texts = json.load(sys.stdin.buffer)
    except ValueError:
        return
    results = json.dumps([function(text) for text in texts])
    with suppress(BrokenPipeError), os.fdopen(1, "wb", closefd=False) as output:
        output.write(results.encode("ascii"))


_stopping: ContextVar[threading.Event | None] = ContextVar("stopping", default=None)
"""An event that is set when one of the functions that `at_once` calls has failed."""


class Stopped(Exception):
    """Is raised by `stop_if_asked` to end a function of `at_once` after another function has failed."""


def at_once(functions: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Calls functions at the same time, in threads; returns each function's result under the function's name.

    The first function runs in the caller's thread, and is the only one whose trainings show progress bars. If
    a function fails, or if the user interrupts the program, the other functions end as soon as they call
    `stop_if_asked`, and the error is raised again.
    """
    stopping = threading.Event()
    results: dict[str, Any] = {}
    errors: list[BaseException] = []

    def call(name: str) -> None:
        _stopping.set(stopping)
        if name != own:
            hide_training()
        try:
            results[name] = functions[name]()
        except Stopped:
            pass
        except BaseException as error:  # The caller's thread raises the error again.
            errors.append(error)
            stopping.set()

    own, *others = functions
    threads = [threading.Thread(target=copy_context().run, args=(call, name), name=name) for name in others]
    for thread in threads:
        thread.start()
    copy_context().run(call, own)
    try:
        for thread in threads:
            thread.join()
    except BaseException:  # The user interrupted the wait.
        stopping.set()
        raise
    if errors:
        raise errors[0]
    return {name: results[name] for name in functions}


def stop_if_asked() -> None:
    """Raises `Stopped` if another function that `at_once` called at the same time has failed."""
    stopping = _stopping.get()
    if stopping is not None and stopping.is_set():
        raise Stopped


def read_ahead(
    items: Iterator[_Item], stopped: threading.Event | None = None
) -> Generator[_Item, None, None]:
    """Yields the items of an iterator; a thread runs the iterator a few items ahead of the caller.

    For example, the thread decompresses the next block of a file while DuckDB works on the current block.
    Decompression and DuckDB can run at the same time, because each releases Python's global lock. After
    `stopped` is set, no more items are yielded, even if the iterator waits for data from a pipe.
    """
    ready: queue.Queue[tuple[bool, _Item | BaseException | None]] = queue.Queue(_NUM_READ_AHEAD)
    abandoned = stopped or threading.Event()

    def offer(entry: tuple[bool, _Item | BaseException | None]) -> bool:
        while not abandoned.is_set():
            try:
                ready.put(entry, timeout=_SECONDS_TO_NOTICE)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not offer((True, item)):
                    return
        except BaseException as error:  # The thread that reads the items raises the error again.
            offer((False, error))
        else:
            offer((False, None))

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        while not abandoned.is_set():
            try:
                more, entry = ready.get(timeout=_SECONDS_TO_NOTICE)
            except queue.Empty:
                continue
            if more:
                yield entry  # type: ignore[misc]
            elif entry is None:
                return
            else:
                raise entry  # type: ignore[misc]
    finally:
        abandoned.set()
        # A thread that still waits for a pipe is left running; the thread ends with the process at the
        # latest.
        thread.join(timeout=_SECONDS_TO_END)


if __name__ == "__main__":
    _main(*sys.argv[1:])
