"""When the reviews were written, and which movies are popular of late: arrays of the artifact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.artifact_writer import ArtifactWriter
from engine.popularity import POPULARITY
from pipelines.cold_catalogue import ColdCatalogue
from pipelines.dataset import Reviews

HISTORY_TIMES = "history_times"
"""The array of an artifact that says when each review of the histories was written, in unix seconds."""
_SECONDS_A_DAY = 86_400


def decayed_popularity(
    movie_rows: NDArray[np.integer], times: NDArray[np.integer], num_movies: int, half_life_days: float
) -> NDArray[np.float32]:
    """Counts each movie's reviews, one as old as the half-life for a half: float32 [num_movies].

    Reviews age from the latest one of all. Where the data has no times, these are plain counts.

    Args:
        movie_rows: int [num_reviews].
        times: int [num_reviews], unix seconds; 0 where the data has none.
        num_movies: how many movies there are.
        half_life_days: more than 0.

    Example:
        >>> decayed_popularity(np.array([0, 0, 1]), np.array([0, 86_400, 86_400]), 2, 1.0).tolist()
        [1.5, 1.0]
    """
    weights = None
    if len(times):
        weights = np.exp2((times - times.max()) / (half_life_days * _SECONDS_A_DAY))
    popularity: NDArray[np.float32] = np.bincount(movie_rows, weights, num_movies).astype(np.float32)
    return popularity


def times_of_histories(reviews: Reviews, catalogue: ColdCatalogue | None) -> NDArray[np.int64]:
    """When each review of the histories was written, int64 [num_reviews], in the order of the histories.

    Args:
        reviews: those that were learned from.
        catalogue: has the reviews of movies that nothing was learned of; None where there are none.
    """
    if catalogue is None:
        return reviews.times
    owners = np.concatenate([reviews.reviewer_rows, catalogue.reviewer_rows])
    times = np.concatenate([reviews.times, catalogue.times])
    return times[np.lexsort((times, owners))]


def write_times(times: NDArray[np.integer], writer: ArtifactWriter) -> None:
    """Adds the array `history_times`: int [num_reviews], unix seconds, in the order of the histories."""
    small = not len(times) or (times.min() >= 0 and times.max() < 2**31)
    writer.add_array(HISTORY_TIMES, times.astype(np.int32 if small else np.int64))


def write_popularity(
    movie_rows: NDArray[np.integer],
    num_movies: int,
    times: NDArray[np.integer],
    half_life_days: float,
    writer: ArtifactWriter,
) -> None:
    """Adds the array `movie_popularity`; the arguments are those of `decayed_popularity`."""
    writer.add_array(POPULARITY, decayed_popularity(movie_rows, times, num_movies, half_life_days))
