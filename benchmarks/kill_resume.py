"""Kills builds at random moments: the old index must answer, and resuming must give the same figures.

    python benchmarks/kill_resume.py [--reviews 20000] [--kills 10] [--set KEY=VALUE]... [--json FILE]

One build runs to its end; the figures of every resumed build are compared with its figures, rounded as they
are printed. Each later build is killed (SIGKILL) at a random moment, the index is asked for a list, and the
build is resumed.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import parser_for, synthetic_files, write_figures

from engine import Engine

SECTIONS = ("metrics", "training", "model", "audit", "calibration", "counts")
QUICK = ("relevance.max_rounds=3", "rating.max_rounds=3")
"""Settings that make builds short; their figures only need to be equal."""
_DIGITS = 4
"""Digits of a printed figure."""
_EARLIEST, _LATEST = 0.02, 0.95
"""The earliest and the latest kill, as shares of the time of a build."""


def main() -> None:
    """Builds once to the end, then kills and resumes builds."""
    parser = parser_for(__doc__)
    parser.add_argument("--reviews", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=list(QUICK), metavar="KEY=VALUE")
    asked = parser.parse_args()
    reviews, metadata = synthetic_files(asked.reviews)
    chance = random.Random(asked.seed)
    kills = []
    with tempfile.TemporaryDirectory(prefix="benchmark-index-") as folder:
        index = Path(folder) / "index"
        command = [
            *(sys.executable, "-m", "engine.cli.main", "build-index", str(reviews)),
            *("--metadata", str(metadata), "--output", str(index), "--json"),
            *(word for setting in asked.set for word in ("--set", setting)),
        ]
        started = time.perf_counter()
        whole = run(command)
        seconds = time.perf_counter() - started
        latest = seconds
        while sum(one["killed"] for one in kills) < asked.kills:
            after = chance.uniform(_EARLIEST, _LATEST) * latest
            kills.append(kill_and_resume(command, index, after, whole))
            print(json.dumps(kills[-1]), file=sys.stderr, flush=True)
            if not kills[-1]["killed"]:  # The build had ended by then: builds take less time than before.
                latest = after
    good = sum(one["killed"] and one["old_answers"] and not one["changed"] for one in kills)
    figures = {"reviews": asked.reviews, "build_seconds": seconds, "good": good, "of": asked.kills}
    write_figures({**figures, "kills": kills}, asked.json)


def kill_and_resume(
    command: Sequence[str], index: Path, after: float, whole: dict[str, Any]
) -> dict[str, Any]:
    """Kills a build after some seconds, asks the old index, and finishes the build."""
    before = answer(index)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    killed = process.returncode != 0
    old_answers = not killed or answer(index) == before
    started = time.perf_counter()
    resumed = run([*command, "--resume"])
    return {
        "after": after,
        "killed": killed,
        "old_answers": old_answers,
        "resumed_seconds": time.perf_counter() - started,
        "changed": [name for name in SECTIONS if printed(resumed[name]) != printed(whole[name])],
        "changed_in_the_last_digits": [name for name in SECTIONS if resumed[name] != whole[name]],
    }


def answer(index: Path) -> tuple[str, list[str]]:
    """Returns the name of the live build, and a list from it."""
    engine = Engine.load(index)
    listed = engine.recommend(engine.reviewer_ids([0])[0])
    return engine.info()["build"], [movie.movie_id for movie in listed]


def run(command: Sequence[str]) -> dict[str, Any]:
    """Runs a build, and returns the manifest that it prints."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    manifest: dict[str, Any] = json.loads(done.stdout)
    return manifest


def printed(figures: Any) -> Any:
    """Rounds figures as they are printed."""
    if isinstance(figures, dict):
        return {name: printed(figure) for name, figure in figures.items()}
    if isinstance(figures, list):
        return [printed(figure) for figure in figures]
    return round(figures, _DIGITS) if isinstance(figures, float) else figures


if __name__ == "__main__":
    main()
