"""Computes, from the reviews of each movie, the mean rating and the popularity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.model.histories import Histories
from engine.model.scorer import Model
from pipelines.dataset.reviews import Reviews

MEAN_DAMPING = 5.0
"""Reviews at which a movie's own mean rating counts half, against the mean of all ratings."""
_SECONDS_A_DAY = 86_400


def movie_means(reviews: Reviews) -> Floats:
    """Returns the damped mean rating of each movie in stars, float32 [num_movies]."""
    ratings = reviews.ratings.astype(np.float64)
    mean = ratings.mean() if len(ratings) else 0.0
    counts = np.bincount(reviews.movie_rows, minlength=reviews.num_movies)
    above = np.bincount(reviews.movie_rows, ratings - mean, minlength=reviews.num_movies)
    return (mean + above / (counts + MEAN_DAMPING)).astype(np.float32)


def decayed_popularity(
    movie_rows: NDArray[np.integer],
    times: NDArray[np.integer],
    num_movies: int,
    half_life_days: float,
    counts: NDArray[np.floating] | None = None,
) -> Floats:
    """Adds up the reviews of each movie, float32 [num_movies]; a review as old as the half-life counts half.

    The age of a review is the time from it to the latest review; `times` are unix seconds, all 0 where the
    data has none. `counts`, float [num_reviews], say what each review counts at age 0; by default 1.

    Example:
        >>> decayed_popularity(np.array([0, 0, 1]), np.array([0, 86_400, 86_400]), 2, 1.0).tolist()
        [1.5, 1.0]
    """
    weights = np.ones(len(times)) if counts is None else counts
    if len(times):
        weights = weights * np.exp2((times - times.max()) / (half_life_days * _SECONDS_A_DAY))
    return np.bincount(movie_rows, weights, num_movies).astype(np.float32)


def popularity_of(
    model: Model, histories: Histories, times: NDArray[np.integer], half_life_days: float
) -> Floats:
    """Returns the popularity that orders the list of an unknown reviewer: float32 [num_movies].

    A like counts 1 and any other review less, as in the histories of the model. `histories` hold all reviews,
    and `times`, int [num_reviews], their unix seconds.
    """
    counts = model.review_weights[histories.level_rows]
    return decayed_popularity(histories.movie_rows, times, model.num_movies, half_life_days, counts)
