"""Measures on held-out reviews the quality of a build's model, and of baselines that are fast to train."""

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
from pipelines.dataset.reviews import Reviews, like_rating_of
from pipelines.dataset.sentiment import training_reviews
from pipelines.dataset.splits import Split, hold_out_last, in_order
from pipelines.measuring import metrics
from pipelines.measuring.ranking import Score, Top, rank_held_out, top_of
from pipelines.similar.traits import Traits
from pipelines.training.fit import Findings, find, fit_model
from pipelines.work.checkpoints import Checkpoints
from pipelines.work.runners import HERE, Runner

logger = logging.getLogger(__name__)

_MAX_REVIEWERS = 5000
"""The largest number of reviewers whose rankings of all movies are measured."""
_MAX_SCORES = 50_000_000
"""The largest number of scores (reviewers times movies) in a measurement; for a large catalogue, fewer
reviewers are measured."""
_MAX_REVIEWS = 200_000
"""The largest number of held-out reviews whose ratings are predicted to measure quality."""
_EASE_UP_TO = 3_000
"""The largest number of movies for which the baseline EASE is trained; with more movies, the training takes
too long."""
_QUALITY = "quality"
"""The name of the checkpoint that holds the metrics of a build. The checkpoint named `_QUALITY` also holds
what the function `find_on_part` chose, such as the number of training rounds."""
_MEASURED = "measured"
"""The name of the folder of checkpoints for training the model whose quality is measured."""
_SHOWN = ("ndcg@10", "recall@10", "mae", "rmse")
"""The names of the metrics that are logged."""


class Quality(NamedTuple):
    """Holds the metrics of a build's model and of two simple models, measured on held-out reviews."""

    figures: dict[str, dict[str, float]]
    """The metrics of each model; the keys are the names of the models. The model "ncf" is the engine's model.
    The model "popularity" ranks movies by popularity. The model "constant" predicts the same rating for every
    review, and is left out if the reviews have no ratings."""
    calibration: Sequence[dict[str, float]] = ()
    """For each bin of predicted chances of a like, the share of movies that were liked; empty if the reviews
    have no ratings."""


class Baselines(NamedTuple):
    """Holds the metrics of the baselines with which the model of a build is compared."""

    figures: dict[str, dict[str, float]]
    """The metrics of each baseline, measured on the same reviews and reviewers as the model of the build."""
    left_out: str | None = None
    """A sentence that says which baselines were not measured, and why; None if all baselines were
    measured."""


def find_on_part(
    reviews: Reviews,
    config: Config,
    checkpoints: Checkpoints,
    features: Floats | None,
    traits: Traits | None = None,
    runner: Runner = HERE,
) -> Findings | None:
    """Chooses training rounds, score weights and the neighbour table of the model whose quality is measured.

    The score weights are the factors with which relevance, similarities and other components of a movie's
    score are added up. The function does not use the reviews that are held out for measuring quality.

    Returns None if quality cannot be measured: no reviews are held out, or too few reviews would be left for
    training.

    Args:
        reviews: all reviews of the build.
        config: the settings of the build.
        checkpoints: the checkpoints of the build.
        features: the vectors that `content_features` computes from metadata; None without metadata.
        traits: the movies' categories, words, series and links, by which similar movies are found; None to
            learn no weights for the table of similar movies.
        runner: trains the heads of the models, in this process or in workers of Ray.
    """
    saved = checkpoints.load(_QUALITY)
    if saved is not None:
        found = saved.facts["findings"]
        return None if found is None else Findings.restore(found, saved.arrays)
    split = _hold_out(reviews, config)
    if split is None:
        return None
    learned, part = training_reviews(split.train, config.sentiment), checkpoints.within(_MEASURED)
    return find(learned, config, features=features, traits=traits, checkpoints=part, runner=runner)


def measure_quality(
    reviews: Reviews,
    config: Config,
    checkpoints: Checkpoints,
    features: Floats | None,
    findings: Findings | None,
    runner: Runner = HERE,
) -> Quality:
    """Trains a model without each reviewer's last reviews, and measures the model on the last reviews.

    The argument `findings` is the result of `find_on_part`; if `findings` is None, nothing is measured.
    Metrics that an interrupted build has saved as a checkpoint are not measured again. The docstring of
    `find_on_part` explains all arguments except `findings`.
    """
    saved = checkpoints.load(_QUALITY)
    if saved is not None:
        return Quality(saved.facts["figures"], saved.facts["calibration"])
    split = _hold_out(reviews, config)
    if split is None or findings is None:
        logger.info("Too few reviews are held out: quality is not measured")
        quality = Quality({})
    else:
        quality = _measure(split, config, checkpoints.within(_MEASURED), features, findings, runner)
    facts = quality._asdict() | {"findings": findings and findings.to_dict()}
    checkpoints.save(_QUALITY, findings.arrays() if findings else {}, facts)
    checkpoints.forget(_MEASURED)
    return quality


def _hold_out(reviews: Reviews, config: Config) -> Split | None:
    share = config.split.test_share
    if share == 0:
        return None
    split = hold_out_last(in_order(reviews, config), share)
    return split if len(split.held_out) and (np.diff(split.train.offsets()) >= 2).any() else None


def _measure(
    split: Split,
    config: Config,
    checkpoints: Checkpoints,
    features: Floats | None,
    findings: Findings,
    runner: Runner,
) -> Quality:
    train, held_out = split
    model = fit_model(
        training_reviews(train, config.sentiment),
        config,
        features=features,
        findings=findings,
        checkpoints=checkpoints,
        runner=runner,
    ).model
    like_rating = model.blend.like_rating
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
    return Quality(figures, calibration)


def measure_baselines(reviews: Reviews, config: Config) -> Baselines:
    """Trains baselines without each reviewer's last reviews, and measures predictions of the last reviews.

    If there are more reviews than the setting `report.baselines_up_to` allows, no baseline is trained.
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
    like_rating = like_rating_of(reviews, config)
    left_out = None
    figures = {"item-knn": _ranking(ItemNeighbours(train).score, split, like_rating, config.seed)}
    if train.num_movies <= _EASE_UP_TO:
        ease = Ease(train, like_rating=like_rating)
        figures["ease"] = _ranking(ease.score, split, like_rating, config.seed)
    else:
        left_out = (
            f"EASE was left out, because it inverts a table of all pairs of movies, and there are more than "
            f"{_EASE_UP_TO:,} movies; engine evaluate measures it."
        )
    if train.has_ratings:
        biases = Biases(train)
        figures["biases"] = _ranking(biases.score, split, like_rating, config.seed)
        predicted = biases.predict(held_out.reviewer_rows, held_out.movie_rows)
        figures["biases"] |= _errors(predicted.median, predicted.mean, held_out)
    logger.info("Measured %s beside it in %.1f s", ", ".join(figures), time.perf_counter() - started)
    return Baselines(figures, left_out)


def _ranking(
    score: Score, split: Split, like_rating: float, seed: int, top: Top | None = None
) -> dict[str, float]:
    """Ranks all movies for a sample of reviewers; returns metrics of the positions of held-out likes."""
    train, held_out = split
    relevant = held_out.select(held_out.likes(like_rating))
    most = min(_MAX_REVIEWERS, max(500, _MAX_SCORES // train.num_movies))
    return rank_held_out(score, train, relevant, max_reviewers=most, seed=seed, top=top).mean()


def _errors(medians: NDArray[np.floating], means: NDArray[np.floating], rated: Reviews) -> dict[str, float]:
    """Returns the mean absolute error of the predicted medians (`mae`), and the RMSE of the predicted means.

    The array `medians` holds the predicted median rating of each review in `rated`, and the array `means`
    holds the predicted mean rating, both in stars, float [num_reviews].
    """
    return {"mae": metrics.mae(medians, rated.ratings), "rmse": metrics.rmse(means, rated.ratings)}
