"""Measures the held-out figures that a build carries, beside cheap baselines that it must beat."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import Config
from pipelines.baselines.rankers import Ease, ItemNeighbours, Popularity
from pipelines.baselines.raters import Biases
from pipelines.dataset.reviews import Reviews, default_like_rating
from pipelines.dataset.sentiment import training_reviews
from pipelines.dataset.splits import Split, hold_out_last, in_order
from pipelines.measuring import metrics
from pipelines.measuring.ranking import Score, Top, rank_held_out, top_of
from pipelines.training.fit import Findings, fit_model
from pipelines.work.checkpoints import Checkpoints

logger = logging.getLogger(__name__)

_MAX_REVIEWERS = 5000
"""Reviewers for whom the catalogue is ranked at most."""
_MAX_SCORES = 50_000_000
"""Scores of all ranked reviewers at most: of a large catalogue, fewer reviewers are ranked."""
_MAX_REVIEWS = 200_000
"""Held-out reviews whose ratings are predicted at most."""
_EASE_UP_TO = 3_000
"""Movies up to which EASE is measured: the inverse of its matrix then takes seconds."""
_SHOWN = ("ndcg@10", "recall@10", "mae", "rmse")
"""Figures that the log shows."""


class Quality(NamedTuple):
    """Says how good a build is."""

    figures: dict[str, dict[str, float]]
    """By model its figures: "ncf", "popularity" and, where there are ratings, "constant"."""
    findings: Findings | None
    """What was found for the training of the measured model; None where none was trained."""
    calibration: Sequence[dict[str, float]] = ()
    """How often movies were liked, by the predicted chance of a like; empty where there are no ratings."""


class Baselines(NamedTuple):
    """Holds the figures of the baselines that are measured beside a build."""

    figures: dict[str, dict[str, float]]
    """By model its figures, on the reviews and reviewers that the build is measured on."""
    left_out: str | None = None
    """Why no baseline was measured, in a sentence."""


def measure_quality(
    reviews: Reviews, config: Config, checkpoints: Checkpoints, features: Floats | None
) -> Quality:
    """Trains without each reviewer's last reviews, and measures how well these are found and rated.

    Nothing is measured where nothing is held out, or where too little to train on would be left. The
    checkpoints hold the quality that an interrupted build measured, or they get it. `features` are what
    `content_features` says of the movies.
    """
    saved = checkpoints.load("quality")
    if saved is not None:
        found = saved.facts["findings"]
        findings = None if found is None else Findings.from_dict(found)
        return Quality(saved.facts["figures"], findings, saved.facts["calibration"])
    split = _hold_out(reviews, config)
    if split is None:
        logger.info("Too few reviews are held out: quality is not measured")
        quality = Quality({}, None)
    else:
        quality = _measure(split, config, checkpoints.within("measured"), features)
    facts = quality._asdict() | {"findings": quality.findings and quality.findings.to_dict()}
    checkpoints.save("quality", {}, facts)
    checkpoints.forget("measured")
    return quality


def _hold_out(reviews: Reviews, config: Config) -> Split | None:
    share = config.split.test_share
    if share == 0:
        return None
    split = hold_out_last(in_order(reviews, config), share)
    return split if len(split.held_out) and (np.diff(split.train.offsets()) >= 2).any() else None


def _measure(split: Split, config: Config, checkpoints: Checkpoints, features: Floats | None) -> Quality:
    train, held_out = split
    fitted = fit_model(
        training_reviews(train, config.sentiment), config, features=features, checkpoints=checkpoints
    )
    model, like_rating = fitted.model, fitted.model.blend.like_rating
    figures = {
        "ncf": _ranking(model.score, split, like_rating, config.seed, top_of(model)),
        "popularity": _ranking(Popularity(train).score, split, like_rating, config.seed),
    }
    calibration: list[dict[str, float]] = []
    if train.has_ratings:
        chosen = held_out.select(np.arange(len(held_out)) < _MAX_REVIEWS)
        predicted = model.predict(chosen.reviewer_rows, chosen.movie_rows)
        assert predicted is not None
        likes, liked = model.like_probability(predicted.probabilities), chosen.likes(like_rating)
        calibration = metrics.calibration_bins(likes, liked)
        figures["ncf"] |= _errors(predicted.median, predicted.mean, chosen)
        figures["ncf"]["calibration_error"] = metrics.calibration_error(likes, liked)
        median, mean = (np.full(len(chosen), find(train.ratings)) for find in (np.median, np.mean))
        figures["constant"] = _errors(median, mean, chosen)
    shown = ", ".join(f"{name} {figures['ncf'][name]:.4f}" for name in _SHOWN if name in figures["ncf"])
    num_reviews = len(train) + len(held_out)
    logger.info("Held out %s of %s reviews: %s", f"{len(held_out):,}", f"{num_reviews:,}", shown)
    return Quality(figures, fitted.findings, calibration)


def measure_baselines(reviews: Reviews, config: Config) -> Baselines:
    """Trains cheap baselines without each reviewer's last reviews, and measures them as a build is measured.

    Nothing is measured on more reviews than `report.baselines_up_to`.
    """
    limit = config.report.baselines_up_to
    if len(reviews) > limit:
        return Baselines(
            {},
            f"There are more than {limit:,} reviews (report.baselines_up_to), so item-knn, ease and biases "
            "were left out; engine evaluate measures them.",
        )
    split = _hold_out(reviews, config)
    if split is None:
        return Baselines({}, "Too little was held out to measure baselines on.")
    started = time.perf_counter()
    train, held_out = split
    like_rating = config.rating.like_rating
    if like_rating is None:
        like_rating = default_like_rating(reviews.levels)
    figures = {"item-knn": _ranking(ItemNeighbours(train).score, split, like_rating, config.seed)}
    if train.num_movies <= _EASE_UP_TO:
        ease = Ease(train, like_rating=like_rating)
        figures["ease"] = _ranking(ease.score, split, like_rating, config.seed)
    if train.has_ratings:
        biases = Biases(train)
        figures["biases"] = _ranking(biases.score, split, like_rating, config.seed)
        predicted = biases.predict(held_out.reviewer_rows, held_out.movie_rows)
        figures["biases"] |= _errors(predicted.median, predicted.mean, held_out)
    logger.info("Measured %s beside it in %.1f s", ", ".join(figures), time.perf_counter() - started)
    return Baselines(figures)


def _ranking(
    score: Score, split: Split, like_rating: float, seed: int, top: Top | None = None
) -> dict[str, float]:
    """Ranks the catalogue for reviewers, and compares with their held-out likes."""
    train, held_out = split
    relevant = held_out.select(held_out.likes(like_rating))
    most = min(_MAX_REVIEWERS, max(500, _MAX_SCORES // train.num_movies))
    return rank_held_out(score, train, relevant, max_reviewers=most, seed=seed, top=top).mean()


def _errors(medians: NDArray[np.floating], means: NDArray[np.floating], rated: Reviews) -> dict[str, float]:
    """Compares predicted ratings, float [num_reviews], with the ratings that were given."""
    return {"mae": metrics.mae(medians, rated.ratings), "rmse": metrics.rmse(means, rated.ratings)}
