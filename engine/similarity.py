"""Which movies are alike: by the direction of their vectors, and by the reviewers they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.scorer import Model
from indexes.base import VectorIndex

Rows = NDArray[np.int64]

NUM_CANDIDATES = 400
"""Movies taken from the index; a movie's neighbours are taken all."""
SHARED_WEIGHT = 0.95
"""Weight of the shared reviewers; the vectors have the rest, and order movies that share none."""


def similar_rows(
    model: Model,
    index: VectorIndex,
    movie_row: int,
    k: int,
    matching: Rows | None = None,
    left_out: NDArray[np.bool_] | None = None,
) -> tuple[Rows, NDArray[np.float32]]:
    """The movies most like one movie.

    The similarity is a weighted mean of two cosines: of the co-reviews, and of the movie vectors without
    their biases.

    Args:
        model: holds the vectors and the neighbours.
        index: over the movie vectors.
        movie_row: the movie.
        k: how many are wanted.
        matching: rows that may be answered; by default all.
        left_out: bool [num_movies], movies that may not be answered; by default none.

    Returns:
        Rows, int64 [num], most alike first, equal ones by row, and their similarities, float32 [num].
    """
    neighbours, shared = model.neighbours.of(movie_row)
    if matching is None:
        query = model.relevance.movie_vectors[movie_row].copy()[None, :]
        query[:, -1] = 0.0
        nearest = index.search(query, max(NUM_CANDIDATES, k + 1)).rows[0]
        rows = np.union1d(nearest, neighbours)
        if left_out is not None and (~left_out[rows]).sum() <= k:
            rows = np.arange(model.num_movies)
    else:
        rows = matching
    rows = rows[rows != movie_row].astype(np.int64)
    if left_out is not None:
        rows = rows[~left_out[rows]]
    similarities = (1 - SHARED_WEIGHT) * _cosines(model, movie_row, rows)
    places = np.searchsorted(rows, neighbours)
    held = places < len(rows)
    held[held] = rows[places[held]] == neighbours[held]
    similarities[places[held]] += SHARED_WEIGHT * shared[held]
    best = np.lexsort((rows, -similarities))[:k]
    return rows[best], similarities[best].astype(np.float32)


def _cosines(model: Model, movie_row: int, rows: Rows) -> NDArray[np.float64]:
    vector = model.relevance.movie_vectors[movie_row, :-1].astype(np.float64)
    vectors = model.relevance.movie_vectors[rows, :-1].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    cosines: NDArray[np.float64] = vectors @ vector / np.maximum(lengths, 1e-12)
    return cosines
