"""Which movies are popular, old reviews counting less."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.model.histories import Histories
from engine.model.scorer import Model

_SECONDS_A_DAY = 86_400


def decayed_popularity(
    movie_rows: NDArray[np.integer],
    times: NDArray[np.integer],
    num_movies: int,
    half_life_days: float,
    counts: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Counts each movie's reviews, one as old as the half-life for a half: float32 [num_movies].

    Reviews age from the latest one of all; where the data has no times, none does.

    Args:
        movie_rows: int [num_reviews].
        times: int [num_reviews], unix seconds; 0 where the data has none.
        num_movies: how many movies there are.
        half_life_days: more than 0.
        counts: float [num_reviews], what each review counts while it is new; by default 1.

    Example:
        >>> decayed_popularity(np.array([0, 0, 1]), np.array([0, 86_400, 86_400]), 2, 1.0).tolist()
        [1.5, 1.0]
    """
    weights = np.ones(len(times)) if counts is None else counts
    if len(times):
        weights = weights * np.exp2((times - times.max()) / (half_life_days * _SECONDS_A_DAY))
    popularity: NDArray[np.float32] = np.bincount(movie_rows, weights, num_movies).astype(np.float32)
    return popularity


def popularity_of(
    model: Model, histories: Histories, times: NDArray[np.integer], half_life_days: float
) -> NDArray[np.float32]:
    """What strangers are shown goes by this: likes count 1 and other reviews less, as in a model's histories.

    Args:
        model: says what a like is, and what other reviews count.
        histories: all reviews.
        times: int [num_reviews], unix seconds, in the order of the histories.
        half_life_days: age at which a review counts half.

    Returns:
        float32 [num_movies].
    """
    counts = model.like_weights[histories.level_rows]
    return decayed_popularity(histories.movie_rows, times, model.num_movies, half_life_days, counts)
