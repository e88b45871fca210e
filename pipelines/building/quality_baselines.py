"""What a build that is not too large is measured beside: baselines, and the two models that it grew from."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from engine.config.sections import Config
from pipelines.baselines.rankers import Ease, ItemNeighbours
from pipelines.baselines.raters import Biases
from pipelines.baselines.registry import Fitted, Ranker, Rater
from pipelines.baselines.seed import BATCH_SIZE, Effort, SeedBase, SeedFinal
from pipelines.building.quality import ranked_reviewers
from pipelines.dataset.reviews import Reviews, default_like_rating
from pipelines.dataset.splits import hold_out_last, in_order
from pipelines.measuring import metrics
from pipelines.measuring.ranking import rank_held_out

logger = logging.getLogger(__name__)

MAX_STEPS = 3_000
"""Of each of the two models: seconds. On MovieLens 100K eight times as many move their MAE by under 0.01."""
_STEPS_PER_EPOCH = 200
_EASE_UP_TO = 3_000
"""Movies up to which its matrix is a matter of seconds."""


class BuildBaselines(NamedTuple):
    """What was measured beside a build."""

    figures: dict[str, dict[str, float]]
    """By model, on the reviews and reviewers that the build is measured on."""
    curves: dict[str, dict[str, list[float]]]
    """By model: "loss" and "validation", the squared errors of each epoch."""
    left_out: str | None = None
    """Why there is nothing, in a sentence."""

    def summary(self) -> dict[str, Any]:
        """What the manifest keeps beside the figures."""
        return {"curves": self.curves, "left_out": self.left_out}


def measure_baselines(reviews: Reviews, config: Config) -> BuildBaselines:
    """Trains baselines without each reviewer's last reviews, and measures them as a build measures itself.

    Args:
        reviews: all of the build's; more than `report.baselines_up_to`, and nothing is measured.
        config: of the build.
    """
    limit = config.report.baselines_up_to
    if len(reviews) > limit:
        return BuildBaselines(
            {},
            {},
            f"There are more than {limit:,} reviews (report.baselines_up_to), so item-knn, ease, biases, "
            "base and final were left out; engine evaluate measures them.",
        )
    earlier, later = hold_out_last(in_order(reviews, config), config.split.test_share)
    if config.split.test_share == 0 or not len(later) or not (np.diff(earlier.offsets()) >= 2).any():
        return BuildBaselines({}, {}, "Too little was held out to measure baselines on.")
    started = time.perf_counter()
    like_rating = config.rating.like_rating
    if like_rating is None:
        like_rating = default_like_rating(reviews.levels)
    figures: dict[str, dict[str, float]] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for name, fit in _fits(earlier, like_rating, config.seed).items():
        model = fit()
        figures[name] = _measure(model, earlier, later, like_rating, config.seed)
        if isinstance(model, SeedBase | SeedFinal):
            curves[name] = model.curves
    logger.info("Measured %s beside it in %.1f s", ", ".join(figures), time.perf_counter() - started)
    return BuildBaselines(figures, curves)


def _fits(earlier: Reviews, like_rating: float, seed: int) -> dict[str, Callable[[], Fitted]]:
    fits: dict[str, Callable[[], Fitted]] = {"item-knn": lambda: ItemNeighbours(earlier)}
    if earlier.num_movies <= _EASE_UP_TO:
        fits["ease"] = lambda: Ease(earlier, like_rating=like_rating)
    if earlier.has_ratings:
        effort = _effort(len(earlier))
        fits["biases"] = lambda: Biases(earlier)
        fits["base"] = lambda: SeedBase(earlier, seed=seed, effort=effort)
        fits["final"] = lambda: SeedFinal(earlier, seed=seed, effort=effort)
    return fits


def _effort(num_reviews: int) -> Effort:
    steps = min(_STEPS_PER_EPOCH, max(1, num_reviews // BATCH_SIZE))
    return Effort(max_epochs=min(Effort().max_epochs, MAX_STEPS // steps), max_steps=steps)


def _measure(
    model: Fitted, earlier: Reviews, later: Reviews, like_rating: float, seed: int
) -> dict[str, float]:
    figures: dict[str, float] = {}
    if isinstance(model, Ranker):
        relevant = later.select(later.likes(like_rating))
        most = ranked_reviewers(earlier.num_movies)
        figures |= rank_held_out(model.score, earlier, relevant, max_reviewers=most, seed=seed).mean()
    if later.has_ratings and isinstance(model, Rater):
        predicted = model.predict(later.reviewer_rows, later.movie_rows)
        if predicted is not None:
            figures["mae"] = metrics.mae(predicted.median, later.ratings)
            figures["rmse"] = metrics.rmse(predicted.mean, later.ratings)
    return figures
