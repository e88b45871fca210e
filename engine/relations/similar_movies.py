"""Finds the movies most similar to a movie, and says why each found movie is similar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.answers import SimilarMovie
from engine.arrays import Doubles, Rows, are_held, distinct, k_highest
from engine.artifact.arrays import check_finite
from engine.catalogue.series import are_one_series, categories_of
from engine.catalogue.variants import Variants
from engine.likeness import Likeness
from engine.model.scorer import Model
from engine.model.similar import SimilarTable
from engine.questions.arguments import ListOptions
from engine.questions.conditions import Conditions, resolve_conditions
from engine.search.candidates import nearest_movies
from indexes.base import VectorIndex

if TYPE_CHECKING:
    from engine.opened import OpenedIndex

NUM_CANDIDATES = 400
"""The number of movies that are taken from the vector index to find the similar movies of one movie."""
SHARED_WEIGHT = 0.95
"""If the table of similar movies does not hold a pair of movies, the similarity of the two movies is computed
as a weighted mean of two cosines. The cosine of the two movies' sets of reviewers has the weight
`SHARED_WEIGHT`; the cosine of the two movies' vectors has the weight `1 - SHARED_WEIGHT`."""


class Alike(NamedTuple):
    """Holds the movies most similar to a given movie, the most similar movie first."""

    rows: Rows
    similarities: Doubles
    """float64 [num], the similarity between the given movie and each similar movie, in descending order."""
    shared: Rows
    """int64 [num], for each similar movie, the number of reviewers who reviewed both the similar movie and
    the given movie; -1 if unknown."""

    def take(self, places: Rows) -> Alike:
        """Returns the similar movies at the given positions."""
        return Alike(self.rows[places], self.similarities[places], self.shared[places])


def similar_movies(index: OpenedIndex, movie_id: str, k: int, options: ListOptions) -> list[SimilarMovie]:
    """Finds the movies most similar to a movie, as `Engine.similar` describes."""
    movie_row = index.movie_row(movie_id)
    conditions = Conditions(num_movies=index.model.num_movies)
    if options.has_conditions:
        conditions = resolve_conditions(options, index.movies, index.matching_rows, None, index.cold_movies)
    conditions = conditions.without(index.feedback.hidden_rows)
    found = similar_rows(
        index.model,
        index.vector_index,
        index.similar_table,
        movie_row,
        pool_of(k, options),
        conditions,
        None if options.all_variants else index.variants,
        index.movie_counts,
    )
    places = np.arange(min(k, len(found.rows)))
    if options.diversity > 0 and len(found.rows):
        from engine.lists.variety import diversify, unit_vectors

        vectors = unit_vectors(index.model.relevance.movie_vectors[found.rows, :-1])
        places = diversify(found.similarities, vectors, k, options.diversity)
    card = index.cards.card(movie_row)
    answers = []
    for rank, place in enumerate(places.tolist(), 1):
        row, shared = int(found.rows[place]), int(found.shared[place])
        other = index.cards.card(row)
        answers.append(
            SimilarMovie(
                rank=rank,
                movie_id=index.movies.id(row),
                title=other["title"],
                similarity=float(found.similarities[place]),
                card=other,
                because=_likeness(index, card, other, shared) if options.because else None,
                variants=index.lists.other_variants(row) if options.show_variants else None,
                cold=bool(index.cold_movies[row]),
            )
        )
    return answers


def pool_of(k: int, options: ListOptions) -> int:
    """Returns the number of similar movies to find, from which the k movies of an answer are chosen.

    The returned number is k if the option diversity is 0, else `pool_size(k)`, which is more than k.
    """
    if options.diversity == 0:
        return k
    from engine.lists.variety import pool_size

    return pool_size(k)


def similar_rows(
    model: Model,
    index: VectorIndex,
    table: SimilarTable | None,
    movie_row: int,
    k: int,
    conditions: Conditions | None = None,
    variants: Variants | None = None,
    movie_counts: NDArray[np.integer] | None = None,
) -> Alike:
    """Finds the k movies that are most similar to one movie.

    The result begins with the similar movies that `table` holds for the given movie. If `table` holds fewer
    than k allowed movies for the given movie, further movies follow. The similarity of a further movie to the
    given movie is a weighted mean of two cosines: the cosine of the two movies' sets of reviewers, and the
    cosine of the two movies' vectors without their last number, which is the bias of the movie. If the result
    holds movies from `table`, the similarity of each further movie is multiplied by the lowest similarity of
    the movies from `table`.

    Args:
        model: the model, whose movie vectors and neighbour tables are used.
        index: the vector index over the movie vectors.
        table: the table of similar movies; None for an older index without the table.
        movie_row: the row of the movie.
        k: the number of similar movies to find.
        conditions: says which movies may be returned; None allows all movies.
        variants: says which movies are variants of the same film. Of several variants, only the most reviewed
            allowed variant is returned; variants of the given movie are never returned. If `variants` is
            None, no movies are variants of each other.
        movie_counts: the number of reviews of each movie, int [num_movies]; needed if `variants` is given.
    """
    variants = variants or Variants.none()
    conditions = conditions or Conditions(num_movies=model.num_movies)
    counts = np.zeros(model.num_movies, dtype=np.int64) if movie_counts is None else movie_counts
    left_out = variants.of(movie_row)

    def allowed(rows: Rows) -> NDArray[np.bool_]:
        open_rows = ~are_held(left_out, rows)
        if conditions.excluded is not None:
            open_rows &= ~are_held(conditions.excluded, rows)
        if conditions.rows is not None:
            open_rows &= are_held(conditions.rows, rows)
        return open_rows

    found = Alike(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    if table is not None:
        rows, similarities, shared = table.of(movie_row)
        found = _one_each(
            Alike(rows, similarities.astype(np.float64), shared.astype(np.int64)), allowed, variants, counts
        )
        if len(found.rows) >= k:
            return found.take(np.arange(k))
    query = model.relevance.movie_vectors[movie_row].copy()[None, :]
    query[:, -1] = 0.0
    nearest = nearest_movies(index, query, max(NUM_CANDIDATES, k + 1)).rows[0]
    candidates = distinct(np.concatenate([nearest, model.neighbours.of(movie_row)[0]]).astype(np.int64))
    for rows in (candidates, conditions.all_rows()):
        others = _by_cosines(model, movie_row, rows[~np.isin(rows, found.rows)])
        others = _one_each(others, allowed, variants, counts)
        fresh = ~np.isin(others.rows, variants.complete(found.rows))
        whole = _after(found, others.take(np.flatnonzero(fresh)))
        if len(whole.rows) >= k:
            break
    return whole.take(np.arange(min(k, len(whole.rows))))


def _after(first: Alike, then: Alike) -> Alike:
    """Appends `then` to `first`; scales the similarities of `then` to at most the lowest of `first`."""
    if not len(first.rows):
        return then
    scaled = float(first.similarities[-1]) * np.clip(then.similarities, -1.0, 1.0)
    return Alike(
        np.concatenate([first.rows, then.rows]),
        np.concatenate([first.similarities, scaled]),
        np.concatenate([first.shared, then.shared]),
    )


def _one_each(found: Alike, allowed: Any, variants: Variants, movie_counts: NDArray[np.integer]) -> Alike:
    """Keeps the allowed movies; of variants of one film, only the allowed variant with the most reviews."""
    if not variants:
        kept = allowed(found.rows)
        return found.take(np.flatnonzero(kept))
    rows = found.rows.copy()
    for place in np.flatnonzero(variants.are_several(rows)).tolist():
        own = variants.of(int(rows[place]))
        own = own[allowed(own)]
        if len(own):
            rows[place] = own[int(np.argmax(movie_counts[own]))]
    _, firsts = np.unique(rows, return_index=True)
    places = np.sort(firsts)
    places = places[allowed(rows[places])]
    moved = rows[places] != found.rows[places]
    shared = np.where(moved, -1, found.shared[places])
    return Alike(rows[places], found.similarities[places], shared)


def _by_cosines(model: Model, movie_row: int, rows: Rows) -> Alike:
    """Returns the movie rows of the array `rows`, ordered by similarity to a movie, most similar first."""
    neighbours, shared = model.neighbours.of(movie_row)
    similarities = (1 - SHARED_WEIGHT) * _cosines(model, movie_row, rows)
    places = np.searchsorted(rows, neighbours)
    held = places < len(rows)
    held[held] = rows[places[held]] == neighbours[held]
    similarities[places[held]] += SHARED_WEIGHT * shared[held]
    check_finite(similarities, "vectors of movies")
    order = k_highest(similarities, len(rows))
    return Alike(rows[order], similarities[order], np.full(len(rows), -1))


def _cosines(model: Model, movie_row: int, rows: Rows) -> Doubles:
    vector = model.relevance.movie_vectors[movie_row, :-1].astype(np.float64)
    vectors = model.relevance.movie_vectors[rows, :-1].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    cosines: Doubles = vectors @ vector / np.maximum(lengths, 1e-12)
    return cosines


def _likeness(index: OpenedIndex, card: Mapping[str, Any], other: Mapping[str, Any], shared: int) -> Likeness:
    """Returns what two movies have in common: people who reviewed both movies, a series, and categories.

    The argument `shared` is the number of people who reviewed both movies, or -1 if the number is unknown.
    """
    categories = categories_of(other["category"])
    common = [
        name
        for name in categories_of(card["category"])
        if name in categories and name not in index.usual_categories
    ]
    return Likeness(
        shared_reviewers=None if shared < 0 else shared,
        same_series=are_one_series((card["title"], other["title"]), (card["category"], other["category"])),
        same_categories=tuple(dict.fromkeys(common)),
    )
