"""The held-out figures that every build carries, beside the baselines that it must beat."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import Config
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.sentiment import training_reviews
from pipelines.dataset.splits import hold_out_last, in_order
from pipelines.measuring import metrics
from pipelines.measuring.ranking import rank_held_out, top_of
from pipelines.training.fit import Findings, fit_model
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints

logger = logging.getLogger(__name__)

_MAX_REVIEWERS = 5000
_MAX_SCORES = 50_000_000
_MAX_REVIEWS = 200_000
_SHOWN = ("ndcg@10", "recall@10", "mae", "rmse")


class Quality(NamedTuple):
    """How good a build is."""

    figures: dict[str, dict[str, float]]
    """By model: "ncf", "popularity" and, where there are ratings, "constant"; and of each its figures."""
    findings: Findings | None
    """By what the model that was measured was trained; None where none was."""
    calibration: Sequence[dict[str, float]] = ()
    """How often movies with such a chance were liked, bin by bin; nothing where there are no ratings."""


def measure_quality(
    reviews: Reviews,
    config: Config,
    checkpoints: Checkpoints = NOTHING_KEPT,
    features: Floats | None = None,
) -> Quality:
    """What `_measure` finds, unless it was found before and kept."""
    saved = checkpoints.load("quality")
    if saved is not None:
        found = saved.facts["findings"]
        findings = None if found is None else Findings.from_dict(found)
        return Quality(saved.facts["figures"], findings, saved.facts["calibration"])
    quality = _measure(reviews, config, checkpoints.within("measured"), features)
    facts = quality._asdict() | {"findings": quality.findings and quality.findings.to_dict()}
    checkpoints.save("quality", {}, facts)
    checkpoints.forget("measured")
    return quality


def _measure(reviews: Reviews, config: Config, checkpoints: Checkpoints, features: Floats | None) -> Quality:
    """Trains without each reviewer's last reviews, and measures how well those are found and rated.

    Nothing is measured where nothing is held out, or too little to train on would be left.
    """
    if config.split.test_share == 0:
        return Quality({}, None)
    earlier, later = hold_out_last(in_order(reviews, config), config.split.test_share)
    if len(later) == 0 or not (np.diff(earlier.offsets()) >= 2).any():
        logger.info("Too few reviews to hold any out: quality is not measured")
        return Quality({}, None)
    fitted = fit_model(
        training_reviews(earlier, config.sentiment), config, features=features, checkpoints=checkpoints
    )
    model = fitted.model
    relevant = later.select(later.likes(model.blend.like_rating))
    num_ranked = ranked_reviewers(reviews.num_movies)
    popularity = np.bincount(earlier.movie_rows, minlength=reviews.num_movies).astype(np.float32)

    def by_popularity(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.tile(popularity, (len(rows), 1))

    figures: dict[str, dict[str, float]] = {
        name: rank_held_out(
            score, earlier, relevant, max_reviewers=num_ranked, seed=config.seed, top=top
        ).mean()
        for name, score, top in (
            ("ncf", model.score, top_of(model)),
            ("popularity", by_popularity, None),
        )
    }
    calibration: list[dict[str, float]] = []
    if reviews.has_ratings:
        chosen = later.select(np.arange(len(later)) < _MAX_REVIEWS)
        predicted = model.predict(chosen.reviewer_rows, chosen.movie_rows)
        assert predicted is not None
        likes = model.like_probability(predicted.probabilities)
        calibration = metrics.calibration_bins(likes, chosen.likes(model.blend.like_rating))
        figures["ncf"] |= {
            "mae": metrics.mae(predicted.median, chosen.ratings),
            "rmse": metrics.rmse(predicted.mean, chosen.ratings),
            "calibration_error": metrics.calibration_error(likes, chosen.likes(model.blend.like_rating)),
        }
        figures["constant"] = {
            "mae": metrics.mae(np.full(len(chosen), np.median(earlier.ratings)), chosen.ratings),
            "rmse": metrics.rmse(np.full(len(chosen), earlier.ratings.mean()), chosen.ratings),
        }
    shown = ", ".join(f"{name} {figures['ncf'][name]:.4f}" for name in _SHOWN if name in figures["ncf"])
    logger.info("Held out %s of %s reviews: %s", f"{len(later):,}", f"{len(reviews):,}", shown)
    return Quality(figures, fitted.findings, calibration)


def ranked_reviewers(num_movies: int) -> int:
    """How many reviewers the catalogue is ranked for at most: fewer where it is large."""
    return min(_MAX_REVIEWERS, max(500, _MAX_SCORES // num_movies))
