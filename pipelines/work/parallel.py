"""Runs a function over many texts in several processes, and reads an iterator ahead in a thread."""

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
"""Texts that are worth a process; fewer take less time than starting an interpreter."""
_NUM_READ_AHEAD = 2
"""Items that the thread of `read_ahead` holds ready."""


def map_texts(function: Callable[[str], _Result], texts: Sequence[str], *, threads: int = 0) -> list[_Result]:
    """Applies a function to every text, in several processes if there are many; returns the results in order.

    Each process is a fresh interpreter, which imports the function by its module and name. A fork would copy
    the locks of DuckDB's and TensorFlow's threads. The other methods of `multiprocessing` run the caller's
    main module again, which a script without a guard does not survive. The function must stand at the top
    level of its module, and return what JSON can hold. At most `threads` processes run, or one a core if 0.
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
    """Yields the items of another iterator, which runs a little ahead in a thread of its own.

    Decompression and DuckDB both release the interpreter's lock, so they run at the same time.
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
        except BaseException as error:  # raised below, in the reader's thread
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
