"""Baselines that rank movies and predict no ratings: popularity, item neighbours, EASE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from pipelines.dataset.reviews import Reviews

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

KNN_SHRINKAGE = 3.0
"""Co-reviews that are taken off the certainty of a similarity."""
KNN_NEIGHBOURS = 500
"""Neighbours kept of each movie, which bounds memory on large catalogues."""
EASE_REGULARISATION = 200.0
"""The lambda of EASE."""
EASE_MAX_MOVIES = 15_000
"""EASE inverts a dense matrix of movies by movies: 1.8 GB and some minutes at this size."""
_CHUNK = 1024


class Popularity:
    """Everyone gets the movies that have the most reviews."""

    def __init__(self, reviews: Reviews) -> None:
        counts = np.bincount(reviews.movie_rows, minlength=reviews.num_movies)
        self.counts = counts.astype(np.float32)

    def score(self, reviewer_rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """How many reviews each movie has, float32 [n, num_movies]."""
        return np.broadcast_to(self.counts, (len(reviewer_rows), len(self.counts)))

    def predict(self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]) -> None:
        """Popularity says nothing of ratings."""


class _FromHistory:
    """Scores that are a sum over a reviewer's movies of what each says for every other one."""

    def __init__(
        self, history: csr_matrix, weights: csr_matrix | NDArray[np.float32], popular: NDArray[np.float32]
    ) -> None:
        self.history = history
        self.weights = weights
        self.popular = popular

    def score(self, reviewer_rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Sums over the reviewers' movies, float32 [n, num_movies]; popularity for who has no history."""
        history = self.history[reviewer_rows]
        scores = history @ self.weights
        dense = np.asarray(scores if isinstance(scores, np.ndarray) else scores.toarray(), dtype=np.float32)
        dense[np.diff(history.indptr) == 0] = self.popular
        return dense

    def predict(self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]) -> None:
        """Neighbours in co-reviews say nothing of ratings."""


class ItemNeighbours(_FromHistory):
    """Cosine of co-review counts, in which a reviewer of many movies says less of each pair.

    `sum of 1 / sqrt(reviews of the reviewer) over common reviewers, / (sqrt(reviews_i * reviews_j) +
    shrinkage)`. The strongest baseline on sparse data.
    """

    def __init__(self, reviews: Reviews) -> None:
        from scipy.sparse import diags

        history = review_matrix(reviews)
        reviewer_counts = np.maximum(np.diff(history.indptr), 1)
        movie_counts = np.bincount(reviews.movie_rows, minlength=reviews.num_movies)
        damped = (diags(1 / np.sqrt(reviewer_counts)) @ history).tocsr()
        weights = _neighbours(damped.T.tocsr(), history, np.sqrt(movie_counts))
        super().__init__(history, weights, movie_counts.astype(np.float32))


class Ease(_FromHistory):
    """Embarrassingly shallow autoencoder (Steck 2019): the best full-rank linear model, in closed form.

    Only likes count, and only movies with a like take part.

    Raises:
        ConfigError: there are too many movies for a dense matrix of them.
    """

    def __init__(self, reviews: Reviews, *, like_rating: float) -> None:
        liked = reviews.select(reviews.likes(like_rating))
        movies = np.unique(liked.movie_rows)
        if len(movies) > EASE_MAX_MOVIES:
            raise ConfigError(
                f"The model 'ease' is refused above {EASE_MAX_MOVIES:,} movies, as its matrix is dense, "
                f"but {len(movies):,} have likes; leave it out, or filter the reviews further"
            )
        self.movies = movies
        self.num_movies = reviews.num_movies
        history = review_matrix(liked)[:, movies].tocsr()
        super().__init__(history, _ease_weights(history), Popularity(reviews).counts[movies])

    def score(self, reviewer_rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """As above; movies without a like have 0, which is what nothing speaks for."""
        scores = np.zeros((len(reviewer_rows), self.num_movies), dtype=np.float32)
        scores[:, self.movies] = super().score(reviewer_rows)
        return scores


def review_matrix(reviews: Reviews) -> csr_matrix:
    """Who reviewed what: float32 [num_reviewers, num_movies], sparse, 1 a review."""
    from scipy.sparse import csr_matrix

    ones = np.ones(len(reviews), dtype=np.float32)
    shape = (reviews.num_reviewers, reviews.num_movies)
    return csr_matrix((ones, reviews.movie_rows, reviews.offsets()), shape=shape)


def _neighbours(damped: csr_matrix, history: csr_matrix, roots: NDArray[np.float64]) -> csr_matrix:
    """The nearest movies of each, a chunk of movies at a time: float32 [num_movies, num_movies], sparse."""
    from scipy.sparse import vstack

    parts = []
    for start in range(0, damped.shape[0], _CHUNK):
        similar = (damped[start : start + _CHUNK] @ history).tocoo()
        strength = similar.data / (roots[similar.row + start] * roots[similar.col] + KNN_SHRINKAGE)
        strength[similar.row + start == similar.col] = 0
        similar.data = strength.astype(np.float32)
        parts.append(_strongest(similar.tocsr()))
    return vstack(parts, format="csr")


def _strongest(similar: csr_matrix) -> csr_matrix:
    """Keeps the strongest entries of each row."""
    counts = np.diff(similar.indptr)
    row_of = np.repeat(np.arange(similar.shape[0]), counts)
    order = np.lexsort((similar.indices, -similar.data, row_of))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(similar.indptr[:-1], counts)
    similar.data[place >= KNN_NEIGHBOURS] = 0
    similar.eliminate_zeros()
    return similar


def _ease_weights(history: csr_matrix) -> NDArray[np.float32]:
    gram = (history.T @ history).toarray().astype(np.float64)
    gram[np.diag_indices(len(gram))] += EASE_REGULARISATION
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    weights[np.diag_indices(len(gram))] = 0
    return np.asarray(weights, dtype=np.float32)
