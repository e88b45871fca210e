"""Measures reading review files beside `gzip -dc`, and beside reading them into lists and data frames.

    python benchmarks/ingest.py [--reviews 100000] [--full] [--files DIR] [--repeats 3] [--json FILE]

The files are read as in a build: texts are compared, and movies without reviews join. Processor seconds are
given too, since seconds of the clock say little on a machine with other work.

The data frames are made as notebooks make them: `json.loads` for each line, a list of dicts, a DataFrame, a
merge, and BeautifulSoup on the details of each review's movie, for the first link of a class. This takes
minutes, so it is measured on the first 500,000 reviews at most.
"""

from __future__ import annotations

import gzip
import statistics
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from measuring import FULL, Measured, measure, parser_for, synthetic_files, write_figures

MOST_BY_FRAMES = 500_000

OURS = """
import sys
from pathlib import Path
from engine.config.sections import Config
from pipelines.ingest.ingest import ingest
from pipelines.work.database import work_database
config = Config()
with work_database(config.ingest) as database:
    ingest(
        database, [Path(sys.argv[1])], [Path(sys.argv[2])], config.ingest, compare_text=True, cold=config.cold
    )
"""

BY_FRAMES = """
import gzip, json, sys
import pandas as pd
from bs4 import BeautifulSoup
def rows(path):
    found = []
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                found.append(json.loads(line))
            except ValueError:
                pass
    return [row for row in found if isinstance(row, dict)]
def link_of(details):
    anchors = BeautifulSoup(details, "html.parser").select("a.a-text-normal")
    return anchors[0]["href"] if anchors else ""
metadata = rows(sys.argv[2])
movies = pd.DataFrame(metadata).dropna(subset=["details"]).drop(columns=["image", "feature", "date", "tech1"])
lines = rows(sys.argv[1])
reviews = pd.DataFrame(lines).drop(columns=["image"], errors="ignore")
joined = reviews.merge(movies, on="asin", how="inner")
joined["links"] = [link_of(str(details)) for details in joined["details"]]
joined = joined.drop(columns=["verified", "rank", "also_buy", "also_view", "details"])
joined = joined.rename(columns={"overall": "rating", "asin": "movieID"})
for column, name in (("reviewerID", "reviewer_count"), ("movieID", "movie_count")):
    joined[name] = joined.groupby(column)["rating"].transform("count")
joined["average_rating"] = joined.groupby("movieID")["rating"].transform("mean")
joined = joined[(joined["reviewer_count"] > 1) & (joined["movie_count"] > 1)]
"""


def main() -> None:
    """Measures in turns, and prints medians and ratios."""
    parser = parser_for(__doc__)
    parser.add_argument("--reviews", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help=f"{FULL:,} reviews")
    parser.add_argument("--files", type=Path, help="a folder with reviews.json.gz and metadata.json.gz")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    reviews, metadata = synthetic_files(FULL if asked.full else asked.reviews, asked.files)
    unpacked, ours = [], []
    for _ in range(asked.repeats):  # In turns, so that a machine that slows down slows both.
        unpacked.append(measure(["gzip", "-dc", reviews, metadata]))
        ours.append(_ours(reviews, metadata))
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.json.gz"
        with gzip.open(reviews, "rb") as source, gzip.open(first, "wb", compresslevel=1) as target:
            target.writelines(islice(source, MOST_BY_FRAMES))
        our_first = _ours(first, metadata)
        frames = measure([sys.executable, "-c", BY_FRAMES, first, metadata])
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


def _median(runs: Sequence[Measured]) -> dict[str, float]:
    """Returns the medians of the seconds, and the most memory."""
    return {
        "seconds": statistics.median(run.seconds for run in runs),
        "cpu_seconds": statistics.median(run.cpu_seconds for run in runs),
        "peak_gib": max(run.peak_bytes for run in runs) / 2**30,
    }


def _ours(reviews: Path, metadata: Path) -> Measured:
    return measure([sys.executable, "-c", OURS, reviews, metadata])


if __name__ == "__main__":
    main()
