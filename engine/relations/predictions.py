"""Predicts reviewers' ratings of movies, and an interval that probably contains each rating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.answers import MoviePrediction
from engine.arrays import Floats
from engine.errors import ConfigError, DataError
from engine.lists.maker import rated_fields
from engine.model.heads import RatingPrediction

if TYPE_CHECKING:
    from engine.opened import OpenedIndex

INTERVAL_SHARE = 0.8
"""The interval of a predicted rating contains the rating with at least this probability, 0 to 1."""


def predict_pairs(
    index: OpenedIndex, reviewer_ids: Sequence[str], movie_ids: Sequence[str]
) -> RatingPrediction:
    """Predicts the rating that reviewer `reviewer_ids[i]` would give movie `movie_ids[i]`, for all i.

    Raises:
        EngineError: no rating can be predicted, for one of the reasons that `Engine.predict` lists.
    """
    if len(reviewer_ids) != len(movie_ids):
        raise ConfigError(
            f"Ratings are predicted pair by pair, but there are {len(reviewer_ids)} reviewers and "
            f"{len(movie_ids)} movies; give as many of one as of the other"
        )
    reviewer_rows = np.array([index.reviewer_row(one) for one in reviewer_ids], dtype=np.int64)
    movie_rows = np.array([index.movie_row(one) for one in movie_ids], dtype=np.int64)
    predicted = index.model.predict(reviewer_rows, movie_rows)
    if predicted is None:
        raise DataError(f"{index.name} was built from data without ratings, so it cannot predict any")
    return predicted


def movie_predictions(
    index: OpenedIndex, reviewer_id: str, movie_ids: Sequence[str]
) -> list[MoviePrediction]:
    """Predicts a reviewer's ratings of given movies, and an interval that probably contains each rating.

    Raises:
        EngineError: no rating can be predicted, for one of the reasons that `Engine.predict` lists.
    """
    predicted = _predicted(index, reviewer_id, movie_ids)
    levels = index.model.rating.levels if index.model.rating else predicted.median[:0]
    low, high = central_interval(levels, predicted.probabilities, INTERVAL_SHARE)
    rated = rated_fields(index.model, predicted.probabilities, len(movie_ids))
    return [
        MoviePrediction(
            movie_id=movie_id,
            title=index.cards.title(index.movie_row(movie_id)),
            interval=(round(float(low[place]), 4), round(float(high[place]), 4)),
            **rated[place],
        )
        for place, movie_id in enumerate(movie_ids)
    ]


def _predicted(index: OpenedIndex, reviewer_id: str, movie_ids: Sequence[str]) -> RatingPrediction:
    model = index.model
    if model.rating is None or not index.feedback.knows(reviewer_id):
        return predict_pairs(index, [reviewer_id] * len(movie_ids), movie_ids)
    movie_rows = np.array([index.movie_row(one) for one in movie_ids], dtype=np.int64)
    return model.rating.summarize(model.rate(index.reviewer(reviewer_id), movie_rows))


def central_interval(levels: Floats, probabilities: Floats, share: float) -> tuple[Floats, Floats]:
    """Returns the lowest and the highest rating level of each rating's interval, float32 [num] each.

    An interval, both ends included, contains the rating with a probability of at least `share`. The
    probability of a rating below the interval is at most `(1 - share) / 2`, and so is the probability of a
    rating above the interval.

    Args:
        levels: the rating levels, float32 [num_levels], ascending.
        probabilities: the probability of each rating level, float32 [num, num_levels]; the probabilities of a
            rating sum to 1.
        share: the interval contains the rating with this probability or a higher probability; 0 to 1.

    Example:
        >>> levels = np.array([1, 2, 3, 4, 5], dtype=np.float32)
        >>> low, high = central_interval(levels, np.array([[0.05, 0.1, 0.3, 0.5, 0.05]], np.float32), 0.8)
        >>> low.tolist(), high.tolist()
        ([2.0], [4.0])
    """
    tail = (1 - share) / 2
    at_or_under = np.cumsum(probabilities.astype(np.float64), axis=1)[:, :-1]
    low = (at_or_under <= tail + 1e-6).sum(axis=1)
    high = (at_or_under < 1 - tail - 1e-6).sum(axis=1)
    return levels[low], levels[high]
