"""Which movies have no reviews to learn from, and are known by their metadata alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.artifact.reader import Artifact

COLD_MOVIES = "movie_is_cold"
"""The array of an artifact that says which they are, bool [num_movies]."""


def cold_movies(artifact: Artifact, num_movies: int) -> NDArray[np.bool_]:
    """Which movies are cold, bool [num_movies]; none in an artifact that does not say."""
    if artifact.has(f"{COLD_MOVIES}.npy"):
        return artifact.array(COLD_MOVIES)
    return np.zeros(num_movies, dtype=bool)
