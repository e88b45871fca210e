"""Computes the mean rating and the popularity of each movie from reviews."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.model.histories import Histories
from engine.model.scorer import Model
from pipelines.dataset.reviews import Reviews

MEAN_DAMPING = 5.0
"""Number of reviews at which a movie's own mean rating and the mean of all ratings have equal weight."""
_SECONDS_A_DAY = 86_400


def movie_means(reviews: Reviews) -> Floats:
    """Returns each movie's mean rating in stars, damped towards the overall mean: float32 [num_movies]."""
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
    """Adds up the weights of each movie's reviews, float32 [num_movies], halved once per half-life of age.

    The age of a review is the time from the review to the latest review. `times` are unix seconds, all 0
    where the data has no times. `counts`, float [num_reviews], are the weights at age 0, by default 1.

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
    """Returns the popularity of each movie, float32 [num_movies], which orders the list of a new reviewer.

    A like weighs 1 and another review `other_weight` of the model's blend, before the decay with age.
    `histories` hold all reviews, and `times`, int [num_reviews], the unix seconds of the reviews.
    """
    counts = model.review_weights[histories.level_rows]
    return decayed_popularity(histories.movie_rows, times, model.num_movies, half_life_days, counts)
