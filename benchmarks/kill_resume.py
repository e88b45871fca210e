"""Kills a build at random moments, and checks that the old index answers and the figures stay the same.

python benchmarks/kill_resume.py [--reviews 20000] [--kills 10] [--seed 0] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import synthetic_files, write_figures

from engine import Engine

SECTIONS = ("metrics", "training", "model", "audit", "calibration", "counts")


def main() -> None:
    """Build once whole, then with a kill and a resumption at a time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reviews", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    reviews, metadata = synthetic_files(asked.reviews)
    chance = random.Random(asked.seed)
    results = []
    with tempfile.TemporaryDirectory(prefix="benchmark-index-") as folder:
        index = Path(folder) / "index"
        command = [
            sys.executable, "-m", "engine.cli", "build-index", str(reviews), "--metadata", str(metadata),
            "--output", str(index), "--json",
        ]  # fmt: skip
        started = time.perf_counter()
        whole = _run(command)
        seconds = time.perf_counter() - started
        for _ in range(asked.kills):
            after = chance.uniform(0.02, 0.95) * seconds
            before = Engine.load(index).info()["build"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            killed = process.returncode != 0
            old_answers = not killed or Engine.load(index).info()["build"] == before
            resumed = _run([*command, "--resume"])
            changed = [name for name in SECTIONS if resumed[name] != whole[name]]
            results.append({"after": after, "killed": killed, "old_answers": old_answers, "changed": changed})
    good = sum(each["old_answers"] and not each["changed"] for each in results)
    write_figures({"build_seconds": seconds, "good": good, "of": len(results), "kills": results}, asked.json)


def _run(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    manifest: dict[str, Any] = json.loads(done.stdout)
    return manifest


if __name__ == "__main__":
    main()
