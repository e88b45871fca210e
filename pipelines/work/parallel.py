"""Applies a function to many texts in child processes, and reads ahead from an iterator in a thread."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_TEXTS_PER_PROCESS = 1_000
"""Texts per child process; the work on fewer texts takes less time than the start of an interpreter."""
_NUM_READ_AHEAD = 2
"""The most items in the queue that the thread of `read_ahead` fills."""


def map_texts(function: Callable[[str], _Result], texts: Sequence[str], *, threads: int = 0) -> list[_Result]:
    """Applies a function to every text, in child processes if there are many texts; returns results in order.

    Each child process is a new interpreter that imports the function by module and name. A fork would copy
    locks that DuckDB's and TensorFlow's threads hold. The start methods "spawn" and "forkserver" of
    `multiprocessing` would run the caller's main script again, unless the script tests `__name__`. The
    function must be defined at the top level of a module, and must return values that JSON can hold. At most
    `threads` child processes run, or one per core if `threads` is 0.
    """
    num_processes = min(threads or os.cpu_count() or 1, -(-len(texts) // _TEXTS_PER_PROCESS))
    if num_processes <= 1:
        return [function(text) for text in texts]
    size = -(-len(texts) // num_processes)
    shares = [texts[start : start + size] for start in range(0, len(texts), size)]
    with ThreadPoolExecutor(num_processes) as pool:
        results = pool.map(lambda share: _map_in_process(function, share), shares)
        return [result for part in results for result in part]


def _map_in_process(function: Callable[[str], _Result], texts: Sequence[str]) -> list[_Result]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.work.parallel", function.__module__, function.__name__],
        input=json.dumps(list(texts)).encode("ascii"),
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
    )
    results: list[_Result] = json.loads(done.stdout)
    return results


def _main(module: str, name: str) -> None:
    function: Callable[[str], Any] = getattr(import_module(module), name)
    texts = json.load(sys.stdin.buffer)
    sys.stdout.buffer.write(json.dumps([function(text) for text in texts]).encode("ascii"))


def read_ahead(items: Iterator[_Item]) -> Generator[_Item, None, None]:
    """Yields the items of an iterator that runs in a thread, a few items ahead of the caller.

    Decompression and DuckDB release the global interpreter lock, so that reading the next block runs in
    parallel with DuckDB's work on a block.
    """
    ready: queue.Queue[tuple[bool, _Item | BaseException | None]] = queue.Queue(_NUM_READ_AHEAD)
    abandoned = threading.Event()

    def offer(entry: tuple[bool, _Item | BaseException | None]) -> bool:
        while not abandoned.is_set():
            try:
                ready.put(entry, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not offer((True, item)):
                    return
        except BaseException as error:  # raised again below, in the thread that reads the items
            offer((False, error))
        else:
            offer((False, None))

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            more, entry = ready.get()
            if more:
                yield entry  # type: ignore[misc]
            elif entry is None:
                return
            else:
                raise entry  # type: ignore[misc]
    finally:
        abandoned.set()
        thread.join()


if __name__ == "__main__":
    _main(*sys.argv[1:])
