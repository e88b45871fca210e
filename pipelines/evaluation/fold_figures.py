"""Measures one model on one fold: computes metrics such as MAE over all reviewers and for each reviewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, k_highest
from engine.config.sections import Config
from engine.model.heads import RatingPrediction
from engine.model.scorer import Model
from pipelines.baselines.registry import Fitted, Ranker, Rater
from pipelines.dataset.movie_figures import popularity_of
from pipelines.dataset.reviews import Reviews
from pipelines.evaluation.protocols import Fold
from pipelines.measuring import metrics
from pipelines.measuring.ranking import RankingResult, Score, Top, rank_held_out, top_of

K = (10, 20)
"""The lengths of the recommendation lists for which metrics such as NDCG@10 are measured."""
_PAIRS_AT_ONCE = 2**18
"""The number of pairs of reviewer and movie in a batch whose ratings are predicted together; larger batches
would take gigabytes of memory."""


class PerReviewer(NamedTuple):
    """Holds the contribution of each reviewer to a metric such as MAE: a sum and a weight.

    The value of a metric over all reviewers is `sum(sums) / sum(weights)`, or `sqrt(sum(sums) /
    sum(weights))` for RMSE. For MAE, a reviewer's sum is the sum of the absolute errors of the reviewer's
    predicted ratings, and a reviewer's weight is the number of these ratings.

    The arrays `sums` and `weights` are float64 [num_reviewers]. If the metric was not measured for a
    reviewer, the reviewer's entry in the array `weights` is 0.
    """

    sums: Doubles
    weights: Doubles


@dataclass(frozen=True, kw_only=True)
class FoldFigures:
    """Holds the metrics of one model on one fold, such as MAE and NDCG@10."""

    figures: Mapping[str, float] = field(default_factory=dict)
    """The values of the metrics; the keys are the names of the metrics. A model that ranks no movies has no
    metrics of rankings, and a model that predicts no ratings has no metrics of ratings."""
    by_reviewer: Mapping[str, PerReviewer] = field(default_factory=dict)
    """The contributions of all reviewers to each metric that is a mean over reviewers or over reviews; the
    keys are the names of the metrics."""


class PopularFallback(NamedTuple):
    """Ranks movies by the engine's model; reviewers without training reviews get the most popular movies.

    With the option `--fallback popular`, the command line also gives the most popular movies to reviewers
    whom an index does not hold.
    """

    model: Model
    popularity: Floats
    """The popularity of each movie, which the function `popularity_of` computes: float32 [num_movies]."""

    def score(self, reviewer_rows: Rows) -> Floats:
        """Scores all movies for the reviewers in the given n rows: float32 [n, num_movies]."""
        scores = self.model.score(reviewer_rows)
        scores[self._unknown(reviewer_rows)] = self.popularity
        return scores

    def top(self, reviewer_rows: Rows, k: int) -> NDArray[np.integer]:
        """Returns the rows of the k best unseen movies of each reviewer, int [n, k], padded with -1.

        Movies of equal score are ordered by row.

        Raises:
            TrainingError: a score is not a number.
        """
        listed = top_of(self.model)(reviewer_rows, k).copy()
        popular = k_highest(self.popularity, k)
        unknown = self._unknown(reviewer_rows)
        listed[unknown] = -1
        listed[unknown, : len(popular)] = popular
        return listed

    def _unknown(self, reviewer_rows: Rows) -> NDArray[np.intp]:
        """Returns the positions in `reviewer_rows` of reviewers who have no training reviews."""
        return np.flatnonzero(self.model.histories.lengths[reviewer_rows] == 0)


def measure(
    model: Fitted,
    fold: Fold,
    config: Config,
    like_rating: float,
    max_reviewers: int | None,
    candidates: Rows | None,
) -> FoldFigures:
    """Measures how well a model predicts the ratings, and ranks the movies, of a fold's test reviews.

    A movie is relevant to a reviewer if the reviewer's test rating is at least `like_rating`. Without
    `candidates`, the model ranks, for each reviewer, all movies of which the reviewer has no training review.

    Args:
        model: the fitted model.
        fold: the training and the test reviews.
        config: the settings; the setting `seed` decides for which reviewers movies are ranked; the reviewers
            are the same for all models.
        like_rating: the lowest rating that counts as a like.
        max_reviewers: the largest number of reviewers for whom movies are ranked; None for all reviewers.
        candidates: the pairs of reviewer and movie that are ranked, each as one number `reviewer_row *
            num_movies + movie_row`, ascending; None to rank all movies.
    """
    ratings = lists = FoldFigures()
    if fold.test.has_ratings and isinstance(model, Rater):
        prediction = _predict(model, fold.test)
        if prediction is not None:
            ratings = _measure_ratings(prediction, fold.test, like_rating)
    if isinstance(model, Ranker):
        score: Score = model.score
        top: Top | None = None
        if isinstance(model, Model):
            half_life_days = config.popularity.half_life_days
            popularity = popularity_of(model, model.histories, fold.train.times, half_life_days)
            ranker = PopularFallback(model, popularity)
            score, top = ranker.score, ranker.top
        ranked = rank_held_out(
            score,
            fold.train,
            fold.test.select(fold.test.likes(like_rating)),
            k=K,
            max_reviewers=max_reviewers,
            seed=config.seed,
            candidates=candidates,
            top=top,
        )
        lists = _measure_lists(ranked, fold.train)
    return FoldFigures(
        figures={**ratings.figures, **lists.figures}, by_reviewer={**ratings.by_reviewer, **lists.by_reviewer}
    )


def _predict(model: Rater, test: Reviews) -> RatingPrediction | None:
    """Predicts the ratings of test reviews in batches; returns None if the model predicts no ratings."""
    predictions = []
    for start in range(0, len(test), _PAIRS_AT_ONCE):
        batch = slice(start, start + _PAIRS_AT_ONCE)
        prediction = model.predict(test.reviewer_rows[batch], test.movie_rows[batch])
        if prediction is None:
            return None
        predictions.append(prediction)
    return RatingPrediction(*(np.concatenate(columns) for columns in zip(*predictions, strict=True)))


def _measure_ratings(prediction: RatingPrediction, test: Reviews, like_rating: float) -> FoldFigures:
    rows, actual = test.reviewer_rows, test.ratings
    figures = {"mae": metrics.mae(prediction.median, actual), "rmse": metrics.rmse(prediction.mean, actual)}
    errors = {"mae": np.abs(prediction.median - actual), "rmse": (prediction.mean - actual) ** 2}
    weights = np.bincount(rows, minlength=test.num_reviewers).astype(np.float64)
    by_reviewer = {
        name: PerReviewer(np.bincount(rows, error, test.num_reviewers).astype(np.float64), weights)
        for name, error in errors.items()
    }
    if prediction.probabilities.shape[1]:
        liked = prediction.probabilities[:, test.levels >= like_rating].sum(axis=1)
        likes = test.likes(like_rating)
        figures["log_loss"] = metrics.log_loss(liked, likes)
        figures["calibration_error"] = metrics.calibration_error(liked, likes)
    return FoldFigures(figures=figures, by_reviewer=by_reviewer)


def _measure_lists(ranked: RankingResult, train: Reviews) -> FoldFigures:
    by_reviewer = {}
    for name, values in ranked.figures.items():
        sums, weights = np.zeros(train.num_reviewers), np.zeros(train.num_reviewers)
        sums[ranked.reviewer_rows], weights[ranked.reviewer_rows] = values, 1
        by_reviewer[name] = PerReviewer(sums, weights)
    top = ranked.top[:, : K[0]]
    num_reviews = train.movie_counts()
    figures = {
        **ranked.mean(),
        f"coverage@{K[0]}": metrics.coverage(top, train.num_movies),
        f"novelty@{K[0]}": metrics.novelty(top, num_reviews, len(np.unique(train.reviewer_rows))),
        f"gini@{K[0]}": metrics.gini(top, train.num_movies),
    }
    return FoldFigures(figures=figures, by_reviewer=by_reviewer)
