"""Implements two baselines that predict ratings: one by a constant, one by biases of reviewers and movies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats
from engine.model.heads import RatingPrediction
from pipelines.dataset.reviews import Reviews

AnyRows = NDArray[np.integer]
"""An array of reviewer rows or movie rows, of any integer type."""
REVIEWER_DAMPING = 15.0
"""A number that moves the biases of reviewers with few reviews towards 0. A reviewer's bias is the sum of
`rating - mean rating - movie bias` over the reviewer's reviews, divided by the number of reviews plus
REVIEWER_DAMPING (Koren, "Factor in the Neighbors", 2010)."""
MOVIE_DAMPING = 10.0
"""A number that moves the biases of movies with few reviews towards 0. A movie's bias is the sum of `rating -
mean rating - reviewer bias` over the movie's reviews, divided by the number of reviews plus MOVIE_DAMPING."""
_NUM_TURNS = 10
"""The number of times that all biases are fitted: each time first the biases of movies, then the biases of
reviewers."""


class Constants:
    """Predicts, for every pair of reviewer and movie, the distribution of all training ratings.

    Every predicted mean is the mean of the training ratings, and every predicted median is the median of the
    training ratings. The predicted probability of a rating level is the share of training ratings with this
    level. A rating model is useful only if its errors are smaller than the errors of these constant
    predictions.
    """

    def __init__(self, reviews: Reviews) -> None:
        counts = np.bincount(reviews.level_rows, minlength=len(reviews.levels))
        self.probabilities = (counts / max(counts.sum(), 1)).astype(np.float32)  # [num_levels]
        self.mean = float(self.probabilities @ reviews.levels)
        self.median = float(reviews.levels[np.searchsorted(np.cumsum(self.probabilities), 0.5 - 1e-6)])

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction:
        """Returns one constant prediction n times, once for each pair of reviewer and movie."""
        num = len(reviewer_rows)
        return RatingPrediction(
            mean=np.full(num, self.mean, dtype=np.float32),
            median=np.full(num, self.median, dtype=np.float32),
            probabilities=np.broadcast_to(self.probabilities, (num, len(self.probabilities))),
        )


class Biases:
    """Predicts a rating as the sum `mean of the training ratings + reviewer bias + movie bias`.

    Biases are damped: with fewer training reviews, the bias of a reviewer or a movie is nearer to 0, and
    without training reviews the bias is 0. All reviewers get the movies in one order, by movie bias.
    """

    def __init__(self, reviews: Reviews) -> None:
        ratings = reviews.ratings.astype(np.float64)
        self.low, self.high = float(reviews.levels[0]), float(reviews.levels[-1])
        self.mean = float(ratings.mean()) if len(ratings) else (self.low + self.high) / 2
        self.reviewer_biases = np.zeros(reviews.num_reviewers)
        self.movie_biases = np.zeros(reviews.num_movies)
        for _ in range(_NUM_TURNS):
            left = ratings - self.mean - self.reviewer_biases[reviews.reviewer_rows]
            self.movie_biases = _damped_mean(reviews.movie_rows, left, reviews.num_movies, MOVIE_DAMPING)
            left = ratings - self.mean - self.movie_biases[reviews.movie_rows]
            self.reviewer_biases = _damped_mean(
                reviews.reviewer_rows, left, reviews.num_reviewers, REVIEWER_DAMPING
            )

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Returns the biases of all movies, repeated once for each reviewer: float32 [n, num_movies]."""
        biases = self.movie_biases.astype(np.float32)
        return np.broadcast_to(biases, (len(reviewer_rows), len(biases)))

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction:
        """Predicts the rating of each pair of reviewer and movie.

        The mean and the median of a prediction are the same number; there are no probabilities of rating
        levels.
        """
        expected = self.mean + self.reviewer_biases[reviewer_rows] + self.movie_biases[movie_rows]
        return point_prediction(np.clip(expected, self.low, self.high))


def point_prediction(ratings: NDArray[np.floating]) -> RatingPrediction:
    """Converts predicted ratings to a `RatingPrediction` without probabilities of rating levels.

    The means and the medians of the `RatingPrediction` are the predicted ratings.
    """
    answer = ratings.astype(np.float32)
    return RatingPrediction(mean=answer, median=answer, probabilities=np.zeros((len(answer), 0), np.float32))


def _damped_mean(rows: NDArray[np.integer], values: Doubles, num_rows: int, damping: float) -> Doubles:
    sums = np.bincount(rows, weights=values, minlength=num_rows)
    return np.asarray(sums / (np.bincount(rows, minlength=num_rows) + damping))
