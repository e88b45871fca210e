"""Measures the time and peak memory of commands, and writes figures, for the benchmarks."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

FULL = 8_765_568
"""Reviews in the full set of movies and TV."""
FULL_SHAPE = ("--reviewers", "3826085", "--movies", "182032")
"""Reviewers and movies in the full set."""
_INTERVAL = 0.2
"""Seconds between two looks at memory."""


class Measured(NamedTuple):
    """The time and memory that a command took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    lines: list[tuple[float, int, str]]
    """The lines of stderr: the second at which each came, the peak memory until then, and the line."""


def parser_for(doc: str | None) -> argparse.ArgumentParser:
    """Returns a parser whose help shows the docstring of a script, with the option `--json`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file too")
    return parser


def measure(command: Sequence[object], stdout: Any = subprocess.DEVNULL) -> Measured:
    """Runs a command and watches the memory of its process.

    Raises:
        CalledProcessError: the command fails.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=stdout, stderr=subprocess.PIPE, text=True)
    peak = [0]

    def watch() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], resident_peak(process.pid))
            time.sleep(_INTERVAL)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    assert process.stderr is not None
    lines = [(time.perf_counter() - started, peak[0], line.rstrip()) for line in process.stderr]
    code = process.wait()
    watcher.join()
    if code:
        raise subprocess.CalledProcessError(
            code, list(map(str, command)), stderr="\n".join(x[2] for x in lines)
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(time.perf_counter() - started, cpu_seconds, peak[0], lines)


def synthetic_files(num_reviews: int, given: Path | None = None) -> tuple[Path, Path]:
    """Returns review and metadata files: those in a folder, or synthetic ones in a temporary folder."""
    folder = given or Path(tempfile.mkdtemp(prefix="benchmark-"))
    if not (folder / "reviews.json.gz").exists():
        shape = FULL_SHAPE if num_reviews == FULL else ()
        command = [sys.executable, "-m", "pipelines.synthetic", "--reviews", str(num_reviews), *shape]
        subprocess.run([*command, "--output", folder], check=True, stdout=subprocess.DEVNULL)
    return folder / "reviews.json.gz", folder / "metadata.json.gz"


def write_figures(figures: dict[str, Any], path: Path | None) -> None:
    """Prints figures as JSON, and writes them to a file where one is named."""
    text = json.dumps(figures, indent=1)
    print(text)
    if path is not None:
        path.write_text(text + "\n", encoding="utf-8")


def resident_peak(pid: int) -> int:
    """Returns the peak of the resident memory of a process, in bytes; 0 once the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
