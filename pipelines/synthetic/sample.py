"""Finds the files of the sample data set, or generates the files if the installation does not include them.

The sample is a synthetic data set of fixed size and seed. The repository holds the files of the sample, and a
test checks that newly generated files are equal to the files in the repository.
"""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from engine.artifact.locks import temporary_folder
from pipelines.synthetic.write import SyntheticFiles, write_synthetic


@cache
def sample_files() -> SyntheticFiles:
    """Returns the paths of the sample's files; generated files are deleted when the process ends."""
    committed = Path(__file__).resolve().parents[2] / "data" / "sample"
    names = ("reviews.json.gz", "metadata.json.gz", "truth.json")
    files = SyntheticFiles(*(committed / name for name in names))
    if all(path.is_file() for path in files):
        return files
    stack = ExitStack()
    atexit.register(stack.close)
    return write_sample(stack.enter_context(temporary_folder()))


def write_sample(directory: Path) -> SyntheticFiles:
    """Generates the sample data set, which data/README.md describes, in a directory.

    The sample has more reviews per reviewer (about seven) and per movie (thirteen) than real review files, so
    that a model learns something within seconds.
    """
    return write_synthetic(
        directory, num_reviews=6_500, num_reviewers=900, num_movies=500, seed=42, brief=True
    )
