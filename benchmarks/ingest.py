"""Measures reading review files against `gzip -dc`, and against reading them into lists and data frames.

    python benchmarks/ingest.py [--reviews 100000] [--full] [--files DIR] [--repeats 3] [--json FILE]

Ours is reading as a build does it, texts compared and movies without reviews taken in. CPU seconds stand
beside those of the clock, which say little on a machine that does other things too.

The second way is the one that notebooks take: `json.loads` a line, a list of dicts, a DataFrame, a merge, and
BeautifulSoup on each review; it is measured on the first 500,000 reviews at most.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from measuring import FULL, measure, synthetic_files, write_figures

MOST_BY_FRAMES = 500_000

OURS = """
import sys
from pathlib import Path
from engine.config import Config
from pipelines.database import open_database
from pipelines.ingest import ingest
config = Config()
with open_database(Path(sys.argv[3]), memory_limit=config.ingest.memory_limit) as database:
    ingest(
        database, [Path(sys.argv[1])], [Path(sys.argv[2])], config.ingest, compare_text=True, cold=config.cold
    )
"""

BY_FRAMES = """
import gzip, json, sys
import pandas as pd
from bs4 import BeautifulSoup
def rows(path):
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                pass
def text_of(html):
    return BeautifulSoup(html, "html.parser").get_text() if isinstance(html, str) else ""
reviews = pd.DataFrame([row for row in rows(sys.argv[1]) if isinstance(row, dict)])
movies = pd.DataFrame([row for row in rows(sys.argv[2]) if isinstance(row, dict)]).drop_duplicates("asin")
joined = reviews.merge(movies, on="asin", how="left", suffixes=("", "_movie"))
joined["reviewText"] = [text_of(text) for text in joined["reviewText"]]
joined["details"] = [text_of(text) for text in joined["details"]]
joined = joined.drop_duplicates(["reviewerID", "asin"], keep="last")
counts = joined.groupby("reviewerID")["asin"].transform("count")
joined = joined[counts >= 2]
"""


class _Timed(NamedTuple):
    """What a command took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def main() -> None:
    """Measure in turns, and print medians and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reviews", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help=f"{FULL:,} reviews")
    parser.add_argument("--files", type=Path, help="a folder with reviews.json.gz and metadata.json.gz")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    reviews, metadata = synthetic_files(FULL if asked.full else asked.reviews, asked.files)
    unpacked, ours = [], []
    for _ in range(asked.repeats):  # In turns, so that a machine that slows down slows both.
        unpacked.append(_timed(["gzip", "-dc", reviews, metadata]))
        ours.append(_ours(reviews, metadata))
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.json.gz"
        with gzip.open(reviews, "rb") as source, gzip.open(first, "wb", compresslevel=1) as target:
            target.writelines(islice(source, MOST_BY_FRAMES))
        our_first = _ours(first, metadata)
        frames = _timed([sys.executable, "-c", BY_FRAMES, first, metadata])
    pairs = zip(ours, unpacked, strict=True)
    write_figures(
        {
            "gzip": _median(unpacked),
            "ingest": _median(ours),
            "ratio": statistics.median(own.seconds / other.seconds for own, other in pairs),
            "against_frames": {
                "times_faster": frames.seconds / our_first.seconds,
                "share_of_memory": our_first.peak_bytes / frames.peak_bytes,
                "ours": _median([our_first]),
                "frames": _median([frames]),
            },
        },
        asked.json,
    )


def _timed(command: Sequence[object]) -> _Timed:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = measure(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Timed(measured.seconds, cpu_seconds, measured.peak_bytes)


def _median(runs: Sequence[_Timed]) -> dict[str, float]:
    """Medians of seconds, and the most memory."""
    return {
        "seconds": statistics.median(run.seconds for run in runs),
        "cpu_seconds": statistics.median(run.cpu_seconds for run in runs),
        "peak_gib": max(run.peak_bytes for run in runs) / 2**30,
    }


def _ours(reviews: Path, metadata: Path) -> _Timed:
    with tempfile.TemporaryDirectory() as folder:
        return _timed([sys.executable, "-c", OURS, reviews, metadata, Path(folder) / "work.duckdb"])


if __name__ == "__main__":
    main()
