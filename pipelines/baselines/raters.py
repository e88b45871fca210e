"""Baselines that predict ratings: the best constants, and biases of reviewers and movies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.model.heads import RatingPrediction
from pipelines.dataset.reviews import Reviews

REVIEWER_DAMPING = 15.0
"""Reviews at which a reviewer's own mean counts half, as in Koren's "Factor in the Neighbors" (2010)."""
MOVIE_DAMPING = 10.0
"""Likewise for a movie."""
_ROUNDS = 10


class Constants:
    """The same answer for every pair: what the ratings alone allow, without knowing who rates what.

    The mean has the least squared error of all constants and the median the least absolute error, so any
    model must be read against both; the chances are the shares of the levels.
    """

    def __init__(self, reviews: Reviews) -> None:
        counts = np.bincount(reviews.level_rows, minlength=len(reviews.levels))
        self.probabilities = (counts / max(counts.sum(), 1)).astype(np.float32)  # [num_levels]
        self.mean = float(self.probabilities @ reviews.levels)
        self.median = float(reviews.levels[np.searchsorted(np.cumsum(self.probabilities), 0.5 - 1e-6)])

    def predict(
        self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> RatingPrediction:
        """The constants, n times."""
        num = len(reviewer_rows)
        return RatingPrediction(
            mean=np.full(num, self.mean, dtype=np.float32),
            median=np.full(num, self.median, dtype=np.float32),
            probabilities=np.broadcast_to(self.probabilities, (num, len(self.probabilities))),
        )


class Biases:
    """`mean + reviewer bias + movie bias`, damped and fitted in turns; an unknown reviewer or movie has none.

    Ranks by the movies' biases, which is to recommend to all what is rated best.
    """

    def __init__(self, reviews: Reviews) -> None:
        ratings = reviews.ratings.astype(np.float64)
        self.low, self.high = float(reviews.levels[0]), float(reviews.levels[-1])
        self.mean = float(ratings.mean()) if len(ratings) else (self.low + self.high) / 2
        self.reviewer_biases = np.zeros(reviews.num_reviewers)
        self.movie_biases = np.zeros(reviews.num_movies)
        for _ in range(_ROUNDS):
            left = ratings - self.mean - self.reviewer_biases[reviews.reviewer_rows]
            self.movie_biases = _damped_mean(reviews.movie_rows, left, reviews.num_movies, MOVIE_DAMPING)
            left = ratings - self.mean - self.movie_biases[reviews.movie_rows]
            self.reviewer_biases = _damped_mean(
                reviews.reviewer_rows, left, reviews.num_reviewers, REVIEWER_DAMPING
            )

    def score(self, reviewer_rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """The movies' biases, float32 [n, num_movies]."""
        return np.broadcast_to(
            self.movie_biases.astype(np.float32), (len(reviewer_rows), len(self.movie_biases))
        )

    def predict(
        self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> RatingPrediction:
        """One figure for mean and median, and no chances."""
        expected = self.mean + self.reviewer_biases[reviewer_rows] + self.movie_biases[movie_rows]
        return point_prediction(np.clip(expected, self.low, self.high))


def point_prediction(ratings: NDArray[np.floating]) -> RatingPrediction:
    """What a model says that knows one figure and no distribution: no columns of probabilities."""
    answer = ratings.astype(np.float32)
    return RatingPrediction(mean=answer, median=answer, probabilities=np.zeros((len(answer), 0), np.float32))


def _damped_mean(
    rows: NDArray[np.integer], values: NDArray[np.float64], num_rows: int, damping: float
) -> NDArray[np.float64]:
    sums = np.bincount(rows, weights=values, minlength=num_rows)
    return np.asarray(sums / (np.bincount(rows, minlength=num_rows) + damping))
