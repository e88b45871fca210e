"""How good one model is on one fold: its figures, and what every reviewer adds to each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import PopularityConfig
from engine.model.heads import RatingPrediction
from engine.model.scorer import Model
from pipelines.baselines.registry import Fitted, Ranker, Rater
from pipelines.dataset.movie_figures import popularity_of
from pipelines.dataset.reviews import Reviews
from pipelines.evaluation.protocols import Fold
from pipelines.measuring import metrics
from pipelines.measuring.ranking import RankingResult, rank_held_out, top_of

K = (10, 20)
_PAIRS_AT_ONCE = 2**18


class PerReviewer(NamedTuple):
    """A figure's parts: the figure is `sum(sums) / sum(weights)`, or the root of that for the RMSE."""

    sums: NDArray[np.float64]
    """float64 [num_reviewers]."""
    weights: NDArray[np.float64]
    """float64 [num_reviewers], 0 for who is not part of it."""


@dataclass(frozen=True, kw_only=True)
class FoldFigures:
    """The figures of a model on a fold."""

    figures: Mapping[str, float]
    """By name; a model that does not rank or predict lacks those figures."""
    by_reviewer: Mapping[str, PerReviewer] = field(default_factory=dict)
    """Of those that are means over reviewers or reviews, by name."""


def measure(
    model: Fitted,
    fold: Fold,
    *,
    like_rating: float,
    max_reviewers: int | None,
    seed: int,
    candidates: NDArray[np.int64] | None = None,
    half_life_days: float = PopularityConfig().half_life_days,
) -> FoldFigures:
    """Measures ratings where there are any, and top lists.

    Relevant are the test reviews that are likes; the whole catalogue is ranked but for what training has of
    the reviewer, or the candidates where some are given.

    Args:
        model: fitted to the fold's training reviews.
        fold: the reviews.
        like_rating: the lowest rating that is a like.
        max_reviewers: how many reviewers are ranked at most, drawn at random, the same for all models.
        seed: of that draw.
        candidates: as `rank_held_out` takes them.
        half_life_days: of the popularity that the engine goes by for reviewers whom it does not know.
    """
    figures: dict[str, float] = {}
    parts: dict[str, PerReviewer] = {}
    if fold.test.has_ratings and isinstance(model, Rater):
        prediction = _predict(model, fold)
        if prediction is not None:
            _measure_ratings(prediction, fold, like_rating, figures, parts)
    if isinstance(model, Ranker):
        relevant = fold.test.select(fold.test.likes(like_rating))
        lists = None
        if isinstance(model, Model):
            popularity = popularity_of(model, model.histories, fold.train.times, half_life_days)
            lists = Lists(model, popularity)
        ranked = rank_held_out(
            model.score if lists is None else lists.score,
            fold.train,
            relevant,
            k=K,
            max_reviewers=max_reviewers,
            seed=seed,
            candidates=candidates,
            top=None if lists is None else lists.top,
        )
        _measure_top_lists(ranked, fold.train, figures, parts)
    return FoldFigures(figures=figures, by_reviewer=parts)


def _predict(model: Rater, fold: Fold) -> RatingPrediction | None:
    """Predicts the test ratings, some at a time."""
    test, predictions = fold.test, []
    for start in range(0, len(test), _PAIRS_AT_ONCE):
        chunk = slice(start, start + _PAIRS_AT_ONCE)
        prediction = model.predict(test.reviewer_rows[chunk], test.movie_rows[chunk])
        if prediction is None:
            return None
        predictions.append(prediction)
    return RatingPrediction(*(np.concatenate(columns) for columns in zip(*predictions, strict=True)))


def _measure_ratings(
    prediction: RatingPrediction,
    fold: Fold,
    like_rating: float,
    figures: dict[str, float],
    parts: dict[str, PerReviewer],
) -> None:
    test, actual = fold.test, fold.test.ratings
    rows, num_reviewers = test.reviewer_rows, test.num_reviewers
    weights = np.bincount(rows, minlength=num_reviewers).astype(np.float64)
    errors = {"mae": np.abs(prediction.median - actual), "rmse": (prediction.mean - actual) ** 2}
    figures["mae"] = metrics.mae(prediction.median, actual)
    figures["rmse"] = metrics.rmse(prediction.mean, actual)
    for name, error in errors.items():
        sums = np.bincount(rows, weights=error, minlength=num_reviewers)
        parts[name] = PerReviewer(sums.astype(np.float64), weights)
    if prediction.probabilities.shape[1]:
        liked = prediction.probabilities[:, test.levels >= like_rating].sum(axis=1)
        likes = test.likes(like_rating)
        figures["log_loss"] = metrics.log_loss(liked, likes)
        figures["calibration_error"] = metrics.calibration_error(liked, likes)


def _measure_top_lists(
    ranked: RankingResult, train: Reviews, figures: dict[str, float], parts: dict[str, PerReviewer]
) -> None:
    figures.update(ranked.mean())
    for name, values in ranked.figures.items():
        sums, weights = np.zeros(train.num_reviewers), np.zeros(train.num_reviewers)
        sums[ranked.reviewer_rows], weights[ranked.reviewer_rows] = values, 1
        parts[name] = PerReviewer(sums, weights)
    top = ranked.top[:, : K[0]]
    num_reviews = np.bincount(train.movie_rows, minlength=train.num_movies)
    figures[f"coverage@{K[0]}"] = metrics.coverage(top, train.num_movies)
    figures[f"novelty@{K[0]}"] = metrics.novelty(top, num_reviews, len(np.unique(train.reviewer_rows)))
    figures[f"gini@{K[0]}"] = metrics.gini(top, train.num_movies)


class Lists(NamedTuple):
    """Ranks for known reviewers by the model, for others by popularity, as `--fallback popular` does."""

    model: Model
    """Trained, with the histories of training."""
    popularity: NDArray[np.float32]
    """float32 [num_movies], as `popularity_of` gives it."""

    def score(self, reviewer_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores of all movies, float32 [n, num_movies], for reviewer rows, int64 [n]."""
        scores = self.model.score(reviewer_rows)
        scores[self._are_strangers(reviewer_rows)] = self.popularity
        return scores

    def top(self, reviewer_rows: NDArray[np.int64], k: int) -> NDArray[np.integer]:
        """The k best unseen movies, int [n, k], -1 where none is left; equal ones stand in the order of rows.

        Raises:
            TrainingError: a score is not a number.
        """
        listed = top_of(self.model)(reviewer_rows, k).copy()
        popular = np.argsort(-self.popularity, kind="stable")[:k]
        strangers = np.flatnonzero(self._are_strangers(reviewer_rows))
        listed[strangers] = -1
        listed[strangers, : len(popular)] = popular
        return listed

    def _are_strangers(self, reviewer_rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        strangers: NDArray[np.bool_] = self.model.histories.lengths[reviewer_rows] == 0
        return strangers
