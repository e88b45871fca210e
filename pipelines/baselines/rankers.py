"""Ranks movies without predicting ratings, with three baselines: popularity, item neighbours and EASE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import Doubles, Floats
from engine.errors import ConfigError
from pipelines.baselines.raters import AnyRows
from pipelines.dataset.reviews import Reviews
from pipelines.neighbours.sparse import review_matrix, strongest

if TYPE_CHECKING:
    from scipy.sparse import csr_array

KNN_SHRINKAGE = 3.0
"""Number added to the denominator of a similarity, which lowers the weight of rarely reviewed movies."""
KNN_NEIGHBOURS = 500
"""Most neighbours kept of each movie, which bounds memory on large catalogues."""
EASE_REGULARISATION = 200.0
"""Lambda of EASE, the L2 penalty on the weights of pairs of movies."""
EASE_MAX_MOVIES = 15_000
"""Most movies for EASE, which inverts a dense matrix of movies by movies: 1.8 GB and minutes at 15,000."""
_CHUNK = 1024
"""Movies whose neighbours are computed at once, which bounds memory."""


class Popularity:
    """Ranks movies by their number of training reviews, in the same order for every reviewer."""

    def __init__(self, reviews: Reviews) -> None:
        self.counts = np.bincount(reviews.movie_rows, minlength=reviews.num_movies).astype(np.float32)

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Returns the number of reviews of each movie, repeated for n reviewers: float32 [n, num_movies]."""
        return np.broadcast_to(self.counts, (len(reviewer_rows), len(self.counts)))


class _FromHistory:
    """Scores a movie by the sum of the weights between the movie and the movies in the reviewer's history."""

    def __init__(self, history: csr_array, weights: csr_array | Floats, popular: Floats) -> None:
        self.history = history
        self.weights = weights
        self.popular = popular

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Scores movies by sums of weights, or by popularity without a history: float32 [n, num_movies]."""
        history = self.history[reviewer_rows]
        scores = history @ self.weights
        dense = np.asarray(scores if isinstance(scores, np.ndarray) else scores.toarray(), dtype=np.float32)
        dense[np.diff(history.indptr) == 0] = self.popular
        return dense


class ItemNeighbours(_FromHistory):
    """Weights a pair of movies by cosine similarity, where reviewers of many movies weigh less.

    The weight is `sum of 1 / sqrt(reviews of the reviewer) over common reviewers, / (sqrt(reviews_i *
    reviews_j) + shrinkage)`. Item neighbours are the best of the baselines on sparse data.
    """

    def __init__(self, reviews: Reviews) -> None:
        history = review_matrix(reviews)
        reviewer_counts = np.diff(history.indptr)[reviews.reviewer_rows]
        movie_counts = np.bincount(reviews.movie_rows, minlength=reviews.num_movies)
        damped = review_matrix(reviews, 1 / np.sqrt(reviewer_counts))
        weights = _neighbours(damped.T.tocsr(), history, np.sqrt(movie_counts))
        super().__init__(history, weights, movie_counts.astype(np.float32))


class Ease(_FromHistory):
    """Weights pairs of movies by EASE, an embarrassingly shallow autoencoder (Steck 2019), a linear model.

    EASE is fitted to likes only, and to the movies that have a like.

    Raises:
        ConfigError: more than EASE_MAX_MOVIES movies have a like.
    """

    def __init__(self, reviews: Reviews, *, like_rating: float) -> None:
        liked = reviews.select(reviews.likes(like_rating))
        movies = np.unique(liked.movie_rows)
        if len(movies) > EASE_MAX_MOVIES:
            raise ConfigError(
                f"The model 'ease' is refused above {EASE_MAX_MOVIES:,} movies, as its matrix is dense, "
                f"but {len(movies):,} have likes; leave it out, or filter the reviews further"
            )
        self.movies, self.num_movies = movies, reviews.num_movies
        history = review_matrix(liked)[:, movies]
        super().__init__(history, _ease_weights(history), Popularity(reviews).counts[movies])

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Scores movies by sums of weights, and movies without a like by 0: float32 [n, num_movies]."""
        scores = np.zeros((len(reviewer_rows), self.num_movies), dtype=np.float32)
        scores[:, self.movies] = super().score(reviewer_rows)
        return scores


def _neighbours(damped: csr_array, history: csr_array, roots: Doubles) -> csr_array:
    """Computes the most similar movies of each movie, as a sparse float32 [num_movies, num_movies]."""
    from scipy.sparse import vstack

    parts = []
    for start in range(0, damped.shape[0], _CHUNK):
        similar = damped[start : start + _CHUNK] @ history
        rows = start + np.repeat(np.arange(similar.shape[0]), np.diff(similar.indptr))
        strengths = similar.data / (roots[rows] * roots[similar.indices] + KNN_SHRINKAGE)
        similar.data = np.where(rows == similar.indices, 0, strengths).astype(np.float32)
        parts.append(strongest(similar, KNN_NEIGHBOURS))
    return vstack(parts, format="csr")


def _ease_weights(history: csr_array) -> Floats:
    gram = (history.T @ history).toarray().astype(np.float64)
    gram[np.diag_indices(len(gram))] += EASE_REGULARISATION
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    weights[np.diag_indices(len(gram))] = 0
    return np.asarray(weights, dtype=np.float32)
