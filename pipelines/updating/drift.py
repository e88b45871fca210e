"""How far reviews have moved on since a training: what an update finds, and when to train again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from engine.model.scorer import ALL, Model
from pipelines.measuring import metrics

MOST_NEW_SHARE = 0.2
"""New reviews, as a part of those trained on, beyond which to train again."""
MOST_UNKNOWN_SHARE = 0.2
"""Reviews of an update whose movies are unknown, beyond which to train again."""
MOST_ERROR_RATIO = 1.1
"""Root mean square error on new reviews, over that at the training, beyond which to train again."""
_FEWEST_REVIEWS = 100
_MAX_REVIEWS = 20_000
_MAX_REVIEWERS = 300
_K = 10


def held_out_figures(
    model: Model, reviewer_rows: Rows, movie_rows: Rows, level_rows: NDArray[np.int8]
) -> dict[str, float]:
    """Measures a model on new reviews of reviewers whom it knows, before it has seen them.

    Args:
        model: as it was.
        reviewer_rows: int64 [num_reviews], in its rows, ascending.
        movie_rows: int64 [num_reviews], movies that those reviewers had not reviewed.
        level_rows: int8 [num_reviews].

    Returns:
        How many there are, the errors of the ratings, and the mean part of what each reviewer liked that is
        in their top 10; only what can be measured.
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
    top = np.lexsort((np.arange(len(scores)), -scores))[:_K]
    return float(np.isin(liked, top).mean())


def reason_to_retrain(
    new_share: float, unknown_share: float, held_out: Mapping[str, float], trained: Mapping[str, Any]
) -> str | None:
    """Says why to train again, or None.

    Args:
        new_share: new reviews since the training, as a part of those trained on.
        unknown_share: the part of an update that is of unknown movies.
        held_out: what `held_out_figures` gave for the update.
        trained: the figures of the training, of which "rmse" counts.
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
