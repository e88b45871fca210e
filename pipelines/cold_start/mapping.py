"""Predicts the vectors of movies without reviews from the words of metadata, by ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.model.scorer import Model
from pipelines.dataset.words import learn_features, weigh_words

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""The possible penalties of the ridge regression; cross-validation chooses one."""
_RELIABLE_REVIEWS = 20.0
"""A movie with n reviews has the weight `n / (n + _RELIABLE_REVIEWS)` in the ridge regression."""


class MovieVectors(NamedTuple):
    """Holds the vectors of movies in the relevance head and in the rating head.

    The fields `rating_movie_vectors`, `rating_history_vectors` and `movie_means`, which belong to the rating
    head, are None if the model predicts no ratings.
    """

    movie_vectors: Floats
    """float32 [num, embedding_dim + 1], the relevance head's movie vectors; the last column holds the
    biases."""
    history_vectors: Floats
    """float32 [num, embedding_dim], for each movie, the vector that a review of the movie adds to the
    reviewer's vector in the relevance head."""
    rating_movie_vectors: Floats | None = None
    """float32 [num, dim + 2], the rating head's movie vectors; the last two columns hold each
    movie's bias and the logarithm of the movie's scale; a high scale makes predicted distributions narrow."""
    rating_history_vectors: Floats | None = None
    """float32 [num, 2 * dim], two vectors for each movie, `first` and `second`. A review of the movie adds
    `first + (rating - mean rating of the movie) * second` to the reviewer's vector in the rating head."""
    movie_means: Floats | None = None
    """float32 [num], the mean rating of each movie in stars, as the rating head holds it."""

    @classmethod
    def of(cls, model: Model) -> MovieVectors:
        """Returns the vectors of all movies of a model."""
        vectors = cls(model.relevance.movie_vectors, model.relevance.history_vectors)
        rating = model.rating
        if rating is None:
            return vectors
        return cls(*vectors[:2], rating.movie_vectors, rating.history_vectors, rating.movie_means)

    def table(self) -> Floats:
        """Returns all vectors as one table with a row for each movie, float32 [num, num_targets]."""
        parts = [part if part.ndim == 2 else part[:, None] for part in self if part is not None]
        return np.hstack(parts).astype(np.float32)

    @property
    def widths(self) -> list[int]:
        """Returns how many columns of `MovieVectors.table` each field has, except fields that are None."""
        return [1 if part.ndim == 1 else part.shape[1] for part in self if part is not None]

    def split(self, table: Floats) -> MovieVectors:
        """Splits a table with the columns of `MovieVectors.table`, [num, num_targets], into the fields."""
        own = [part for part in self if part is not None]
        parts = np.split(table, np.cumsum(self.widths)[:-1], axis=1)
        return MovieVectors(
            *(part[:, 0] if old.ndim == 1 else part for part, old in zip(parts, own, strict=True))
        )

    def into(self, model: Model) -> Model:
        """Returns a copy of `model` in which the vectors of this object replace the movie vectors."""
        rating = model.rating
        if rating is not None:
            parts = (self.rating_movie_vectors, self.rating_history_vectors, self.movie_means)
            vectors, history_vectors, movie_means = (np.ascontiguousarray(part) for part in parts)
            rating = replace(
                rating, movie_vectors=vectors, history_vectors=history_vectors, movie_means=movie_means
            )
        relevance = replace(
            model.relevance,
            movie_vectors=np.ascontiguousarray(self.movie_vectors),
            history_vectors=np.ascontiguousarray(self.history_vectors),
        )
        return replace(model, relevance=relevance, rating=rating)

    @property
    def bias_column(self) -> int:
        """Returns the column of `MovieVectors.table` that holds the biases of the relevance head."""
        return int(self.movie_vectors.shape[1]) - 1

    @property
    def log_scale_column(self) -> int:
        """Returns the column of `MovieVectors.table` that holds the log scales of the rating head."""
        assert self.rating_movie_vectors is not None
        before = self.movie_vectors.shape[1] + self.history_vectors.shape[1]
        return int(before + self.rating_movie_vectors.shape[1]) - 1


@dataclass(frozen=True, kw_only=True)
class ColdMapping:
    """Predicts movie vectors from words of metadata; an index stores each field of the mapping as an array.

    The mapping first weighs the words of a movie's metadata by rarity (TF-IDF). A truncated singular value
    decomposition reduces the TF-IDF weights of a movie's words to a few numbers, called features (latent
    semantic analysis). Ridge regression maps a movie's features to the movie's vectors in the model. The
    known words are the words for which the mapping has a weight; a movie without known words gets the vectors
    in `intercepts`.
    """

    columns: NDArray[np.int32]
    """int32 [num_words], the column of each known word in the matrices of word counts, [..., NUM_COLUMNS]."""
    rarities: Floats
    """float32 [num_words], the inverse document frequency of each known word."""
    components: Floats
    """float32 [num_words, num_features], the matrix that maps TF-IDF weights to features."""
    coefficients: Floats
    """float32 [num_features, num_targets], the coefficients of the ridge regression."""
    intercepts: Floats
    """float32 [num_targets], the row of `MovieVectors.table` that is predicted for a movie without known
    words."""

    def weigh(self, words: csr_array) -> csr_array:
        """Computes TF-IDF weights from word counts: float32 [num_movies, num_words], rows of length 1."""
        return weigh_words(words[:, self.columns], self.rarities)

    def features(self, weighed: csr_array) -> Floats:
        """Reduces the TF-IDF weights of movies to features, float32 [num_movies, num_features]."""
        return np.asarray(weighed @ self.components, dtype=np.float32)

    def table(self, features: Floats) -> Floats:
        """Predicts from features the vectors of movies; the returned table has one row for each movie.

        The table is float32 [num_movies, num_targets], with the columns that `MovieVectors.table` returns.
        """
        return np.asarray(features @ self.coefficients + self.intercepts, dtype=np.float32)

    def shifted(self, column: int, amount: float) -> ColdMapping:
        """Returns a copy of the mapping whose predictions in the column `column` are higher by `amount`."""
        intercepts = self.intercepts.copy()
        intercepts[column] += np.float32(amount)
        return replace(self, intercepts=intercepts)


class Regression(NamedTuple):
    """Holds a ridge regression from the features of movies to the vectors of movies."""

    coefficients: Floats
    """float32 [num_features, num_targets]."""
    intercepts: Floats
    """float32 [num_targets]."""
    penalty: float
    """The factor of the sum of squared coefficients in the loss, one of the PENALTIES."""


def learn_mapping(
    words: csr_array, targets: Floats, counts: NDArray[np.integer], *, bias_column: int | None = None
) -> ColdMapping:
    """Learns the mapping from words to movie vectors, on movies that have metadata and reviews.

    Args:
        words: the word counts of the metadata of the movies, float32 [num_movies, NUM_COLUMNS].
        targets: the trained vectors of the movies, as `MovieVectors.table` returns them, float32 [num_movies,
            num_targets].
        counts: the number of reviews of each movie, int [num_movies].
        bias_column: the column of `targets` that holds the biases of the relevance head; None if no column
            holds biases.
    """
    columns, rarities, components = learn_features(words)
    features = weigh_words(words[:, columns], rarities) @ components
    scale = np.float32(max(np.sqrt(np.square(features).sum(axis=1).mean()), 1e-9))
    found = fit_regression(features / scale, targets, counts, bias_column=bias_column)
    return ColdMapping(
        columns=columns,
        rarities=rarities,
        components=(components / scale).astype(np.float32),
        coefficients=found.coefficients,
        intercepts=found.intercepts,
    )


def fit_regression(
    features: Floats,
    targets: Floats,
    counts: NDArray[np.integer],
    *,
    bias_column: int | None = None,
    penalties: Sequence[float] = PENALTIES,
) -> Regression:
    """Fits a ridge regression; leave-one-out cross-validation chooses the penalty, if there are several.

    Args:
        features: the features of the movies, float32 [num_movies, num_features].
        targets: the trained vectors of the movies, as in `learn_mapping`.
        counts: the number of reviews of each movie, int [num_movies]; movies with more reviews weigh more in
            the regression.
        bias_column: the column of `targets` that holds biases, as in `learn_mapping`.
        penalties: the penalties to choose from.
    """
    from sklearn.linear_model import Ridge, RidgeCV

    if not features.shape[1]:
        return Regression(np.zeros((0, targets.shape[1]), np.float32), targets.mean(axis=0), penalties[0])
    reliability = counts / (counts + _RELIABLE_REVIEWS)
    ridge = Ridge(penalties[0]) if len(penalties) == 1 else RidgeCV(penalties)
    ridge.fit(features, targets, sample_weight=reliability)
    intercepts = ridge.intercept_.copy()
    if bias_column is not None:
        # A bias is a log probability, and the log of a mean probability is about the mean log probability
        # plus half the variance of the log probabilities.
        missed = targets[:, bias_column] - ridge.predict(features)[:, bias_column]
        intercepts[bias_column] += np.square(missed).mean() / 2
    penalty = penalties[0] if len(penalties) == 1 else float(ridge.alpha_)
    return Regression(ridge.coef_.T.astype(np.float32), intercepts.astype(np.float32), penalty)
