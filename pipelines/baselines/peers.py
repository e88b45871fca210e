"""Baselines from other libraries, in the extra `peers`: implicit's ALS, and Surprise's SVD and SVD++."""

from __future__ import annotations

import importlib
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.model.heads import RatingPrediction
from pipelines.baselines.rankers import Popularity, review_matrix
from pipelines.baselines.raters import point_prediction
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.measuring.ranking import rank_held_out


class _AlsSetting(NamedTuple):
    factors: int
    regularization: float
    alpha: float


_ALS_SETTINGS = (
    _AlsSetting(64, 20.0, 5.0),
    _AlsSetting(32, 5.0, 1.0),
    _AlsSetting(128, 1.0, 5.0),
    _AlsSetting(128, 0.05, 1.0),
)
_VALIDATION_REVIEWERS = 5_000


class AlternatingLeastSquares:
    """Implicit matrix factorisation (Hu, Koren and Volinsky 2008) on likes, the best of four settings.

    The setting is chosen on each reviewer's last fifth of the training reviews, never on test data.

    Raises:
        ConfigError: the library is not installed.
    """

    def __init__(self, reviews: Reviews, like_rating: float, *, seed: int) -> None:
        self.reviewer_vectors: NDArray[np.float32]
        self.movie_vectors: NDArray[np.float32]
        self.popular = Popularity(reviews).counts
        earlier, later = hold_out_last(reviews, 0.2)
        relevant = later.select(later.likes(like_rating))

        def quality(setting: _AlsSetting) -> float:
            self._fit(earlier, like_rating, setting, seed)
            ranked = rank_held_out(
                self.score, earlier, relevant, k=(10,), max_reviewers=_VALIDATION_REVIEWERS, seed=seed
            )
            return ranked.mean()["ndcg@10"] if len(ranked) else 0.0

        self.setting = max(_ALS_SETTINGS, key=quality)
        self._fit(reviews, like_rating, self.setting, seed)

    def _fit(self, reviews: Reviews, like_rating: float, setting: _AlsSetting, seed: int) -> None:
        als = _require("implicit.als", "als").AlternatingLeastSquares(
            **setting._asdict(), iterations=15, random_state=seed, use_gpu=False
        )
        likes = review_matrix(reviews.select(reviews.likes(like_rating)))
        als.fit(likes, show_progress=False)
        self.without_likes = np.diff(likes.indptr) == 0
        self.reviewer_vectors = np.asarray(als.user_factors)
        self.movie_vectors = np.asarray(als.item_factors)

    def score(self, reviewer_rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Inner products, float32 [n, num_movies]; popularity for who has no likes."""
        scores = np.asarray(self.reviewer_vectors[reviewer_rows] @ self.movie_vectors.T, dtype=np.float32)
        scores[self.without_likes[reviewer_rows]] = self.popular
        return scores

    def predict(self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]) -> None:
        """Implicit factors say nothing of ratings."""


class Svd:
    """Biased matrix factorisation by stochastic gradient descent, with Surprise's own defaults.

    Unknown reviewers and movies have neither bias nor factors. Ranks by predicted rating.

    Raises:
        ConfigError: the library is not installed.
    """

    algorithm = "SVD"

    def __init__(self, reviews: Reviews, *, seed: int) -> None:
        surprise = _require("surprise", self.algorithm.replace("pp", "++").lower())
        self.low, self.high = float(reviews.levels[0]), float(reviews.levels[-1])
        model = getattr(surprise, self.algorithm)(random_state=seed)
        model.fit(_trainset(surprise, reviews, (self.low, self.high)))
        known_reviewers = np.bincount(reviews.reviewer_rows, minlength=reviews.num_reviewers) > 0
        known_movies = np.bincount(reviews.movie_rows, minlength=reviews.num_movies) > 0
        self.mean = float(reviews.ratings.mean())
        self.reviewer_biases = np.asarray(model.bu)
        self.movie_biases = np.where(known_movies, model.bi, 0)
        self.reviewer_vectors = np.where(known_reviewers[:, None], self._vectors(model, reviews), 0)
        self.movie_vectors = np.where(known_movies[:, None], model.qi, 0)

    def _vectors(self, model: Any, reviews: Reviews) -> NDArray[np.float64]:
        return np.asarray(model.pu)

    def score(self, reviewer_rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Predicted ratings without the clipping, which would tie the best, float32 [n, num_movies]."""
        affinity = self.reviewer_vectors[reviewer_rows] @ self.movie_vectors.T
        return np.asarray(affinity + self.movie_biases, dtype=np.float32)

    def predict(
        self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> RatingPrediction:
        """One figure for mean and median, and no chances."""
        products = self.reviewer_vectors[reviewer_rows] * self.movie_vectors[movie_rows]
        biases = self.reviewer_biases[reviewer_rows] + self.movie_biases[movie_rows]
        return point_prediction(np.clip(self.mean + biases + products.sum(axis=1), self.low, self.high))


class SvdPlusPlus(Svd):
    """SVD whose reviewer vectors also hold which movies were rated at all (Koren 2008)."""

    algorithm = "SVDpp"

    def _vectors(self, model: Any, reviews: Reviews) -> NDArray[np.float64]:
        history = review_matrix(reviews)
        roots = np.sqrt(np.maximum(np.diff(history.indptr), 1))
        return np.asarray(model.pu + (history @ model.yj) / roots[:, None])


def _require(module: str, model: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"The model {model!r} needs a library that is not installed ({error.name}); install it with "
            "`pip install movie-engine[peers]`, or leave the model out"
        ) from error


def _trainset(surprise: Any, reviews: Reviews, scale: tuple[float, float]) -> Any:
    """Surprise's own form of the reviews, with our rows for its inner ids."""
    by_reviewer: dict[int, list[tuple[int, float]]] = defaultdict(list)
    by_movie: dict[int, list[tuple[int, float]]] = defaultdict(list)
    rows = (reviews.reviewer_rows.tolist(), reviews.movie_rows.tolist(), reviews.ratings.tolist())
    for reviewer_row, movie_row, rating in zip(*rows, strict=True):
        by_reviewer[reviewer_row].append((movie_row, rating))
        by_movie[movie_row].append((reviewer_row, rating))
    sizes = (reviews.num_reviewers, reviews.num_movies, len(reviews))
    return surprise.Trainset(by_reviewer, by_movie, *sizes, scale, {}, {})
