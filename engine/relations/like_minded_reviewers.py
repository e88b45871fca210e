"""Finds the reviewers most similar to a reviewer, by cosines of vectors and cosines of histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.answers import SimilarReviewer
from engine.arrays import Doubles, Floats, Rows, distinct, k_highest, k_highest_of_rows, sums
from engine.artifact.arrays import check_finite
from engine.model.histories import Histories
from engine.model.neighbours import stars_above_expectation
from engine.model.scorer import Model

if TYPE_CHECKING:
    from engine.opened import OpenedIndex

SHARED_WEIGHT = 0.5
"""The weight of the cosine of two reviewers' histories in the similarity of the two reviewers. The cosine of
the two reviewers' vectors has the weight `1 - SHARED_WEIGHT`."""
EXACT_REVIEWS = 1_000_000
"""In an index with more reviews than `EXACT_REVIEWS`, only some reviewers' vectors are compared, because
comparing the vectors of all reviewers would be slow."""
NUM_CANDIDATES = 5_000
"""In an index with more than `EXACT_REVIEWS` reviews, the reviewers most similar to a given reviewer are
chosen from at most `2 * NUM_CANDIDATES` candidates. `NUM_CANDIDATES` candidates have histories most similar
to the given reviewer's history. `NUM_CANDIDATES` candidates, some perhaps the same, have vectors with the
highest estimated inner products with the given reviewer's vector."""


class NearReviewers(NamedTuple):
    """Holds the reviewers most similar to a given reviewer, most similar first; ties are ordered by row."""

    rows: Rows
    """The rows of the reviewers found, int64 [num], most similar reviewer first."""
    similarities: Floats
    """The similarity between the given reviewer and each similar reviewer, float32 [num], at most 1."""
    num_shared: Rows
    """int64 [num], for each similar reviewer, the number of movies that the similar reviewer and the given
    reviewer have both reviewed."""


def similar_reviewers(index: OpenedIndex, reviewer_id: str, k: int) -> list[SimilarReviewer]:
    """Finds the k reviewers who are most similar to a reviewer, most similar first.

    For a reviewer who has reviews only in the fresh feedback, no reviewers are found until the index is
    updated.
    """
    if index.feedback.knows(reviewer_id) and index.reviewers.row(reviewer_id) is None:
        return []
    found = nearest_reviewers(index.model, index.reviewer_row(reviewer_id), k)
    num_reviews = index.model.histories.lengths[found.rows]
    return [
        SimilarReviewer(
            rank=place + 1,
            reviewer_id=index.reviewers.id(row),
            similarity=float(found.similarities[place]),
            num_shared=int(found.num_shared[place]),
            num_reviews=int(num_reviews[place]),
        )
        for place, row in enumerate(found.rows.tolist())
    ]


def nearest_reviewers(model: Model, reviewer_row: int, k: int) -> NearReviewers:
    """Finds the rows of the k reviewers who are most similar to one reviewer.

    The similarity of two reviewers is the mean of two cosines: the cosine of the reviewers' vectors in the
    relevance head, and the cosine of the vectors of the reviewers' histories.

    The vector of a history holds two numbers for each movie of the index. For a reviewed movie, the first
    number is 1, and the second number is the rating minus the expected rating, in stars. For every other
    movie, both numbers are 0. Both numbers of a movie are multiplied by
    `log(number of all reviewers / number of the movie's reviewers)`. Because of the multiplication by this
    logarithm, a movie with few reviewers influences the cosine of two histories more than a movie with many.
    """
    shared, counts = _shared(model, reviewer_row)
    one, rows = np.array([reviewer_row]), np.arange(len(model.histories))
    query = model.relevance.queries(one, model.histories.take(one))[0]
    if len(model.histories.movie_rows) > EXACT_REVIEWS:
        measures = np.stack([shared, _inner_products(model, query[:-1])])
        rows = distinct(k_highest_of_rows(measures, NUM_CANDIDATES).ravel())
    rows = rows[rows != reviewer_row]
    similarities = SHARED_WEIGHT * shared[rows] + (1 - SHARED_WEIGHT) * _cosines(model, query[:-1], rows)
    check_finite(similarities, "vectors of reviewers")
    best = k_highest(similarities, k)
    return NearReviewers(rows[best], similarities[best].astype(np.float32), counts[rows[best]])


def _shared(model: Model, reviewer_row: int) -> tuple[Doubles, Rows]:
    """Computes the cosine of one reviewer's history and each reviewer's history, and counts shared movies.

    Returns:
        The cosine of the reviewer's history and each history, float64 [num_reviewers]; and the number of
        movies that each history shares with the reviewer's history, int64 [num_reviewers].
    """
    num_reviewers = len(model.histories)
    movie_counts = model.histories.movie_counts(model.num_movies)
    rarity = np.log(np.maximum(num_reviewers, 1) / np.maximum(movie_counts, 1)) ** 2
    own = model.histories.take(np.array([reviewer_row]))
    came, above = np.zeros(model.num_movies), np.zeros(model.num_movies)
    came[own.movie_rows] = 1.0
    above[own.movie_rows] = _above_expectation(model, own)
    products, lengths = np.zeros(num_reviewers), np.zeros(num_reviewers)
    counts = np.zeros(num_reviewers, dtype=np.int64)
    for part, histories in model.histories.parts():
        movies, theirs = histories.movie_rows, _above_expectation(model, histories)
        common = came[movies]
        products[part] = sums(rarity[movies] * (common + above[movies] * theirs), histories.offsets)
        lengths[part] = sums(rarity[movies] * (1 + theirs**2), histories.offsets)
        counts[part] = sums(common, histories.offsets)
    norms = np.sqrt(np.maximum(lengths * lengths[reviewer_row], 1e-24))
    return products / norms, counts


def _above_expectation(model: Model, histories: Histories) -> Doubles:
    """Returns, for each review, the rating minus the rating expected from means: float64 [num_reviews].

    The expected rating follows from the mean ratings of the movie and of the reviewer. Each difference is
    multiplied by 4 and divided by the range of the data's ratings, to be in stars of a scale from 1 to 5. If
    the data has no ratings, the function returns 0 for each review.
    """
    if model.rating is None:
        return np.zeros(len(histories.movie_rows))
    head = model.rating
    stars = max(float(head.levels[-1] - head.levels[0]) / 4.0, 1e-6)
    return stars_above_expectation(head.above_means(histories).astype(np.float64), histories) / stars


def _cosines(model: Model, vector: Floats, rows: Rows) -> Doubles:
    """Returns the cosine of `vector` and each given reviewer's vector: float64 [num]."""
    cosines = np.zeros(len(rows))
    for first, last in model.histories.batches(rows):
        chosen = rows[first:last]
        vectors = model.relevance.queries(chosen, model.histories.take(chosen))[:, :-1]
        norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
        cosines[first:last] = vectors @ vector / np.maximum(norms, 1e-12)
    return cosines


def _inner_products(model: Model, vector: Floats) -> Doubles:
    """Estimates the inner product of `vector` and each reviewer's vector: float64 [num_reviewers].

    A reviewer's vector is mainly a weighted sum over the reviewer's reviews, in which old reviews weigh less
    than new reviews. To save time, this function estimates as if old reviews weighed as much as new reviews.
    """
    head, products = model.relevance, np.zeros(len(model.histories))
    pulls = head.history_vectors @ vector
    for part, histories in model.histories.parts():
        pulled = pulls[histories.movie_rows] * head.level_weights[histories.level_rows]
        products[part] = sums(pulled, histories.offsets) / np.sqrt(histories.lengths + 1.0)
        products[part] += head.own_products(part, vector)
    return products
