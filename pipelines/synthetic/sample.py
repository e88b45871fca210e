"""Finds the sample data set: committed files in a checkout, newly generated files in an installation.

The sample is a synthetic data set of fixed size and seed, so that generated and committed files are equal.
A test compares the generated files with the committed files.
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
    """Returns the paths of the sample's files; newly generated files are deleted when the process ends."""
    committed = Path(__file__).resolve().parents[2] / "data" / "sample"
    names = ("reviews.json.gz", "metadata.json.gz", "truth.json")
    files = SyntheticFiles(*(committed / name for name in names))
    if all(path.is_file() for path in files):
        return files
    directory = Path(tempfile.mkdtemp(prefix="movie-engine-sample-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return write_sample(directory)


def write_sample(directory: Path) -> SyntheticFiles:
    """Generates the sample data set, which data/README.md describes, in a directory.

    The sample is denser than real review logs, with about seven reviews per reviewer and thirteen per movie,
    so that a model learns something within seconds.
    """
    return write_synthetic(
        directory, num_reviews=6_500, num_reviewers=900, num_movies=500, seed=42, brief=True
    )
