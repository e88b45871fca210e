"""Finds the bundled sample: the committed files in a checkout, freshly written ones in an installation.

The sample is a synthetic data set of fixed size and seed, so both are the same; a test holds them together.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipelines.synthetic.write import SyntheticFiles, write_synthetic


class SampleFiles(NamedTuple):
    """Where the sample's files lie."""

    reviews: Path
    metadata: Path


@cache
def sample_files() -> SampleFiles:
    """Gives the sample's review and metadata file; without a checkout they last until the process ends."""
    committed = Path(__file__).resolve().parents[2] / "data" / "sample"
    files = SampleFiles(committed / "reviews.json.gz", committed / "metadata.json.gz")
    if all(path.is_file() for path in files):
        return files
    directory = Path(tempfile.mkdtemp(prefix="movie-engine-sample-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    written = write_sample(directory)
    return SampleFiles(written.reviews, written.metadata)


def write_sample(directory: Path) -> SyntheticFiles:
    """Writes the sample, which data/README.md describes.

    It is denser than real review logs, about seven reviews a reviewer and thirteen a movie, so that a
    model trained within seconds has something to find.

    Args:
        directory: where to write.

    Returns:
        The paths of the reviews, the metadata and the truth.
    """
    return write_synthetic(
        directory, num_reviews=6_500, num_reviewers=900, num_movies=500, seed=42, brief=True
    )
