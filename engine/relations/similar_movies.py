"""Finds the movies most similar to a movie, by cosines of movie vectors and cosines of sets of reviewers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.answers import SimilarMovie
from engine.arrays import Doubles, Floats, Rows, are_held, distinct, k_highest
from engine.artifact.arrays import check_finite
from engine.catalogue.variants import Variants
from engine.model.scorer import Model
from engine.search.candidates import nearest_movies
from indexes.base import VectorIndex

if TYPE_CHECKING:
    from engine.opened import OpenedIndex

NUM_CANDIDATES = 400
"""The number of candidates that the vector index finds; all movies that share many reviewers with the movie
are candidates too."""
SHARED_WEIGHT = 0.95
"""The weight of the cosine of the movies' sets of reviewers in the similarity; the cosine of the movie
vectors has 1 minus this weight."""


def similar_movies(
    index: OpenedIndex, movie_id: str, k: int, where: str | None, *, no_cold: bool, all_variants: bool
) -> list[SimilarMovie]:
    """Finds the movies most similar to a movie; `Engine.similar` explains the arguments."""
    rows, similarities = similar_rows(
        index.model,
        index.vector_index,
        index.movie_row(movie_id),
        k,
        None if where is None else index.matching_rows(where),
        _left_out(index, no_cold=no_cold),
        None if all_variants else index.variants,
    )
    answers = []
    for place, row in enumerate(rows.tolist()):
        card = index.cards.card(row)
        answers.append(
            SimilarMovie(
                rank=place + 1,
                movie_id=index.movies.id(row),
                title=card["title"],
                similarity=float(similarities[place]),
                card=card,
                cold=bool(index.cold_movies[row]),
            )
        )
    return answers


def _left_out(index: OpenedIndex, *, no_cold: bool) -> NDArray[np.bool_] | None:
    """Marks the movies that may not be listed: bool [num_movies]; returns None if all may be listed."""
    hidden = index.feedback.hidden_rows
    if not len(hidden):
        return index.cold_movies if no_cold else None
    left_out = index.cold_movies.copy() if no_cold else np.zeros(len(index.movies), dtype=bool)
    left_out[hidden] = True
    return left_out


def similar_rows(
    model: Model,
    index: VectorIndex,
    movie_row: int,
    k: int,
    matching: Rows | None = None,
    left_out: NDArray[np.bool_] | None = None,
    variants: Variants | None = None,
) -> tuple[Rows, Floats]:
    """Finds the rows of the k movies that are most similar to one movie.

    The similarity of two movies is a weighted mean of two cosines: the cosine of the movies' sets of
    reviewers, and the cosine of the movie vectors without the bias column.

    Args:
        model: the model that holds the movie vectors and the similarities by reviewers.
        index: the vector index over the movie vectors.
        movie_row: the row of the movie.
        k: how many movies are wanted.
        matching: the rows of the movies that may be returned, int64, ascending; None for all movies.
        left_out: marks movies that may not be returned, bool [num_movies].
        variants: says which movies are one film. Only the most similar movie of each film is returned, and no
            variant of the movie itself. Without `variants`, every movie is a film of its own.

    Returns:
        The rows of the movies, int64 [num], most similar first, and by row among equal similarities; and
        the similarity of each movie, float32 [num].
    """
    variants = variants or Variants.none()
    if matching is None:
        query = model.relevance.movie_vectors[movie_row].copy()[None, :]
        query[:, -1] = 0.0
        nearest = nearest_movies(index, query, max(NUM_CANDIDATES, k + 1)).rows[0]
        rows = distinct(np.concatenate([nearest, model.neighbours.of(movie_row)[0]]))
        rows, similarities = _most_alike(model, movie_row, rows, left_out, variants)
        if len(rows) >= k:
            return rows[:k], similarities[:k]
        matching = np.arange(model.num_movies)
    rows, similarities = _most_alike(model, movie_row, matching, left_out, variants)
    return rows[:k], similarities[:k]


def _most_alike(
    model: Model, movie_row: int, rows: Rows, left_out: NDArray[np.bool_] | None, variants: Variants
) -> tuple[Rows, Floats]:
    """Sorts movies by descending similarity, and keeps one movie of each film; `rows` must ascend."""
    rows = rows[~are_held(variants.of(movie_row), rows)].astype(np.int64)
    if left_out is not None:
        rows = rows[~left_out[rows]]
    neighbours, shared = model.neighbours.of(movie_row)
    similarities = (1 - SHARED_WEIGHT) * _cosines(model, movie_row, rows)
    places = np.searchsorted(rows, neighbours)
    held = places < len(rows)
    held[held] = rows[places[held]] == neighbours[held]
    similarities[places[held]] += SHARED_WEIGHT * shared[held]
    kept = variants.one_each(rows, similarities)
    rows, similarities = rows[kept], similarities[kept]
    check_finite(similarities, "vectors of movies")
    order = k_highest(similarities, len(rows))
    return rows[order], similarities[order].astype(np.float32)


def _cosines(model: Model, movie_row: int, rows: Rows) -> Doubles:
    vector = model.relevance.movie_vectors[movie_row, :-1].astype(np.float64)
    vectors = model.relevance.movie_vectors[rows, :-1].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    cosines: Doubles = vectors @ vector / np.maximum(lengths, 1e-12)
    return cosines
