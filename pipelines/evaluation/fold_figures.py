"""Measures one model on one fold: the figures of the model, and each reviewer's part in each figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows
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
"""Lengths of the recommendation lists for which figures such as NDCG@10 are measured."""
_PAIRS_AT_ONCE = 2**18
"""Pairs of reviewer and movie in one batch of predictions; more would take gigabytes of memory."""


class PerReviewer(NamedTuple):
    """Holds the parts of a figure by reviewer; the figure is `sum(sums) / sum(weights)`, or the root (RMSE).

    `sums` and `weights` are float64 [num_reviewers]. The weight of a reviewer is 0 if nothing of the reviewer
    was measured.
    """

    sums: Doubles
    weights: Doubles


@dataclass(frozen=True, kw_only=True)
class FoldFigures:
    """Holds the figures of one model on one fold, such as MAE and NDCG@10."""

    figures: Mapping[str, float] = field(default_factory=dict)
    """Figures by name; a model that ranks no movies or predicts no ratings lacks the figures of that task."""
    by_reviewer: Mapping[str, PerReviewer] = field(default_factory=dict)
    """Each reviewer's part in the figures that are means over reviewers or reviews, by name of the figure."""


class PopularFallback(NamedTuple):
    """Ranks movies with the engine's model, and by popularity for reviewers without training reviews.

    The option `--fallback popular` does the same for reviewers whom an index does not know.
    """

    model: Model
    popularity: Floats
    """Popularity of each movie, float32 [num_movies], as `popularity_of` returns the popularity."""

    def score(self, reviewer_rows: Rows) -> Floats:
        """Returns the scores of all movies, float32 [n, num_movies], for reviewer rows, int64 [n]."""
        scores = self.model.score(reviewer_rows)
        scores[self._unknown(reviewer_rows)] = self.popularity
        return scores

    def top(self, reviewer_rows: Rows, k: int) -> NDArray[np.integer]:
        """Returns the rows of the k best movies that a reviewer has not reviewed, int [n, k], padded with -1.

        Movies with equal scores are ordered by row.

        Raises:
            TrainingError: a score is not a number.
        """
        listed = top_of(self.model)(reviewer_rows, k).copy()
        popular = np.argsort(-self.popularity, kind="stable")[:k]
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
    """Measures a model on a fold: the predicted ratings, if the model predicts any, and the ranked movies.

    Movies with a test rating of `like_rating` or more count as relevant. The model ranks all movies that the
    reviewer has no training review of, or only `candidates`: pairs of reviewer and movie, each as one number
    `reviewer_row * num_movies + movie_row`, ascending. Movies are ranked for at most `max_reviewers`
    reviewers, whom the seed of `config` draws; the reviewers are the same for all models. The half-life in
    `config.popularity` says how fast old reviews lose weight in the popularity.
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
    """Predicts the ratings of reviews, batch by batch; returns None if the model predicts no ratings."""
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
    num_reviews = np.bincount(train.movie_rows, minlength=train.num_movies)
    figures = {
        **ranked.mean(),
        f"coverage@{K[0]}": metrics.coverage(top, train.num_movies),
        f"novelty@{K[0]}": metrics.novelty(top, num_reviews, len(np.unique(train.reviewer_rows))),
        f"gini@{K[0]}": metrics.gini(top, train.num_movies),
    }
    return FoldFigures(figures=figures, by_reviewer=by_reviewer)
