"""Computes the mean rating and the popularity of each movie from reviews."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.model.histories import Histories
from engine.model.scorer import Model
from pipelines.dataset.reviews import Reviews

MEAN_DAMPING = 5.0
"""In a movie's damped mean rating, the mean of all ratings counts as much as this number of ratings of the
movie."""
_SECONDS_A_DAY = 86_400
_END_QUANTILE = 0.99
"""The quantile of all review times that counts as the present when the ages of reviews are computed.

If the latest review time counted as the present, a single wrong time in the future would make all other
reviews old.
"""


def movie_means(reviews: Reviews) -> Floats:
    """Returns movies' mean ratings in stars, damped towards the mean of all ratings: float32 [num_movies]."""
    ratings = reviews.ratings.astype(np.float64)
    mean = ratings.mean() if len(ratings) else 0.0
    counts = reviews.movie_counts()
    above = np.bincount(reviews.movie_rows, ratings - mean, minlength=reviews.num_movies)
    return (mean + above / (counts + MEAN_DAMPING)).astype(np.float32)


def decayed_popularity(
    movie_rows: NDArray[np.integer],
    times: NDArray[np.integer],
    num_movies: int,
    half_life_days: float,
    counts: NDArray[np.floating] | None = None,
) -> Floats:
    """Returns the sum of the weights of each movie's reviews, with smaller weights for older reviews.

    The returned array is float32 [num_movies]. The weight of a review is halved whenever the review's age
    grows by `half_life_days`. The age of a review is the time from the review to the 99% quantile of all
    review times. A review that is later than the 99% quantile has the age 0. A review without a time gets the
    median of all known review times as its time.

    Args:
        movie_rows: the movie row of each review, int [num_reviews].
        times: the time of each review in unix seconds, int [num_reviews]; 0 for a review without a time.
        num_movies: the number of movies.
        half_life_days: the age, in days, at which the weight of a review is halved.
        counts: the weight of each review at the age 0, float [num_reviews]; None for weights of 1.

    Example:
        >>> decayed_popularity(np.array([0, 0, 1]), np.array([86_400, 172_800, 172_800]), 2, 1.0).tolist()
        [1.5, 1.0]
    """
    weights = np.ones(len(times)) if counts is None else counts
    known = times[times != 0]
    if len(known):
        end = np.quantile(known, _END_QUANTILE, method="lower")
        dated = np.where(times == 0, np.median(known), times)
        weights = weights * np.exp2(np.minimum(dated - end, 0) / (half_life_days * _SECONDS_A_DAY))
    return np.bincount(movie_rows, weights, num_movies).astype(np.float32)


def popularity_of(
    model: Model, histories: Histories, times: NDArray[np.integer], half_life_days: float
) -> Floats:
    """Returns the popularity of each movie: float32 [num_movies].

    The popularity of a movie is the sum of the weights of the movie's reviews. A like of the age 0 weighs 1,
    and any other review of the age 0 weighs `model.blend.other_weight`; older reviews weigh less.

    Args:
        model: the model, whose `review_weights` hold the weight of a review of the age 0 for each rating
            level.
        histories: the histories of all reviewers; together, the histories hold all reviews.
        times: the time of each review in unix seconds, int [num_reviews]; 0 for a review without a time.
        half_life_days: the age, in days, at which the weight of a review is halved.
    """
    counts = model.review_weights[histories.level_rows]
    return decayed_popularity(histories.movie_rows, times, model.num_movies, half_life_days, counts)
