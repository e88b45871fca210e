"""Which movies are alike: by the direction of their vectors, and by the reviewers they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.answers import SimilarMovie
from engine.arrays import Rows, are_held, distinct
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants
from engine.model.scorer import Model
from indexes.base import VectorIndex

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
    variants: Variants | None = None,
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
        variants: answers the most alike movie of each film, and none of the movie's own; by default every
            movie is taken for itself.

    Returns:
        Rows, int64 [num], most alike first, equal ones by row, and their similarities, float32 [num].
    """
    variants = variants or Variants.none()
    if matching is None:
        query = model.relevance.movie_vectors[movie_row].copy()[None, :]
        query[:, -1] = 0.0
        nearest = index.search(query, max(NUM_CANDIDATES, k + 1)).rows[0]
        rows = distinct(np.concatenate([nearest, model.neighbours.of(movie_row)[0]]))
        found = _most_alike(model, movie_row, _open(rows, movie_row, left_out, variants), variants)
        if len(found[0]) >= k:
            return found[0][:k], found[1][:k]
        matching = np.arange(model.num_movies)
    rows, similarities = _most_alike(
        model, movie_row, _open(matching, movie_row, left_out, variants), variants
    )
    return rows[:k], similarities[:k]


def similar_movies(
    rows: Rows,
    similarities: NDArray[np.float32],
    movies: IdTable,
    cards: MovieCards,
    cold: NDArray[np.bool_],
) -> list[SimilarMovie]:
    """Puts names and cards to what `similar_rows` found; `cold`, bool [num_movies], says which are cold."""
    answers = []
    for place, row in enumerate(rows.tolist()):
        card = cards.card(row)
        answers.append(
            SimilarMovie(
                rank=place + 1,
                movie_id=movies.id(row),
                title=card["title"],
                similarity=float(similarities[place]),
                card=card,
                cold=bool(cold[row]),
            )
        )
    return answers


def _open(rows: Rows, movie_row: int, left_out: NDArray[np.bool_] | None, variants: Variants) -> Rows:
    rows = rows[~are_held(variants.of(movie_row), rows)].astype(np.int64)
    return rows if left_out is None else rows[~left_out[rows]]


def _most_alike(
    model: Model, movie_row: int, rows: Rows, variants: Variants
) -> tuple[Rows, NDArray[np.float32]]:
    """All the movies, most alike first and one of each film, and their similarities; `rows` ascend."""
    neighbours, shared = model.neighbours.of(movie_row)
    similarities = (1 - SHARED_WEIGHT) * _cosines(model, movie_row, rows)
    places = np.searchsorted(rows, neighbours)
    held = places < len(rows)
    held[held] = rows[places[held]] == neighbours[held]
    similarities[places[held]] += SHARED_WEIGHT * shared[held]
    kept = variants.one_each(rows, similarities)
    rows, similarities = rows[kept], similarities[kept]
    order = np.lexsort((rows, -similarities))
    return rows[order], similarities[order].astype(np.float32)


def _cosines(model: Model, movie_row: int, rows: Rows) -> NDArray[np.float64]:
    vector = model.relevance.movie_vectors[movie_row, :-1].astype(np.float64)
    vectors = model.relevance.movie_vectors[rows, :-1].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    cosines: NDArray[np.float64] = vectors @ vector / np.maximum(lengths, 1e-12)
    return cosines
