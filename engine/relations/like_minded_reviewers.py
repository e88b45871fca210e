"""Which reviewers have the nearest taste: by the direction of their vectors, and by their histories."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows, sums
from engine.model.histories import Histories, blocks, stretch
from engine.model.neighbours import OFFSET_DAMPING
from engine.model.scorer import Model

SHARED_WEIGHT = 0.5
"""Weight of what two histories share; the vectors have the rest."""
EXACT_REVIEWS = 1_000_000
"""Reviews up to which every reviewer's vector is compared."""
NUM_CANDIDATES = 5_000
"""Beyond that: reviewers of each source, shared history and inner product, whose vectors are compared."""


class NearReviewers(NamedTuple):
    """Reviewers of a taste, the nearest first, equal ones by row."""

    rows: Rows
    """int64 [num]."""
    similarities: NDArray[np.float32]
    """float32 [num], at most 1."""
    num_shared: Rows
    """int64 [num], movies that both have reviewed."""


def similar_reviewers(model: Model, reviewer_row: int, k: int) -> NearReviewers:
    """The reviewers whose taste is nearest to one reviewer's.

    The similarity is the mean of two cosines. One is that of the reviewer vectors. The other is that of the
    histories: a reviewer is a vector of two numbers a movie, that they came, and how many stars above
    expectation they gave it, both times the movie's rarity, log(reviewers / its reviewers).

    Args:
        model: holds the vectors and the histories.
        reviewer_row: the reviewer.
        k: how many are wanted.
    """
    shared, counts = _shared(model, reviewer_row)
    rows = np.arange(len(model.histories))
    query = model.relevance.queries(np.array([reviewer_row]), model.histories.take(np.array([reviewer_row])))[
        0
    ]
    if len(model.histories.movie_rows) > EXACT_REVIEWS:
        rows = np.union1d(_highest(shared), _highest(_inner_products(model, query[:-1])))
    rows = rows[rows != reviewer_row]
    similarities = SHARED_WEIGHT * shared[rows] + (1 - SHARED_WEIGHT) * _cosines(model, query[:-1], rows)
    best = np.lexsort((rows, -similarities))[:k]
    return NearReviewers(rows[best], similarities[best].astype(np.float32), counts[rows[best]])


def _shared(model: Model, reviewer_row: int) -> tuple[Doubles, Rows]:
    """Of every reviewer the cosine of the histories, float64, and the number of movies in common, int64."""
    num_reviewers = len(model.histories)
    movie_counts = np.bincount(model.histories.movie_rows, minlength=model.num_movies)
    rarity = np.log(np.maximum(num_reviewers, 1) / np.maximum(movie_counts, 1)) ** 2
    own = model.histories.take(np.array([reviewer_row]))
    came, above = np.zeros(model.num_movies), np.zeros(model.num_movies)
    came[own.movie_rows] = 1.0
    above[own.movie_rows] = _above_expectation(model, own)
    products, lengths = np.zeros(num_reviewers), np.zeros(num_reviewers)
    counts = np.zeros(num_reviewers, dtype=np.int64)
    for begin, end in blocks(model.histories.offsets):
        histories = stretch(model.histories, begin, end)
        movies, theirs = histories.movie_rows, _above_expectation(model, histories)
        common = came[movies]
        products[begin:end] = sums(rarity[movies] * (common + above[movies] * theirs), histories.offsets)
        lengths[begin:end] = sums(rarity[movies] * (1 + theirs**2), histories.offsets)
        counts[begin:end] = sums(common, histories.offsets)
    norms = np.sqrt(np.maximum(lengths * lengths[reviewer_row], 1e-24))
    return products / norms, counts


def _above_expectation(model: Model, histories: Histories) -> Doubles:
    """Of each review the stars above what movie and reviewer lead to expect; 0 where there are no ratings."""
    if model.rating is None:
        return np.zeros(len(histories.movie_rows))
    head = model.rating
    stars = max(float(head.levels[-1] - head.levels[0]) / 4.0, 1e-6)
    residuals = (head.levels[histories.level_rows] - head.baselines[histories.movie_rows]).astype(np.float64)
    offsets = sums(residuals, histories.offsets) / (histories.lengths + OFFSET_DAMPING)
    above: Doubles = (residuals - offsets[histories.places]) / stars
    return above


def _cosines(model: Model, vector: NDArray[np.float32], rows: Rows) -> Doubles:
    cosines = np.zeros(len(rows))
    for first, last in model.batches(rows):
        chosen = rows[first:last]
        vectors = model.relevance.queries(chosen, model.histories.take(chosen))[:, :-1]
        norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
        cosines[first:last] = vectors @ vector / np.maximum(norms, 1e-12)
    return cosines


def _inner_products(model: Model, vector: NDArray[np.float32]) -> Doubles:
    """Of every reviewer about the inner product of the vectors, as if no review faded."""
    head, products = model.relevance, np.zeros(len(model.histories))
    pulls = head.history_vectors @ vector
    for begin, end in blocks(model.histories.offsets):
        histories = stretch(model.histories, begin, end)
        pulled = pulls[histories.movie_rows] * head.level_weights[histories.level_rows]
        products[begin:end] = sums(pulled, histories.offsets) / np.sqrt(histories.lengths + 1.0)
        products[begin:end] += head.reviewer_embeddings[begin:end] @ vector
    return products


def _highest(values: Doubles) -> Rows:
    count = min(NUM_CANDIDATES, len(values))
    return np.argpartition(-values, count - 1)[:count]
