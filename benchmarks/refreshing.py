"""Builds and updates an index again and again while a service answers from it under load.

    python benchmarks/refreshing.py [--refreshes 10] [--connections 16] [--workers 2] [--json FILE]

Each refresh is an `engine build-index` with another seed and an `engine add-reviews`. Every third refresh
ends with an `engine rollback`. Meanwhile each connection asks one question after another. The header of an
answer names the build that answered. At the end, a copy of each build is asked the same questions in Python.
An answer of the service must be the same bytes, so that no answer can mix two builds. The script ends with
the exit code 1 if a request failed, an answer differs, memory grew, a process holds a deleted file, or a file
was left behind.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from kills import engine, write_movies, write_reviews
from measuring import parser_for, write_figures
from serving import Service, request

from engine import Engine, responses
from engine.artifact.builds import kept_builds

_QUICK = (
    *("report.baselines_up_to=0", "relevance.max_rounds=1", "rating.max_rounds=1", "relevance.num_members=1"),
    *("relevance.embedding_dim=8", "split.max_holdouts=1", "split.test_share=0"),
)
"""Settings that make builds short."""
_NUM_REVIEWERS, _NUM_MOVIES = 60, 40
_SETTLING = 5.0
"""Seconds in which both workers notice the last build, and end what they began with the build before."""
_LONGEST_HELD = 60.0
"""Seconds after the load within which the workers must have closed every deleted file."""
_MOST_GROWTH = 0.1
"""The largest share by which the memory of a worker may grow from the first half of the run to the last."""
_TRACES = {"CURRENT", ".lock", ".live-lock"}

Ask = Callable[[Engine], Any]


def questions() -> dict[str, Ask]:
    """Returns questions by path: as the service gets them, and as a function of an engine."""

    def listed(reviewer: str, **options: Any) -> Ask:
        return lambda engine: responses.list_of_reviewer(
            reviewer, 10, engine.recommend(reviewer, 10, **options)
        )

    def similar(movie: str) -> Ask:
        return lambda engine: responses.similar_movies(movie, engine.title(movie), engine.similar(movie, 10))

    found: dict[str, Ask] = {}
    for number in range(0, _NUM_REVIEWERS, 3):
        reviewer, place = f"R{number:03d}", "/v1/recommend/reviewer"
        found[f"{place}/{reviewer}"] = listed(reviewer)
        condition = f"movie_count > {number % 7}"
        found[f"{place}/{reviewer}?where={quote(condition)}"] = listed(reviewer, where=condition)
        found[f"/v1/reviewers/{reviewer}"] = lambda engine, one=reviewer: responses.profile(
            engine.reviewer(one)
        )
    found[f"{place}/nobody?fallback=popular"] = listed("nobody", fallback="popular")
    for number in range(0, _NUM_MOVIES, 3):
        movie = f"M{number:03d}"
        found[f"/v1/similar/movie/{movie}"] = similar(movie)
        found[f"/v1/movies/{movie}"] = lambda engine, one=movie: responses.profile(engine.movie(one))
    return found


class Load:
    """Asks questions over several connections, and notes every status and every different answer."""

    def __init__(self, port: int, paths: Sequence[str]) -> None:
        self._port, self._paths = port, paths
        self.statuses: Counter[str] = Counter()
        self.answers: dict[tuple[str, str], set[bytes]] = {}
        """The different answers to each path by each build."""
        self.done = False

    async def ask_on(self, place: int) -> None:
        """Asks one question after another over one connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not self.done:
            path = self._paths[place % len(self._paths)]
            place += 7
            try:
                writer.write(request(path))
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = (line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in fields}
                body = await reader.readexactly(int(headers["content-length"]))
            except (OSError, asyncio.IncompleteReadError) as error:
                self.statuses[type(error).__name__] += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                continue
            self.statuses[head[0].split()[1]] += 1
            if "x-index-build" in headers:
                self.answers.setdefault((path, headers["x-index-build"]), set()).add(body)
        writer.close()


class Refresher:
    """Builds, updates and rolls back an index, and keeps a copy of each build for later comparison."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.index, self.copies = folder / "index", folder / "copies"
        self.copies.mkdir()
        write_movies(folder / "movies.csv", range(_NUM_MOVIES))
        self._environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
        (folder / "tmp").mkdir()

    def build(self, seed: int) -> None:
        """Builds the index with other reviews and another seed."""
        write_reviews(self._folder / "reviews.csv", range(_NUM_REVIEWERS), 10 + seed % 3)
        quick = [word for setting in _QUICK for word in ("--set", setting)]
        files = [str(self._folder / "reviews.csv"), "--metadata", str(self._folder / "movies.csv")]
        self._run("build-index", *files, *quick, "--seed", str(seed), "--output", str(self.index))

    def add(self, number: int) -> None:
        """Adds a few reviews by known and by new reviewers."""
        write_reviews(self._folder / "more.csv", range(number, number + 5), 14)
        self._run("add-reviews", str(self._folder / "more.csv"), "--index", str(self.index))

    def roll_back(self) -> None:
        """Makes the build before live again."""
        self._run("rollback", "--index", str(self.index))

    def _run(self, *words: str) -> None:
        command = [*engine(), *words]
        subprocess.run(command, check=True, capture_output=True, env=self._environment)
        for build in kept_builds(self.index):
            if not (self.copies / build.name).exists():
                shutil.copytree(self.index / build.name, self.copies / build.name, copy_function=os.link)

    def left_behind(self) -> list[str]:
        """Returns the names of files that should not be there."""
        names = {path.name for path in self.index.iterdir()} - _TRACES
        surplus = sorted(names - {build.name for build in kept_builds(self.index)[:2]})
        return surplus + [f"tmp/{path.name}" for path in (self._folder / "tmp").iterdir()]


def workers_of(pid: int) -> list[int]:
    """Returns the numbers of the processes that answer: those of a service that map a vector file."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        try:
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
            if "movie_vectors" in Path(f"/proc/{one}/maps").read_text():
                found.append(one)
        except OSError:
            continue
    return found


def private_bytes(pid: int) -> int:
    """Returns the memory that a process shares with no other process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def deleted_files(pid: int, index: Path) -> int:
    """Returns how many deleted files of an index a process still holds open or mapped."""
    mapped = {line.split(maxsplit=5)[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()}
    opened = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    return sum(str(index) in name and name.endswith("(deleted)") for name in mapped | opened)


async def measure(refresher: Refresher, service: Service, asked: Any) -> dict[str, Any]:
    """Refreshes the index while the service is under load, and returns what was found."""
    load = Load(service.port, list(questions()))
    askers = [asyncio.create_task(load.ask_on(place)) for place in range(asked.connections)]
    workers, memory = workers_of(service.pid), []
    started = time.perf_counter()
    for number in range(asked.refreshes):
        await asyncio.to_thread(refresher.build, number + 1)
        await asyncio.to_thread(refresher.add, 2 * number)
        if number % 3 == 2:
            await asyncio.to_thread(refresher.roll_back)
        await asyncio.sleep(1.5)
        memory.append([private_bytes(pid) for pid in workers])
        print(f"refresh {number + 1}: {sum(load.statuses.values()):,} answers", file=sys.stderr, flush=True)
    await asyncio.sleep(_SETTLING)
    seconds = time.perf_counter() - started
    load.done = True
    await asyncio.gather(*askers)
    until = time.perf_counter() + _LONGEST_HELD
    while any(deleted_files(pid, refresher.index) for pid in workers) and time.perf_counter() < until:
        await asyncio.sleep(0.1)
    half = len(memory) // 2
    early, late = memory[: half or 1], memory[half:]
    growth = [
        statistics.median(row[place] for row in late) / statistics.median(row[place] for row in early) - 1
        for place in range(len(workers))
    ]
    return {
        "refreshes": asked.refreshes,
        "workers": len(workers),
        "answers": sum(load.statuses.values()),
        "answers_a_second": round(sum(load.statuses.values()) / seconds),
        "failed": {status: number for status, number in load.statuses.items() if status != "200"},
        "builds_that_answered": len({build for _, build in load.answers}),
        "wrong_answers": wrong_answers(load, refresher.copies),
        "private_megabytes": [[round(one / 1e6, 1) for one in row] for row in memory],
        "growth": [round(one, 3) for one in growth],
        "deleted_files_held": [deleted_files(pid, refresher.index) for pid in workers],
        "left_behind": refresher.left_behind(),
    }


def wrong_answers(load: Load, copies: Path) -> int:
    """Counts the answers that differ from what the build in their header answers in Python."""
    asks, wrong = questions(), 0
    engines = {build: Engine.load(copies / build) for build in sorted({build for _, build in load.answers})}
    for (path, build), found in load.answers.items():
        expected = orjson.dumps(asks[path](engines[build]), default=str, option=orjson.OPT_SERIALIZE_NUMPY)
        wrong += len(found - {expected})
    return wrong


def main() -> None:
    """Prints one JSON object, and ends with 1 if something went wrong."""
    parser = parser_for(__doc__)
    parser.add_argument("--refreshes", type=int, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-refreshing-") as folder:
        refresher = Refresher(Path(folder))
        refresher.build(0)
        with Service(refresher.index, asked.workers) as service:
            service.wait("/v1/recommend/reviewer/R000")
            time.sleep(_SETTLING)
            figures = asyncio.run(measure(refresher, service, asked))
    write_figures(figures, asked.json)
    is_wrong = figures["failed"] or figures["wrong_answers"] or figures["left_behind"]
    if is_wrong or any(figures["deleted_files_held"]) or max(figures["growth"]) > _MOST_GROWTH:
        sys.exit(1)


if __name__ == "__main__":
    main()
