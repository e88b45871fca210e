"""Will this reviewer come to this movie: the vectors that are searched, and how a history becomes a query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.model.histories import Histories, History, recency_weights, sums

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
        """One reviewer's query vector, float32 [embedding_dim + 1]; see `queries`."""
        rows = None if reviewer_row is None else np.array([reviewer_row])
        query: Floats = self.queries(rows, Histories.of_one(history))[0]
        return query

    def queries(self, reviewer_rows: NDArray[np.integer] | None, histories: Histories) -> Floats:
        """The query vectors of some reviewers, float32 [num, embedding_dim + 1].

        Args:
            reviewer_rows: int [num], or None for reviewers who were not trained on.
            histories: what each of them reviewed, oldest first.
        """
        recent = histories.latest(self.max_history)
        fading = recency_weights(recent.ages, self.recency_power)
        weights = fading * self.level_weights[recent.level_rows]
        parts = weights[:, None] * self.history_vectors[recent.movie_rows]
        queries = np.ones((len(histories), self.embedding_dim + 1), dtype=np.float32)
        mass = sums(fading, recent.offsets)
        queries[:, :-1] = sums(parts, recent.offsets) / np.sqrt(mass + np.float32(1))[:, None]
        if reviewer_rows is not None:
            queries[:, :-1] += self.reviewer_embeddings[reviewer_rows]
        return queries

    def score(self, query: Floats, movie_rows: NDArray[np.integer] | slice) -> Floats:
        """Relevance of some movies to a query, float32 [num]."""
        scores: Floats = self.movie_vectors[movie_rows] @ query
        return scores
