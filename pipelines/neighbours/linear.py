"""Neighbours by a linear model of the whole catalogue in closed form, while it is not too large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.model.neighbours import NeighbourTable
from pipelines.dataset.reviews import Reviews


def linear_neighbours(
    reviews: Reviews, weights: NDArray[np.floating], *, l2: float, num_neighbours: int
) -> NeighbourTable:
    """The strongest weights of the linear model that best restores every reviewer's reviews from the others.

    With X the reviewers' weighted reviews, P the inverse of X'X + l2, and B = -P / diag(P) with an empty
    diagonal, X B restores X with the least squared error (Steck 2019, "Embarrassingly shallow autoencoders
    for sparse data"). Unlike similarities it knows which neighbours say the same thing, and which speak
    against a movie. Time grows with the third power of the catalogue, memory with the second.

    Args:
        reviews: those to learn from.
        weights: float [num_reviews], how much each review says.
        l2: holds the weights short; about as many reviewers as it takes to believe in a pair.
        num_neighbours: kept of each movie, those with the largest weights of either sign.
    """
    from scipy import linalg, sparse

    shape = (reviews.num_reviewers, reviews.num_movies)
    places = (reviews.reviewer_rows, reviews.movie_rows)
    signals = sparse.csr_array((weights.astype(np.float32), places), shape)
    gram = (signals.T @ signals).toarray()
    gram[np.diag_indices_from(gram)] += l2
    # The matrix is symmetric and positive definite, so its Cholesky factor gives one triangle of the inverse.
    factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    triangle, _ = linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    inverse = np.tril(triangle) + np.tril(triangle, -1).T
    strengths = -inverse / np.diag(inverse)  # [num_movies, num_movies]
    np.fill_diagonal(strengths, 0.0)
    return _strongest(strengths, num_neighbours)


def _strongest(strengths: NDArray[np.float32], num_neighbours: int) -> NeighbourTable:
    """Keeps in each row the values of largest size; equal ones stand in the order of their columns."""
    width = min(num_neighbours, strengths.shape[1])
    order = np.argsort(-np.abs(strengths), axis=1, kind="stable")[:, :width]
    columns = np.sort(order, axis=1)
    kept = np.take_along_axis(strengths, columns, axis=1)
    present = kept != 0
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
    return NeighbourTable(offsets, columns[present].astype(np.int32), kept[present])
