"""Implements two simple baselines that predict ratings: constants, and biases of reviewers and movies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats
from engine.model.heads import RatingPrediction
from pipelines.dataset.reviews import Reviews

AnyRows = NDArray[np.integer]
"""An array of row numbers of reviewers or movies, of any integer type."""
REVIEWER_DAMPING = 15.0
"""The number of reviews at which damping halves the bias of a reviewer (Koren, "Factor in the Neighbors",
2010)."""
MOVIE_DAMPING = 10.0
"""The number of reviews at which damping halves the bias of a movie."""
_NUM_TURNS = 10
"""The number of rounds of fitting biases; each round fits the biases of movies first, and then the biases of
reviewers."""


class Constants:
    """Predicts the distribution of the training ratings for every pair of reviewer and movie.

    The predicted mean is the mean of the training ratings, and the predicted median is the median of the
    training ratings. The predicted probability of a rating level is the share of the level among the training
    ratings. Among all constant predictions, the mean of the training ratings has the least squared error on
    the training ratings, and the median of the training ratings has the least absolute error. A rating model
    is useful only if the model's errors are smaller than the errors of always predicting the mean or the
    median of the training ratings.
    """

    def __init__(self, reviews: Reviews) -> None:
        counts = np.bincount(reviews.level_rows, minlength=len(reviews.levels))
        self.probabilities = (counts / max(counts.sum(), 1)).astype(np.float32)  # [num_levels]
        self.mean = float(self.probabilities @ reviews.levels)
        self.median = float(reviews.levels[np.searchsorted(np.cumsum(self.probabilities), 0.5 - 1e-6)])

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction:
        """Returns the same prediction n times, once for each pair of reviewer and movie."""
        num = len(reviewer_rows)
        return RatingPrediction(
            mean=np.full(num, self.mean, dtype=np.float32),
            median=np.full(num, self.median, dtype=np.float32),
            probabilities=np.broadcast_to(self.probabilities, (num, len(self.probabilities))),
        )


class Biases:
    """Predicts the rating `mean of the training ratings + reviewer bias + movie bias`, with damped biases.

    The bias of a reviewer or a movie without training reviews is 0. Movies are ranked by movie bias, in the
    same order for every reviewer.
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
        """Returns the biases of all movies, repeated for n reviewers: float32 [n, num_movies]."""
        biases = self.movie_biases.astype(np.float32)
        return np.broadcast_to(biases, (len(reviewer_rows), len(biases)))

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction:
        """Predicts one rating for each pair of reviewer and movie.

        Each predicted rating is returned both as the mean and as the median, without probabilities of rating
        levels.
        """
        expected = self.mean + self.reviewer_biases[reviewer_rows] + self.movie_biases[movie_rows]
        return point_prediction(np.clip(expected, self.low, self.high))


def point_prediction(ratings: NDArray[np.floating]) -> RatingPrediction:
    """Converts n predicted ratings to predictions that have no probabilities of rating levels.

    Each predicted rating is used both as the mean and as the median of the prediction.
    """
    answer = ratings.astype(np.float32)
    return RatingPrediction(mean=answer, median=answer, probabilities=np.zeros((len(answer), 0), np.float32))


def _damped_mean(rows: NDArray[np.integer], values: Doubles, num_rows: int, damping: float) -> Doubles:
    sums = np.bincount(rows, weights=values, minlength=num_rows)
    return np.asarray(sums / (np.bincount(rows, minlength=num_rows) + damping))
