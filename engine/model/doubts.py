"""Lowers the scores of cold movies, the more the less sure metadata is of a score for a reviewer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats


@dataclass(frozen=True, kw_only=True)
class ColdDoubts:
    """Lowers the relevance of cold movies by the standard error of relevance that metadata predicts.

    The vector of a cold movie is predicted from metadata, and the error of the predicted vector makes an
    error of the relevance. The standard error of the relevance differs between reviewers, since metadata
    predicts some directions of the vectors better than others. A list then holds a cold movie only if the
    model is sure enough of the movie for the reviewer of the list.

    Attributes:
        is_cold: bool [num_movies], marks the cold movies.
        errors: float32 [embedding_dim + 1, embedding_dim + 1]; the standard error of a reviewer's relevance,
            times the setting `cold.doubt`, is the length of the reviewer's vector times this matrix.
        included: the part of the standard errors, the same for all reviewers, by which the biases of the cold
            movies are lower already, so that the vector index finds few cold movies in vain.
    """

    is_cold: NDArray[np.bool_]
    errors: Floats
    included: float

    def of(self, queries: Floats, movie_rows: NDArray[np.integer] | slice) -> Floats:
        """Returns by how much the relevance of each movie is to be lowered for one reviewer: float32 [num].

        The array `queries`, float32 [embedding_dim + 1], holds the reviewer's vector.
        """
        doubt = self.of_reviewers(queries[None])[0]
        return np.where(self.is_cold[movie_rows], doubt, np.float32(0))

    def of_pairs(
        self, queries: Floats, places: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> Floats:
        """Returns by how much the relevance of pairs of reviewer and movie is to be lowered: float32 [num].

        Args:
            queries: the reviewers' vectors, float32 [num_reviewers, embedding_dim + 1].
            places: the position in `queries` of each pair's reviewer, int [num].
            movie_rows: the row of each pair's movie, int [num].
        """
        doubts = np.zeros(len(places), dtype=np.float32)
        cold = np.flatnonzero(self.is_cold[movie_rows])
        if len(cold):
            doubts[cold] = self.of_reviewers(queries)[places[cold]]
        return doubts

    def of_reviewers(self, queries: Floats) -> Floats:
        """Returns by how much the relevance of cold movies is to be lowered for reviewers: float32 [num].

        The array `queries`, float32 [num, embedding_dim + 1], holds the reviewers' vectors.
        """
        lengths = np.sqrt(np.square(queries @ self.errors).sum(axis=1))
        return np.asarray(np.maximum(lengths - np.float32(self.included), 0), dtype=np.float32)
