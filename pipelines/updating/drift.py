"""Measures how far reviews have moved since a training, and says when to train again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, k_highest
from engine.model.scorer import ALL, Model
from pipelines.measuring import metrics

MOST_NEW_SHARE = 0.2
"""New reviews, as a part of the reviews trained on, beyond which to train again."""
MOST_UNKNOWN_SHARE = 0.2
"""Reviews of unknown movies, as a part of an update, beyond which to train again."""
MOST_ERROR_RATIO = 1.1
"""Root mean square error on new reviews, as a multiple of the build's, beyond which to train again."""
_FEWEST_REVIEWS = 100
"""New reviews below which their error says too little to train again."""
_MAX_REVIEWS = 20_000
"""New reviews whose ratings are predicted at most."""
_MAX_REVIEWERS = 300
"""Reviewers whose lists are made at most."""
_K = 10
"""Length of these lists."""


def held_out_figures(
    model: Model, reviewer_rows: Rows, movie_rows: Rows, level_rows: NDArray[np.int8]
) -> dict[str, float]:
    """Measures a model on new reviews of known reviewers, before the reviews join their histories.

    The arrays are [num_reviews], in ascending order of the reviewer rows, and hold no movie that its reviewer
    had reviewed before. The figures are the number of reviews, the errors of the predicted ratings, and
    recall@10: of the movies that a reviewer liked, the part in their top 10, as a mean over reviewers. A
    figure that cannot be measured is absent.
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
        picked = np.take_along_axis(predicted.probabilities, level_rows[some, None].astype(np.int64), axis=1)
        figures["log_likelihood"] = float(np.log(picked + 1e-7).mean())
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
    """Says why to train again; None where there is no reason.

    `new_share` are the new reviews since the training, as a part of the reviews trained on. `unknown_share`
    is the part of the update whose movies are unknown. `held_out` is what `held_out_figures` gave for the
    update, and `trained` holds the held-out figures of the build, of which "rmse" counts.
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
