"""Makes baselines from two Python libraries: ALS from `implicit`, and SVD and SVD++ from `Surprise`."""

from __future__ import annotations

import importlib
from collections import defaultdict
from typing import Any

import numpy as np

from engine.arrays import Doubles, Floats
from engine.errors import ConfigError
from engine.model.heads import RatingPrediction
from pipelines.baselines.rankers import Popularity
from pipelines.baselines.raters import AnyRows, point_prediction
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.measuring.ranking import rank_held_out
from pipelines.neighbours.sparse import review_matrix

_AlsSetting = dict[str, Any]
_ALS_SETTINGS: tuple[_AlsSetting, ...] = (
    {"factors": 64, "regularization": 20.0, "alpha": 5.0},
    {"factors": 32, "regularization": 5.0, "alpha": 1.0},
    {"factors": 128, "regularization": 1.0, "alpha": 5.0},
    {"factors": 128, "regularization": 0.05, "alpha": 1.0},
)
_VALIDATION_REVIEWERS = 5_000
"""The largest number of reviewers whose held-out likes are used to choose the settings of ALS."""


class AlternatingLeastSquares:
    """Factorises the matrix of likes by ALS (Hu, Koren and Volinsky 2008), with the best of several settings.

    The best of `_ALS_SETTINGS` has the highest NDCG@10 on the last fifth of each reviewer's training reviews,
    which is held out for this choice; test reviews are not used.

    Raises:
        ConfigError: the library implicit is not installed.
    """

    def __init__(self, reviews: Reviews, like_rating: float, *, seed: int) -> None:
        self.popular = Popularity(reviews).counts
        train, held_out = hold_out_last(reviews, 0.2)
        liked = held_out.select(held_out.likes(like_rating))

        def quality(setting: _AlsSetting) -> float:
            self._fit(train, like_rating, setting, seed)
            ranked = rank_held_out(
                self.score, train, liked, k=(10,), max_reviewers=_VALIDATION_REVIEWERS, seed=seed
            )
            return ranked.mean()["ndcg@10"] if len(ranked) else 0.0

        self.setting = max(_ALS_SETTINGS, key=quality)
        self._fit(reviews, like_rating, self.setting, seed)

    def _fit(self, reviews: Reviews, like_rating: float, setting: _AlsSetting, seed: int) -> None:
        from scipy.sparse import csr_matrix  # The library implicit warns about any other type of matrix.

        als = _require("implicit.als", "als").AlternatingLeastSquares(
            **setting, iterations=15, random_state=seed, use_gpu=False
        )
        likes = csr_matrix(review_matrix(reviews.select(reviews.likes(like_rating))))
        als.fit(likes, show_progress=False)
        self.without_likes = np.diff(likes.indptr) == 0
        self.reviewer_vectors = np.asarray(als.user_factors)
        self.movie_vectors = np.asarray(als.item_factors)

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Scores all movies for n reviewers by inner products of vectors: float32 [n, num_movies].

        For a reviewer without likes, a movie's score is the movie's number of training reviews.
        """
        scores = np.asarray(self.reviewer_vectors[reviewer_rows] @ self.movie_vectors.T, dtype=np.float32)
        scores[self.without_likes[reviewer_rows]] = self.popular
        return scores


class Svd:
    """Predicts ratings with the model SVD of the library Surprise, in the library's default settings.

    A reviewer or a movie without training reviews has the bias 0 and a vector of zeros.

    Raises:
        ConfigError: the library Surprise is not installed.
    """

    algorithm = "SVD"

    def __init__(self, reviews: Reviews, *, seed: int) -> None:
        surprise = _require("surprise", self.algorithm.replace("pp", "++").lower())
        self.low, self.high = float(reviews.levels[0]), float(reviews.levels[-1])
        model = getattr(surprise, self.algorithm)(random_state=seed)
        model.fit(_trainset(surprise, reviews, (self.low, self.high)))
        known_reviewers = reviews.reviewer_counts() > 0
        known_movies = reviews.movie_counts() > 0
        self.mean = float(reviews.ratings.mean())
        self.reviewer_biases = np.asarray(model.bu)
        self.movie_biases = np.where(known_movies, model.bi, 0)
        self.reviewer_vectors = np.where(known_reviewers[:, None], self._vectors(model, reviews), 0)
        self.movie_vectors = np.where(known_movies[:, None], model.qi, 0)

    def _vectors(self, model: Any, reviews: Reviews) -> Doubles:
        return np.asarray(model.pu)

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Scores all movies for n reviewers by predicted rating: float32 [n, num_movies].

        A score leaves out the mean of all training ratings and the reviewer's bias, because both numbers are
        equal for all movies and so do not change the order of a reviewer's movies. Scores are not clipped to
        the rating scale, because the best movies would then have equal scores.
        """
        affinity = self.reviewer_vectors[reviewer_rows] @ self.movie_vectors.T
        return np.asarray(affinity + self.movie_biases, dtype=np.float32)

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction:
        """Predicts the rating of each pair of reviewer and movie.

        The mean and the median of a prediction are the same number; there are no probabilities of rating
        levels.
        """
        products = self.reviewer_vectors[reviewer_rows] * self.movie_vectors[movie_rows]
        biases = self.reviewer_biases[reviewer_rows] + self.movie_biases[movie_rows]
        return point_prediction(np.clip(self.mean + biases + products.sum(axis=1), self.low, self.high))


class SvdPlusPlus(Svd):
    """Predicts ratings by SVD++ (Koren 2008); a reviewer's vector also depends on which movies were rated."""

    algorithm = "SVDpp"

    def _vectors(self, model: Any, reviews: Reviews) -> Doubles:
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
    """Converts reviews to a training set of the library Surprise, with reviewer and movie rows as ids."""
    by_reviewer: dict[int, list[tuple[int, float]]] = defaultdict(list)
    by_movie: dict[int, list[tuple[int, float]]] = defaultdict(list)
    rows = (reviews.reviewer_rows.tolist(), reviews.movie_rows.tolist(), reviews.ratings.tolist())
    for reviewer_row, movie_row, rating in zip(*rows, strict=True):
        by_reviewer[reviewer_row].append((movie_row, rating))
        by_movie[movie_row].append((reviewer_row, rating))
    sizes = (reviews.num_reviewers, reviews.num_movies, len(reviews))
    return surprise.Trainset(by_reviewer, by_movie, *sizes, scale, {}, {})
