"""Measures how well a model predicts reviews added after its training, and advises when to train again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, k_highest
from engine.model.scorer import ALL, Model
from pipelines.measuring import metrics

MOST_NEW_SHARE = 0.2
"""A new training is advised if the number of new reviews is more than this share of the number of training
reviews."""
MOST_UNKNOWN_SHARE = 0.2
"""A new training is advised if more than this share of an update's reviews are reviews of movies that the
index does not hold."""
MOST_ERROR_RATIO = 1.1
"""A new training is advised if the root mean squared error of predicted ratings on new reviews is more than
this many times the error that was measured at the build."""
_FEWEST_REVIEWS = 100
"""If an update has fewer new reviews by known reviewers than this number, the error of predicted ratings is
too uncertain to advise a new training."""
_MAX_REVIEWS = 20_000
"""The largest number of new reviews whose ratings are predicted to measure the error of predicted ratings."""
_MAX_REVIEWERS = 300
"""The largest number of reviewers whose top lists are compared with their new reviews to measure recall."""
_K = 10
"""The number of movies in each top list that is made to measure recall."""


def held_out_figures(
    model: Model, reviewer_rows: Rows, movie_rows: Rows, level_rows: NDArray[np.int8]
) -> dict[str, float]:
    """Measures a model on new reviews of known reviewers, which the reviewers' histories do not contain yet.

    Each argument except the model holds one value per new review, sorted by reviewer row. The caller must
    leave out a new review if the reviewer's history already contains the movie. The metrics are the number of
    reviews, recall@10, and the errors and the log likelihood of predicted ratings. A reviewer's recall@10
    says which share of the movies that the reviewer liked in new reviews is in the reviewer's top 10. The
    recall@10 in the result is the mean over at most _MAX_REVIEWERS reviewers. A metric that cannot be
    measured is missing from the result.
    """
    figures: dict[str, float] = {"reviews": len(reviewer_rows)}
    if not len(reviewer_rows):
        return figures
    liked = np.ones(len(reviewer_rows), dtype=bool)
    if model.rating is not None:
        ratings = model.rating.levels[level_rows]
        liked = ratings >= model.blend.like_rating
        some = slice(0, _MAX_REVIEWS)
        predicted = model.predict(reviewer_rows[some], movie_rows[some])
        assert predicted is not None
        figures["mae"] = metrics.mae(predicted.median, ratings[some])
        figures["rmse"] = metrics.rmse(predicted.mean, ratings[some])
        figures["log_likelihood"] = float(
            metrics.log_chances(predicted.probabilities, level_rows[some]).mean()
        )
    found = [
        _part_found(model, row, movie_rows[liked & (reviewer_rows == row)])
        for row in np.unique(reviewer_rows[liked])[:_MAX_REVIEWERS].tolist()
    ]
    if found:
        figures[f"recall@{_K}"] = float(np.mean(found))
    return figures


def _part_found(model: Model, reviewer_row: int, liked: Rows) -> float:
    reviewer = model.reviewer(reviewer_row)
    scores = model.rescore(reviewer, ALL).score.copy()
    scores[reviewer.history.movie_rows] = -np.inf
    return float(np.isin(liked, k_highest(scores, _K)).mean())


def reason_to_retrain(
    new_share: float, unknown_share: float, held_out: Mapping[str, float], trained: Mapping[str, Any]
) -> str | None:
    """Returns a text with the reasons to train the model again, or None if there is no reason.

    `new_share` is the number of new reviews since the training, divided by the number of training reviews.
    `unknown_share` is the share of the update's reviews that are reviews of unknown movies. `held_out` holds
    the metrics that `held_out_figures` measured on the update's reviews. `trained` holds the metrics that
    were measured at the build, of which only "rmse" is used.
    """
    reasons = []
    if new_share > MOST_NEW_SHARE:
        reasons.append(f"the reviews added are {new_share:.0%} of those trained on")
    if unknown_share > MOST_UNKNOWN_SHARE:
        reasons.append(f"{unknown_share:.0%} of the latest reviews are of movies that it does not hold")
    before, now = trained.get("rmse"), held_out.get("rmse")
    if before and now and held_out["reviews"] >= _FEWEST_REVIEWS and now > MOST_ERROR_RATIO * before:
        reasons.append(f"the error on new ratings is {now:.2f} instead of {before:.2f}")
    return "; ".join(reasons) or None
