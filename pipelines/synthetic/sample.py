"""Finds the bundled sample: the committed files in a checkout, freshly written files in an installation.

The sample is a synthetic data set of fixed size and seed, so the files are the same; a test compares them.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from pipelines.synthetic.write import SyntheticFiles, write_synthetic


@cache
def sample_files() -> SyntheticFiles:
    """Returns the sample's files; files that are freshly written are deleted when the process ends."""
    committed = Path(__file__).resolve().parents[2] / "data" / "sample"
    names = ("reviews.json.gz", "metadata.json.gz", "truth.json")
    files = SyntheticFiles(*(committed / name for name in names))
    if all(path.is_file() for path in files):
        return files
    directory = Path(tempfile.mkdtemp(prefix="movie-engine-sample-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return write_sample(directory)


def write_sample(directory: Path) -> SyntheticFiles:
    """Writes the sample, which data/README.md describes, into a directory.

    The sample is denser than real review logs: about seven reviews a reviewer and thirteen a movie, so that a
    model finds something within seconds.
    """
    return write_synthetic(
        directory, num_reviews=6_500, num_reviewers=900, num_movies=500, seed=42, brief=True
    )
