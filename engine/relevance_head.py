"""Will this reviewer come to this movie: the vectors that are searched, and how a history becomes a query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.histories import History, recency_weights

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class RelevanceHead:
    """The weights of the relevance head.

    The relevance of a movie is an inner product: the reviewer's vector, with a 1 behind it, times the
    movie's vector,
    with its bias behind it. So what an index over the movie vectors ranks is what the network was trained on.

    Attributes:
        movie_vectors: float32 [num_movies, embedding_dim + 1]; the last column is the bias.
        history_vectors: float32 [num_movies, embedding_dim], what a review adds to its reviewer's vector.
        reviewer_embeddings: float32 [num_reviewers, embedding_dim].
        level_weights: float32 [max(num_levels, 1)], how much a review of each rating adds.
        recency_power: older reviews fade by this power of their place.
        max_history: the latest reviews that count.
    """

    movie_vectors: Floats
    history_vectors: Floats
    reviewer_embeddings: Floats
    level_weights: Floats
    recency_power: float
    max_history: int

    @property
    def embedding_dim(self) -> int:
        """Numbers in a reviewer's vector."""
        return int(self.history_vectors.shape[1])

    def query(self, reviewer_row: int | None, history: History) -> Floats:
        """One reviewer's query vector, float32 [embedding_dim + 1].

        Args:
            reviewer_row: the reviewer's row, or None for one who was not trained on.
            history: what they reviewed, oldest first.
        """
        movie_rows = history.movie_rows[-self.max_history :]
        levels = history.level_rows[-self.max_history :]
        query = np.ones(self.embedding_dim + 1, dtype=np.float32)
        fading = recency_weights(len(movie_rows), self.recency_power)
        weights = fading * self.level_weights[levels]
        pooled = weights @ self.history_vectors[movie_rows] / np.sqrt(fading.sum() + np.float32(1))
        query[:-1] = pooled if reviewer_row is None else pooled + self.reviewer_embeddings[reviewer_row]
        return query

    def score(self, query: Floats, movie_rows: NDArray[np.integer] | slice) -> Floats:
        """Relevance of some movies to a query, float32 [num]."""
        scores: Floats = self.movie_vectors[movie_rows] @ query
        return scores
