"""From what metadata says of a movie to the vectors that training would have given it: a linear map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import ColdConfig
from engine.model.scorer import Model
from pipelines.dataset.words import learn_features, weigh_words

if TYPE_CHECKING:
    from scipy.sparse import csr_array


_ALPHAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_RELIABLE_REVIEWS = 20.0
"""Reviews at which a movie's vector counts half as an example."""


class MovieVectors(NamedTuple):
    """The vectors of some movies in both heads; the rating head's are None where there are no ratings."""

    movie_vectors: Floats
    """float32 [num, embedding_dim + 1]; the last column is the bias."""
    history_vectors: Floats
    """float32 [num, embedding_dim]."""
    rating_movie_vectors: Floats | None = None
    """float32 [num, dim + 2]; the last two columns are bias and log scale."""
    rating_history_vectors: Floats | None = None
    """float32 [num, 2 * dim]."""
    baselines: Floats | None = None
    """float32 [num], in stars."""

    @classmethod
    def of(cls, model: Model) -> MovieVectors:
        """Those of all movies of a model."""
        relevance, rating = model.relevance, model.rating
        if rating is None:
            return cls(relevance.movie_vectors, relevance.history_vectors)
        return cls(
            relevance.movie_vectors,
            relevance.history_vectors,
            rating.movie_vectors,
            rating.history_vectors,
            rating.baselines,
        )

    def table(self) -> Floats:
        """All of them side by side, float32 [num, num_targets]."""
        parts = [part if part.ndim == 2 else part[:, None] for part in self if part is not None]
        return np.hstack(parts).astype(np.float32)

    def split(self, table: Floats) -> MovieVectors:
        """Splits a table of the same columns, float32 [num, num_targets]; the inverse of `table`."""
        widths = [0 if part is None else part[:1].size for part in self]
        parts = np.split(table, np.cumsum(widths)[:-1], axis=1)
        if self.baselines is None:
            return MovieVectors(parts[0], parts[1])
        return MovieVectors(parts[0], parts[1], parts[2], parts[3], parts[4][:, 0])

    def into(self, model: Model) -> Model:
        """The model with these in place of its own; they are copied, so that each lies in one piece."""
        rating = model.rating
        if rating is not None:
            parts = (self.rating_movie_vectors, self.rating_history_vectors, self.baselines)
            vectors, history_vectors, baselines = (np.ascontiguousarray(part) for part in parts)
            rating = replace(
                rating, movie_vectors=vectors, history_vectors=history_vectors, baselines=baselines
            )
        relevance = replace(
            model.relevance,
            movie_vectors=np.ascontiguousarray(self.movie_vectors),
            history_vectors=np.ascontiguousarray(self.history_vectors),
        )
        return replace(model, relevance=relevance, rating=rating)

    @property
    def bias_column(self) -> int:
        """Where the relevance head's bias stands in the table."""
        return int(self.movie_vectors.shape[1]) - 1

    @property
    def log_scale_column(self) -> int:
        """Where the rating head's log scale stands in the table."""
        assert self.rating_movie_vectors is not None
        before = self.movie_vectors.shape[1] + self.history_vectors.shape[1]
        return int(before + self.rating_movie_vectors.shape[1]) - 1


@dataclass(frozen=True, kw_only=True)
class ColdMapping:
    """Gives movies vectors by their words; plain arrays, so that it can be kept in an artifact.

    Words are weighed by rarity (TF-IDF), reduced to a few numbers (a truncated singular value decomposition,
    which is what latent semantic analysis does), and mapped to the vectors by ridge regression, which takes a
    movie of which little is known to the mean.

    Attributes:
        columns: int32 [num_words], the hash columns of the words that are known.
        rarities: float32 [num_words].
        components: float32 [num_words, num_features].
        coefficients: float32 [num_features, num_targets].
        intercepts: float32 [num_targets], the vectors of a movie of which nothing is known.
    """

    columns: NDArray[np.int32]
    rarities: Floats
    components: Floats
    coefficients: Floats
    intercepts: Floats

    def weigh(self, words: csr_array) -> csr_array:
        """Weighs counted words by rarity; rows of length 1, float32 [num_movies, num_words]."""
        return weigh_words(words[:, self.columns], self.rarities)

    def features(self, weighed: csr_array) -> Floats:
        """A few numbers a movie, float32 [num_movies, num_features]."""
        return np.asarray(weighed @ self.components, dtype=np.float32)

    def table(self, features: Floats) -> Floats:
        """The vectors side by side, as `MovieVectors.table` has them: float32 [num_movies, num_targets]."""
        return np.asarray(features @ self.coefficients + self.intercepts, dtype=np.float32)

    def shifted(self, column: int, amount: float) -> ColdMapping:
        """The mapping with an amount added to one of the targets, for every movie."""
        intercepts = self.intercepts.copy()
        intercepts[column] += np.float32(amount)
        return replace(self, intercepts=intercepts)


def learn_mapping(
    words: csr_array,
    targets: Floats,
    counts: NDArray[np.integer],
    config: ColdConfig,
    *,
    bias_column: int | None = None,
) -> ColdMapping:
    """Learns from movies that have both metadata and reviews.

    Args:
        words: counted words, float32 [num_movies, NUM_COLUMNS].
        targets: what training gave the movies, float32 [num_movies, num_targets].
        counts: reviews of each movie, int [num_movies]; much reviewed ones have the better vectors.
        config: how many words and features.
        bias_column: which of the targets is the relevance head's bias, where there is one.

    Returns:
        The mapping; with the strength of the ridge that leaves out single movies best.
    """
    from sklearn.linear_model import RidgeCV

    columns, rarities, components = learn_features(words, config.max_words, config.features)
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
    ridge = RidgeCV(_ALPHAS).fit(features / scale, targets, sample_weight=reliability)
    intercepts = ridge.intercept_.copy()
    if bias_column is not None:
        # A bias is a log chance; the mean of a chance lies above that of its logarithm, by half the variance.
        missed = targets[:, bias_column] - ridge.predict(features / scale)[:, bias_column]
        intercepts[bias_column] += np.square(missed).mean() / 2
    return ColdMapping(
        columns=columns,
        rarities=rarities,
        components=(components / scale).astype(np.float32),
        coefficients=ridge.coef_.T.astype(np.float32),
        intercepts=intercepts.astype(np.float32),
    )
