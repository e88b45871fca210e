"""Kills each writing command at random moments, and checks that nothing is half-written or left behind.

    python benchmarks/kills.py [COMMAND]... [--kills 15] [--seed 0] [--json FILE]

Each command runs once unbroken, and is then killed again and again by SIGKILL, SIGTERM and SIGINT in turn, at
random moments of the time that the unbroken run took. After each kill, an index must be the old or the new
one, pass all checks and answer; a file must be absent, old or whole. After SIGTERM and SIGINT, the command
must have said one sentence, must have ended with 143 or 130, and must have removed its temporary folders. At
last an unbroken run must give what the first run gave, and must leave nothing behind in the folder for
temporary files, beside the output and in the index.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import parser_for, write_figures

from engine import Engine
from engine.artifact.reader import Artifact

_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
QUICK = (
    *("report.baselines_up_to=0", "relevance.max_rounds=2", "rating.max_rounds=2", "relevance.num_members=1"),
    *("relevance.embedding_dim=4", "split.max_holdouts=1"),
)
"""Settings that make builds short; their results only need to be equal."""
_EARLIEST = 0.3
"""Seconds from the start of a process to the earliest kill, in which Python itself starts."""
_OF_A_RUN = ("build", "build_before", "created", "when", "rebuilt", "files", "seconds")
"""The entries of a manifest that differ from one run to the next."""


@dataclass(frozen=True)
class Case:
    """Holds a command to kill, and how to tell what the command left."""

    words: Sequence[str]
    output: str
    """The name of the file or directory that the command writes, in the folder of the case."""
    is_index: bool = False
    starts_from: str | None = None
    """The name of the folder that is copied to `output` before the first run."""
    keeps: Sequence[str] = ()
    """Names of further files that the command keeps beside the output."""
    read: Callable[[Path], Any] | None = None
    """Reads an output file as a value that is equal for equal results."""


def main() -> None:
    """Kills the commands that are asked for, prints a line for each command, and writes the figures."""
    parser = parser_for(__doc__)
    parser.add_argument("commands", nargs="*", metavar="COMMAND")
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-kills-") as folder:
        base = Path(folder)
        cases = prepare_cases(base)
        figures = {}
        for name, case in cases.items():
            if not asked.commands or name in asked.commands:
                figures[name] = Killer(base, name, case, random.Random(f"{asked.seed} {name}")).run(
                    asked.kills
                )
                print(name, json.dumps(figures[name]), file=sys.stderr, flush=True)
    write_figures(figures, asked.json)
    print(as_table(figures))


def prepare_cases(base: Path) -> dict[str, Case]:
    """Writes small input files and an index, and returns the commands to kill, by name."""
    reviews, metadata = base / "reviews.csv", base / "movies.csv"
    write_reviews(reviews, range(60), 12)
    write_reviews(base / "first.csv", range(40), 12)
    write_reviews(base / "more.csv", range(50, 70), 5)
    write_movies(metadata, range(40))
    write_movies(base / "more_movies.csv", range(40, 50))
    quick = [word for setting in QUICK for word in ("--set", setting)]
    build = ["build-index", str(reviews), "--metadata", str(metadata), *quick, "--output"]
    old = ["build-index", str(base / "first.csv"), "--metadata", str(metadata), *quick, "--output"]
    subprocess.run([*engine(), *old, str(base / "old")], check=True, capture_output=True)
    shutil.copytree(base / "old", base / "two")
    more = ["add-reviews", str(base / "more.csv"), "--index", str(base / "two")]
    subprocess.run([*engine(), *more], check=True, capture_output=True)
    remote = f"file://{base / 'remote'}"
    subprocess.run([*engine(), "push", str(base / "two"), remote], check=True, capture_output=True)
    with (base / "everyone.csv").open("w", encoding="utf-8") as file:
        file.write("".join(f"R{number:03d}\n" for number in range(40)))
    index = ["--index", str(base / "old")]
    return {
        "build-index": Case([*build, "OUTPUT"], "index", is_index=True, starts_from="old"),
        "build-index --resume": Case(
            [*build, "OUTPUT", "--resume"], "index", is_index=True, starts_from="old"
        ),
        "add-reviews": Case(
            ["add-reviews", str(base / "more.csv"), "--index", "OUTPUT"],
            "index",
            is_index=True,
            starts_from="old",
        ),
        "add-movies": Case(
            ["add-movies", str(base / "more_movies.csv"), "--index", "OUTPUT"],
            "index",
            is_index=True,
            starts_from="old",
        ),
        "reindex": Case(
            ["reindex", "--kind", "flat", "--index", "OUTPUT"], "index", is_index=True, starts_from="old"
        ),
        "rollback": Case(["rollback", "--index", "OUTPUT"], "index", is_index=True, starts_from="two"),
        "pull": Case(["pull", remote, "OUTPUT"], "index", is_index=True, starts_from="old"),
        "push": Case(["push", str(base / "two"), "file://OUTPUT"], "index", is_index=True, starts_from="old"),
        "prepare": Case(
            ["prepare", str(reviews), "--metadata", str(metadata), "--output", "OUTPUT"],
            "prepared.parquet",
            read=read_table,
        ),
        "recommend all": Case(
            ["recommend", "all", *index, "--shard-size", "5", "--output", "OUTPUT"],
            "lists.parquet",
            read=read_table,
        ),
        "explore": Case(["explore", str(reviews), "--output", "OUTPUT"], "page.html", read=read_page),
        "evaluate": Case(
            ["evaluate", str(reviews), *quick, "--models", "ncf,popularity", "--output", "OUTPUT"],
            "page.html",
            read=read_evaluation,
        ),
        "tune": Case(
            ["tune", str(reviews), *quick, "--trials", "2", "--time-budget", "1h", "--output", "OUTPUT"],
            "recipe.toml",
            keeps=("recipe.trials.sqlite",),
            read=read_page,
        ),
    }


class Killer:
    """Kills one command again and again, and counts what each kill left."""

    def __init__(self, base: Path, name: str, case: Case, chance: random.Random) -> None:
        self._base = base
        self._case = case
        self._chance = chance
        self._folder = base / name.replace(" ", "-")
        self._folder.mkdir()
        self._temporary = self._folder / "tmp"
        self._output = self._folder / case.output
        self._counts: Counter[str] = Counter()

    def run(self, kills: int) -> dict[str, Any]:
        """Kills the command `kills` times between two unbroken runs; returns the counts of what was found."""
        self._reset()
        old = self._result()
        started = time.perf_counter()
        self._unbroken()
        seconds = took = time.perf_counter() - started
        new = self._result()
        assert new != old
        self._reset()
        done = 0
        while done < kills:
            number = _SIGNALS[done % len(_SIGNALS)]
            before = set(self._temporary.iterdir())
            code, said = self._kill(number, self._chance.uniform(_EARLIEST, seconds))
            if code == 0:
                self._counts["done before the kill"] += 1
                seconds *= 0.97
            else:
                done += 1
                self._check(number, code, said, set(self._temporary.iterdir()) - before)
            found = self._result()
            self._counts["old" if found == old else "new" if found == new else "HALF-WRITTEN"] += 1
            if found != old or code == 0:
                self._reset()
        self._unbroken()
        if self._result() != new:
            self._counts["NOT EQUAL AT LAST"] += 1
        return {"seconds": round(took, 1), "kills": kills, **self._counts, "left behind": self._left()}

    def _check(self, number: signal.Signals, code: int, said: str, left: set[Path]) -> None:
        """Counts what a command said, and whether it left temporary folders, when a signal ended it."""
        if number == signal.SIGKILL:
            return
        sentences = [line for line in said.splitlines() if not line[:1].isdigit()]
        is_said = len(sentences) == 1 and sentences[0].startswith("Error: ")
        well = code == 128 + number and is_said and not left
        self._counts["ended well" if well else "ENDED BADLY"] += 1
        if not well:
            print(f"{number.name}: exit code {code}, left {left}: {said}", file=sys.stderr)

    def _reset(self) -> None:
        """Puts the old output in place: a copy of the old index, or a file that the command replaces."""
        shutil.rmtree(self._folder)
        self._temporary.mkdir(parents=True)
        if self._case.starts_from is not None:
            shutil.copytree(self._base / self._case.starts_from, self._output)
        elif self._chance.random() < 0.5:
            self._output.write_text("old")

    def _command(self) -> list[str]:
        return [*engine(), *(word.replace("OUTPUT", str(self._output)) for word in self._case.words)]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self._temporary)}

    def _unbroken(self) -> None:
        subprocess.run(
            self._command(),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment(),
        )

    def _kill(self, number: signal.Signals, after: float) -> tuple[int, str]:
        """Runs the command, sends a signal after some seconds, and returns the exit code and stderr."""
        with (self._base / "stderr").open("w+", encoding="utf-8") as said:
            process = subprocess.Popen(
                self._command(), stdout=subprocess.DEVNULL, stderr=said, env=self._environment()
            )
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
                process.wait()
            said.seek(0)
            return process.returncode, said.read()

    def _result(self) -> Any:
        """Returns the output as a value: "old" for an old file or none, and any text for a broken index."""
        if self._case.is_index:
            return describe_index(self._output)
        if not self._output.exists() or self._output.read_bytes() == b"old":
            return "old"
        assert self._case.read is not None
        return self._case.read(self._output)

    def _left(self) -> list[str]:
        """Returns the names of all files and folders that should not be there."""
        expected = {self._case.output, "tmp", *self._case.keeps}
        left = [path.name for path in self._folder.iterdir() if path.name not in expected]
        left += [f"tmp/{path.name}" for path in self._temporary.iterdir()]
        if self._case.is_index:
            builds = [path for path in self._output.iterdir() if path.name.startswith("build-")]
            others = {path.name for path in self._output.iterdir()} - {path.name for path in builds}
            left += [f"index/{name}" for name in others - {"CURRENT", ".lock", ".live-lock"}]
            left += [f"index/{path.name}" for path in sorted(builds)[:-2]]
        return left


def describe_index(directory: Path) -> Any:
    """Checks an index, asks it for a list, and returns its arrays, its catalogue and its facts as a value."""
    import duckdb

    artifact = Artifact.open(directory)
    artifact.verify()
    engine = Engine.load(directory)
    listed = [movie.movie_id for movie in engine.recommend(engine.reviewer_ids([0])[0])]
    arrays = {
        name: entry["sha256"] for name, entry in artifact.files.items() if name.endswith((".npy", ".faiss"))
    }
    with duckdb.connect(str(artifact.file("catalog.duckdb")), read_only=True) as database:
        movies = database.execute("select * from movies order by movie_row").fetchall()
    return {"list": listed, "arrays": arrays, "movies": str(movies), "facts": plain(artifact.manifest)}


def plain(value: Any) -> Any:
    """Returns a manifest without the entries that differ from one run to the next."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if name not in _OF_A_RUN}
    return [plain(item) for item in value] if isinstance(value, list) else value


def read_table(path: Path) -> Any:
    """Returns the rows of a Parquet file, sorted."""
    import duckdb

    return hashlib.sha256(
        str(duckdb.sql(f"select * from read_parquet('{path}') order by all").fetchall()).encode()
    ).hexdigest()


def read_page(path: Path) -> Any:
    """Returns the text of a file."""
    return path.read_text(encoding="utf-8")


def read_evaluation(path: Path) -> Any:
    """Returns the page of an evaluation without the last cell of each row, which may be a time."""
    return re.sub(r"<td[^>]*>[^<]*</td></tr>", "</tr>", read_page(path))


def engine() -> list[str]:
    """Returns the words that begin each command line."""
    return [sys.executable, "-c", "from engine.cli.__main__ import start; start()"]


def write_reviews(path: Path, reviewers: Sequence[int], each: int) -> None:
    """Writes reviews of 40 movies, each reviewer preferring the movies with an even or with an odd number."""
    chance = random.Random(len(reviewers))
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "rating", "timestamp"])
        for reviewer in reviewers:
            for place, movie in enumerate(chance.sample(range(40), each)):
                stars = chance.choice([4, 5]) if movie % 2 == reviewer % 2 else chance.choice([1, 2, 3])
                rows.writerow(
                    [
                        f"R{reviewer:03d}",
                        f"M{movie:03d}",
                        stars,
                        1_400_000_000 + reviewer * 997 + place * 86_400,
                    ]
                )


def write_movies(path: Path, movies: Sequence[int]) -> None:
    """Writes movies with titles and categories."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", "category"])
        for movie in movies:
            rows.writerow([f"M{movie:03d}", f"Film number {movie}", "even" if movie % 2 == 0 else "odd"])


def as_table(figures: dict[str, dict[str, Any]]) -> str:
    """Returns the figures as a table in Markdown."""
    columns = list(dict.fromkeys(name for found in figures.values() for name in found))
    lines = [f"| command | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, found in figures.items():
        cells = (found.get(column, 0) for column in columns)
        lines.append(f"| {name} | {' | '.join(str(cell or 0) for cell in cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
