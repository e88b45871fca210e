"""Reads the files of a build in workers of Ray and on one machine, and compares the tables and the account.

    python benchmarks/ray_reading.py [--reviews 100000] [--files DIR] [--parts 16] [--workers 2] [--json FILE]

The synthetic reviews are divided into `--parts` files of consecutive lines, and the metadata into a fourth as
many. Processor seconds are given, since seconds of the clock say little on a machine with other work. The
memory of workers is the largest of any worker, as the system shows it, with the libraries that all share.
"""

from __future__ import annotations

import gzip
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
from measuring import parser_for, synthetic_files, write_figures

from engine.config.sections import Config
from pipelines.ingest.ingest import ingest
from pipelines.inputs.named import inputs_of
from pipelines.work.database import work_database
from pipelines.work.runners import Runner, runner_for

_TABLES = ("reviews", "reviewers", "movies", "cold_movies", "cold_reviews", "rejected", "rejected_metadata")
_INTERVAL = 1.0
"""Seconds between two looks at memory."""


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("--reviews", type=int, default=100_000)
    parser.add_argument("--files", type=Path, help="a folder with reviews.json.gz and metadata.json.gz")
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="parts-") as name:
        folder = Path(name)
        whole = synthetic_files(asked.reviews, asked.files)
        for path, number in zip(whole, (asked.parts, max(asked.parts // 4, 1)), strict=True):
            _divide(path, folder / path.name.partition(".")[0], number)
        found = {}
        for place, on in (("here", None), ("ray", "ray")):
            with runner_for(on, processes=asked.workers, threads=1) as runner:
                found[place] = _read(folder, runner)
    tables = [one.pop("tables") for one in found.values()]
    same = {table: tables[0][table] == tables[1][table] for table in _TABLES}
    accounts = [one.pop("account") for one in found.values()]
    write_figures({**found, "same_tables": same, "same_account": accounts[0] == accounts[1]}, asked.json)


def _divide(path: Path, folder: Path, number: int) -> None:
    folder.mkdir()
    with gzip.open(path, "rb") as source:
        size = -(-sum(1 for _ in source) // number)
    with gzip.open(path, "rb") as source:
        for part in range(number):
            with gzip.open(folder / f"part-{part:03}.json.gz", "wb", compresslevel=1) as target:
                target.writelines(islice(source, size))


def _read(folder: Path, runner: Runner) -> dict[str, Any]:
    """Reads the files as a build does; returns costs, the account, and the number and a hash of all rows."""
    config = Config()
    inputs = inputs_of(folder / "reviews", folder / "metadata")
    with inputs as given, work_database(config.ingest) as database, _watched() as peaks:
        before, own, started = _of_children(), time.process_time(), time.perf_counter()
        settings: dict[str, Any] = {"compare_text": True, "cold": config.cold, "runner": runner}
        accounting = ingest(database, *given, config.ingest, **settings)
        costs = {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - own,
            "cpu_seconds_of_workers": _of_children() - before,
        }
        tables = {}
        for table in _TABLES:
            row = ", ".join(f'"{name}"' for name in database.table(table).columns)
            statement = f"select count(*), sum(hash({row})::hugeint % 1000000007) from {table}"
            tables[table] = database.execute(statement).fetchone()
    return {**costs, **peaks, "rows": accounting.read, "tables": tables, "account": accounting.to_dict()}


def _of_children() -> float:
    """Returns the processor seconds of all child processes that run."""
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


@contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """Yields a dictionary that gets the peak memory of this process and of the largest worker, in GiB."""
    peaks = {"gib": 0.0, "gib_of_worker": 0.0}
    ended = threading.Event()

    def watch() -> None:
        own = psutil.Process()
        while not ended.wait(_INTERVAL):
            peaks["gib"] = max(peaks["gib"], own.memory_info().rss / 2**30)
            for process in own.children(recursive=True):
                with suppress(psutil.Error):
                    if process.name().startswith("ray::"):
                        size = process.memory_info().rss / 2**30
                        peaks["gib_of_worker"] = max(peaks["gib_of_worker"], size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()


if __name__ == "__main__":
    main()
