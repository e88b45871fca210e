"""Finds a movie's neighbours in a large catalogue, with a linear model of the few most related movies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, k_highest
from engine.model.neighbours import NeighbourTable
from pipelines.dataset.reviews import Reviews
from pipelines.neighbours.sparse import review_matrix, strongest_of_dense, table_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_MOVIES = 30_000
"""The largest number of movies for which the local model is built, because the time for the low-pass filter,
which is added to the local model, grows with the square of the number of movies."""
MOST_PAIRS = 20_000_000
"""The local model is built only if the number of pairs of reviews by the same reviewer is at most this
number, because all pairs are counted in memory."""
_MOST_INPUTS = 200
"""The largest number of other movies from which the local model predicts reviews of a movie."""
_NUM_COMPONENTS = 256
"""The largest number of right singular vectors from which `_filter` makes the low-pass filter, a matrix with
a weight for each pair of movies. The singular vectors come from the normalised matrix of reviews,
[num_reviewers, num_movies]."""
_FILTER_WEIGHT = 0.3
"""The number by which `local_neighbours` multiplies the matrix `low_pass_filter` before adding this matrix to
the matrix `local_model`. Both matrices hold a weight for each pair of movies."""
_ROWS_AT_ONCE = 512
"""The number of movies in a batch whose neighbours are chosen together; larger batches would take more
memory."""


def num_pairs(reviews: Reviews) -> int:
    """Counts the pairs of reviews by the same reviewer: n * n pairs for a reviewer with n reviews."""
    return int(np.square(np.diff(reviews.offsets())).sum())


def local_neighbours(
    reviews: Reviews,
    weights: NDArray[np.floating],
    *,
    penalties: Sequence[float],
    num_neighbours: int,
    seed: int = 0,
) -> list[NeighbourTable]:
    """Builds a neighbour table for each L2 penalty, from the matrix `local_model + 0.3 * low_pass_filter`.

    The matrix `local_model + 0.3 * low_pass_filter` holds a weight for each pair of movies. The movies with
    the largest weights in a movie's row of the matrix become the neighbours of the movie.

    The local linear model uses a reviewer's reviews of other movies to predict whether the reviewer reviewed
    a movie. The local linear model is called local, because only the movies that share the most reviewers
    with the predicted movie are used for the prediction. The weights of the local linear model are fitted by
    minimising the squared error of the predictions plus an L2 penalty. The local linear model is a variant of
    SLIM (Ning & Karypis 2011) that penalises only the squared weights.

    The low-pass filter is a matrix with a weight for each pair of movies, even for two movies that share no
    reviewer. The low-pass filter is computed from the strongest right singular vectors of the normalised
    matrix of reviews (Shen et al. 2021, "How powerful is graph convolution for recommendation?"). The
    formulas of the low-pass filter, for a reviewer u and the movies i and j, follow; if a sum in a formula is
    less than 1, the sum is replaced by 1:

        R = the matrix of weighted reviews, [num_reviewers, num_movies]
        N[u, i] = R[u, i] / sqrt(sum of row u of R) / sqrt(sum of column i of R)
        V = the strongest right singular vectors of N, as columns, [num_movies, num_components]
        root(i) = sqrt(sum of column i of R)
        low_pass_filter[i, j] = (V @ V.T)[i, j] * root(j) / root(i)

    Args:
        reviews: the training reviews.
        weights: the weight of each review, float [num_reviews].
        penalties: the L2 penalties. For each L2 penalty, one local linear model is fitted, and one neighbour
            table is returned. The fitted model minimises the squared error of its predictions plus the L2
            penalty times the sum of the squares of the model's weights.
        num_neighbours: how many neighbours each movie keeps.
        seed: seed of the randomised singular value decomposition, from which the low-pass filter is computed.
    """
    from scipy.sparse import vstack

    signals = review_matrix(reviews, weights.astype(np.float32))
    models = _local_models(signals, penalties)
    left, right = _filter(signals, seed)
    parts: list[list[csr_array]] = [[] for _ in models]
    for begin in range(0, reviews.num_movies, _ROWS_AT_ONCE):
        rows = np.arange(begin, min(begin + _ROWS_AT_ONCE, reviews.num_movies))
        filtered = np.float32(_FILTER_WEIGHT) * (left[rows] @ right.T)
        for model, kept in zip(models, parts, strict=True):
            strengths = model[rows].toarray()
            strengths += filtered
            strengths[np.arange(len(rows)), rows] = 0.0
            kept.append(strongest_of_dense(strengths, num_neighbours))
    return [table_of(vstack(kept, format="csr")) for kept in parts]


def _local_models(signals: csr_array, penalties: Sequence[float]) -> list[csr_array]:
    """Fits a local linear model with each L2 penalty; returns sparse matrices, [num_movies, num_movies].

    A local linear model predicts reviews of a movie from reviews of the few most related movies.

    In each returned matrix, the entry [i, j] is the weight of a review of movie i in the prediction of a
    review of movie j.
    """
    from scipy.sparse import csr_array

    shared = csr_array(signals.T @ signals)
    roots = np.sqrt(np.maximum(shared.diagonal(), 1e-9))
    inputs: list[NDArray[np.int32]] = []
    strengths: list[list[Floats]] = [[] for _ in penalties]
    for movie in range(shared.shape[0]):
        found = slice(shared.indptr[movie], shared.indptr[movie + 1])
        others, common = shared.indices[found], shared.data[found]
        others, common = others[others != movie], common[others != movie]
        if len(others) > _MOST_INPUTS:
            nearest = k_highest(common / roots[others], _MOST_INPUTS)
            others, common = others[nearest], common[nearest]
        gram = shared[others][:, others].toarray().astype(np.float64)
        inputs.append(others)
        for penalty, solved in zip(penalties, strengths, strict=True):
            penalised = gram + penalty * np.eye(len(others))
            solved.append(np.linalg.solve(penalised, common.astype(np.float64)).astype(np.float32))
    offsets = np.concatenate([[0], np.cumsum([len(others) for others in inputs])])
    places, shape = np.concatenate(inputs), shared.shape
    return [csr_array(csr_array((np.concatenate(one), places, offsets), shape=shape).T) for one in strengths]


def _filter(signals: csr_array, seed: int) -> tuple[Floats, Floats]:
    """Computes two matrices A and B whose product `A @ B.T` is the low-pass filter, a weight per movie pair.

    Both returned matrices have the shape [num_movies, number of singular vectors]. The docstring of
    `local_neighbours` gives the formulas of the low-pass filter.
    """
    from scipy.sparse import diags_array
    from sklearn.utils.extmath import randomized_svd

    by_reviewer = 1 / np.sqrt(np.maximum(signals.sum(axis=1), 1.0))
    roots = np.sqrt(np.maximum(signals.sum(axis=0), 1.0))
    even = (diags_array(by_reviewer) @ signals @ diags_array(1 / roots)).tocsr()
    size = min(_NUM_COMPONENTS, min(even.shape) - 1)
    _, _, components = randomized_svd(even, max(size, 1), n_iter=4, random_state=seed)
    vectors = components.T
    left, right = vectors / roots[:, None], vectors * roots[:, None]
    return left.astype(np.float32), right.astype(np.float32)
