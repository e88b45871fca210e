"""Maps the words of a movie's metadata linearly to the vectors that training would have given the movie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.model.scorer import Model
from pipelines.dataset.words import learn_features, weigh_words

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_ALPHAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Strengths of the ridge that are tried."""
_RELIABLE_REVIEWS = 20.0
"""Reviews at which a movie's vector counts half as an example."""


class MovieVectors(NamedTuple):
    """Holds the vectors of movies in both heads; the rating head's are None where there are no ratings."""

    movie_vectors: Floats
    """float32 [num, embedding_dim + 1]; the last column is the bias."""
    history_vectors: Floats
    """float32 [num, embedding_dim]."""
    rating_movie_vectors: Floats | None = None
    """float32 [num, dim + 2]; the last two columns are bias and log scale."""
    rating_history_vectors: Floats | None = None
    """float32 [num, 2 * dim]."""
    movie_means: Floats | None = None
    """float32 [num], in stars."""

    @classmethod
    def of(cls, model: Model) -> MovieVectors:
        """Takes the vectors of all movies of a model."""
        vectors = cls(model.relevance.movie_vectors, model.relevance.history_vectors)
        rating = model.rating
        if rating is None:
            return vectors
        return cls(*vectors[:2], rating.movie_vectors, rating.history_vectors, rating.movie_means)

    def table(self) -> Floats:
        """Lays the vectors side by side, float32 [num, num_targets]."""
        parts = [part if part.ndim == 2 else part[:, None] for part in self if part is not None]
        return np.hstack(parts).astype(np.float32)

    def split(self, table: Floats) -> MovieVectors:
        """Splits a table of the same columns, float32 [num, num_targets]; the inverse of `table`."""
        own = [part for part in self if part is not None]
        widths = [1 if part.ndim == 1 else part.shape[1] for part in own]
        parts = np.split(table, np.cumsum(widths)[:-1], axis=1)
        return MovieVectors(
            *(part[:, 0] if old.ndim == 1 else part for part, old in zip(parts, own, strict=True))
        )

    def into(self, model: Model) -> Model:
        """Replaces the vectors of a model by these, copied so that each array lies in one piece."""
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
        """Returns the column of the table that holds the relevance head's bias."""
        return int(self.movie_vectors.shape[1]) - 1

    @property
    def log_scale_column(self) -> int:
        """Returns the column of the table that holds the rating head's log scale."""
        assert self.rating_movie_vectors is not None
        before = self.movie_vectors.shape[1] + self.history_vectors.shape[1]
        return int(before + self.rating_movie_vectors.shape[1]) - 1


@dataclass(frozen=True, kw_only=True)
class ColdMapping:
    """Maps the words of movies to vectors; its fields are plain arrays, so that an index can hold them.

    1. Words are weighed by rarity (TF-IDF).
    2. The weighed words are reduced to a few numbers by a truncated singular value decomposition, as in
       latent semantic analysis.
    3. Ridge regression maps the numbers to vectors; a movie of which little is known gets nearly the mean.
    """

    columns: NDArray[np.int32]
    """int32 [num_words], the hash columns of the known words."""
    rarities: Floats
    """float32 [num_words], the weights of the words."""
    components: Floats
    """float32 [num_words, num_features]."""
    coefficients: Floats
    """float32 [num_features, num_targets]."""
    intercepts: Floats
    """float32 [num_targets], the vectors of a movie of which nothing is known."""

    def weigh(self, words: csr_array) -> csr_array:
        """Weighs counted words by rarity; rows of length 1, float32 [num_movies, num_words]."""
        return weigh_words(words[:, self.columns], self.rarities)

    def features(self, weighed: csr_array) -> Floats:
        """Reduces weighed words to a few numbers a movie, float32 [num_movies, num_features]."""
        return np.asarray(weighed @ self.components, dtype=np.float32)

    def table(self, features: Floats) -> Floats:
        """Maps features to the columns of `MovieVectors.table`: float32 [num_movies, num_targets]."""
        return np.asarray(features @ self.coefficients + self.intercepts, dtype=np.float32)

    def shifted(self, column: int, amount: float) -> ColdMapping:
        """Returns a mapping that adds an amount to one column of every movie."""
        intercepts = self.intercepts.copy()
        intercepts[column] += np.float32(amount)
        return replace(self, intercepts=intercepts)


def learn_mapping(
    words: csr_array, targets: Floats, counts: NDArray[np.integer], *, bias_column: int | None = None
) -> ColdMapping:
    """Learns a mapping from movies with metadata and reviews, by the ridge that predicts left-out ones best.

    Args:
        words: counted words, float32 [num_movies, NUM_COLUMNS].
        targets: what training gave the movies, float32 [num_movies, num_targets].
        counts: reviews of each movie, int [num_movies]; much reviewed movies count more as examples.
        bias_column: which target is the relevance head's bias, if one is.
    """
    from sklearn.linear_model import RidgeCV

    columns, rarities, components = learn_features(words)
    if not components.shape[1]:
        return ColdMapping(
            columns=columns,
            rarities=rarities,
            components=components,
            coefficients=np.zeros((0, targets.shape[1]), dtype=np.float32),
            intercepts=targets.mean(axis=0),
        )
    features = weigh_words(words[:, columns], rarities) @ components
    scale = np.sqrt(np.square(features).sum(axis=1).mean())
    reliability = counts / (counts + _RELIABLE_REVIEWS)
    scaled = features / scale
    ridge = RidgeCV(_ALPHAS).fit(scaled, targets, sample_weight=reliability)
    intercepts = ridge.intercept_.copy()
    if bias_column is not None:
        # A bias is a log chance: the log of a mean chance is the mean log chance and half the variance.
        missed = targets[:, bias_column] - ridge.predict(scaled)[:, bias_column]
        intercepts[bias_column] += np.square(missed).mean() / 2
    return ColdMapping(
        columns=columns,
        rarities=rarities,
        components=(components / scale).astype(np.float32),
        coefficients=ridge.coef_.T.astype(np.float32),
        intercepts=intercepts.astype(np.float32),
    )
