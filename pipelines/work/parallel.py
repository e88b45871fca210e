"""Work on many texts at once in processes of their own.

Each is a fresh interpreter that reads texts from its stdin and writes what it made of them to its stdout.
A fork would copy the locks of DuckDB's and TensorFlow's threads, and the other ways of `multiprocessing` run
the caller's main module again, which a script without a guard does not survive.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

_FEW = 1_000
"""So many texts are done here and now, sooner than an interpreter starts."""


def map_texts(name: str, texts: Sequence[str], *, threads: int = 0) -> list[str]:
    """Applies a named function to every text, in order.

    Args:
        name: "links", "literal" or "sentiment".
        texts: what to apply it to.
        threads: the most processes at a time; 0 takes one a core.
    """
    num_processes = min(threads or os.cpu_count() or 1, -(-len(texts) // _FEW))
    if num_processes <= 1:
        function = _function(name)
        return [function(text) for text in texts]
    size = -(-len(texts) // num_processes)
    shares = [texts[start : start + size] for start in range(0, len(texts), size)]
    with ThreadPoolExecutor(num_processes) as pool:
        results = pool.map(lambda share: _map_in_process(name, share), shares)
        return [result for part in results for result in part]


def _map_in_process(name: str, texts: Sequence[str]) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.work.parallel", name],
        input=json.dumps(list(texts)).encode("ascii"),
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
    )
    results: list[str] = json.loads(done.stdout)
    return results


def _function(name: str) -> Callable[[str], str]:
    """The function of that name, imported only where it is wanted."""
    if name == "links":
        from pipelines.reading.links import links_of

        return lambda text: json.dumps(links_of(text))
    if name == "sentiment":
        from pipelines.dataset.sentiment import sentiment_of

        return lambda text: "" if (found := sentiment_of(text)) is None else repr(found)
    from pipelines.reading.literals import literal_to_json

    return literal_to_json


def _main() -> None:
    function = _function(sys.argv[1])
    texts = json.load(sys.stdin.buffer)
    sys.stdout.buffer.write(json.dumps([function(text) for text in texts]).encode("ascii"))


if __name__ == "__main__":
    _main()
