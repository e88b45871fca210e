"""Implements baselines that rank movies but predict no ratings: popularity, item neighbours and EASE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import Doubles, Floats
from engine.errors import ConfigError
from pipelines.baselines.raters import AnyRows
from pipelines.dataset.reviews import Reviews
from pipelines.neighbours.sparse import review_matrix, strongest
from pipelines.work.threads import threads_for

if TYPE_CHECKING:
    from scipy.sparse import csr_array

KNN_SHRINKAGE = 3.0
"""A number added to the divisor of the similarity of two movies, which lowers the similarities of movies with
few reviews."""
KNN_NEIGHBOURS = 500
"""The largest number of similar movies (neighbours) that are kept for each movie; in a large catalogue, more
neighbours would take too much memory."""
EASE_REGULARISATION = 200.0
"""The L2 penalty on the weights of the model EASE; the paper about EASE calls the penalty lambda."""
EASE_MAX_MOVIES = 15_000
"""The largest number of movies for which EASE is fitted. EASE inverts a matrix with a row and a column for
each movie; for 15,000 movies, the matrix takes 1.8 GB, and inverting it takes minutes."""
_CHUNK = 1024
"""The number of movies whose similar movies are computed in one step; larger steps would take more memory."""


class Popularity:
    """Ranks movies by number of training reviews, in the same order for every reviewer."""

    def __init__(self, reviews: Reviews) -> None:
        self.counts = reviews.movie_counts().astype(np.float32)

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Returns each movie's number of training reviews, repeated n times: float32 [n, num_movies]."""
        return np.broadcast_to(self.counts, (len(reviewer_rows), len(self.counts)))


class _FromHistory:
    """Scores movies for reviewers by the matrix product `history @ weights`.

    The matrix `history`, [num_reviewers, num_movies], holds 1 where a reviewer has reviewed a movie; the
    subclass `Ease` uses likes only. The matrix `weights`, [num_movies, num_movies], holds a weight for each
    pair of movies.
    """

    def __init__(self, history: csr_array, weights: csr_array | Floats, popular: Floats) -> None:
        self.history = history
        self.weights = weights
        self.popular = popular

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Scores all movies for n reviewers: float32 [n, num_movies].

        For a reviewer with an empty row in `history`, a movie's score is the movie's number of training
        reviews.
        """
        history = self.history[reviewer_rows]
        scores = history @ self.weights
        dense = np.asarray(scores if isinstance(scores, np.ndarray) else scores.toarray(), dtype=np.float32)
        dense[np.diff(history.indptr) == 0] = self.popular
        return dense


class ItemNeighbours(_FromHistory):
    """Scores a movie by the sum of its cosine similarities to the movies that a reviewer has reviewed.

    The similarity of movies i and j is `shared / (sqrt(n_i * n_j) + KNN_SHRINKAGE)`, where `n_i` is the
    number of reviews of movie i, and `shared` is the weighted number of reviewers who reviewed both movie i
    and movie j. In the number `shared`, a reviewer of the movies i and j counts `1 / sqrt(number of the
    reviewer's reviews)`. Of all baselines, `ItemNeighbours` ranks best if there are few reviews per reviewer.
    """

    def __init__(self, reviews: Reviews) -> None:
        history = review_matrix(reviews)
        reviewer_counts = np.diff(history.indptr)[reviews.reviewer_rows]
        movie_counts = reviews.movie_counts()
        damped = review_matrix(reviews, 1 / np.sqrt(reviewer_counts))
        weights = _neighbours(damped.T.tocsr(), history, np.sqrt(movie_counts))
        super().__init__(history, weights, movie_counts.astype(np.float32))


class Ease(_FromHistory):
    """Scores movies with the linear model EASE ("embarrassingly shallow autoencoder", Steck 2019).

    EASE is fitted to likes only; movies without a like are left out.

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
        """Scores all movies for n reviewers: float32 [n, num_movies].

        A movie without a like in the training reviews has the score 0.
        """
        scores = np.zeros((len(reviewer_rows), self.num_movies), dtype=np.float32)
        scores[:, self.movies] = super().score(reviewer_rows)
        return scores


def _neighbours(damped: csr_array, history: csr_array, roots: Doubles) -> csr_array:
    """Computes each movie's similarities to the most similar movies: sparse [num_movies, num_movies]."""
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
    with threads_for(len(gram)):
        inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    weights[np.diag_indices(len(gram))] = 0
    return np.asarray(weights, dtype=np.float32)
