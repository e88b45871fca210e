"""Measures a whole build, from review files to an index: seconds, processor time, and peak memory by stage.

python benchmarks/build.py [--reviews 100000] [--full] [--files DIR] [--keep DIR] [--json FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from measuring import FULL, measure, parser_for, synthetic_files, write_figures


def main() -> None:
    """Builds once, and prints what it took."""
    parser = parser_for(__doc__)
    parser.add_argument("--reviews", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help=f"{FULL:,} reviews")
    parser.add_argument("--files", type=Path, help="a folder with reviews.json.gz and metadata.json.gz")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the index there")
    asked = parser.parse_args()
    reviews, metadata = synthetic_files(FULL if asked.full else asked.reviews, asked.files)
    with tempfile.TemporaryDirectory(prefix="benchmark-index-") as folder:
        index, said = asked.keep or Path(folder) / "index", Path(folder) / "manifest.json"
        command = [
            sys.executable, "-m", "engine.cli", "build-index", reviews, "--metadata", metadata,
            "--output", index, "--json",
        ]  # fmt: skip
        with said.open("w") as file:
            built = measure(command, file)
        manifest = json.loads(said.read_text())
        size = sum(facts["size"] for facts in manifest["files"].values())
    write_figures(
        {
            "seconds": built.seconds,
            "cpu_seconds": built.cpu_seconds,
            "peak_gib": built.peak_bytes / 2**30,
            "artifact_gib": size / 2**30,
            "counts": manifest["counts"],
            "metrics": manifest["metrics"],
            "audit": manifest["audit"],
            "rounds": manifest["training"]["rounds"],
            "stages": [
                {"second": round(second, 1), "peak_gib": round(peak / 2**30, 2), "line": line}
                for second, peak, line in built.lines
            ],
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
