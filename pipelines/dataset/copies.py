"""Finds copied reviews, and keeps all copies of a review either in training or among held-out reviews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from pipelines.dataset.reviews import Reviews, read_columns
from pipelines.reading.reviews import MIN_TEXT_LENGTH

if TYPE_CHECKING:
    import duckdb


def read_texts(database: duckdb.DuckDBPyConnection) -> Rows:
    """Reads a hash of each review's text, int64 [num_reviews], in the order of `read_reviews`.

    Equal texts have equal hashes. The hash is 0 where a review has no text, or a text too short to compare.
    """
    numbers = "case when length(review_text) >= $min_length then (hash(review_text) >> 1)::bigint else 0 end"
    columns = read_columns(database, f"{numbers} as text", min_length=MIN_TEXT_LENGTH)
    return np.asarray(columns["text"], dtype=np.int64)


def copy_groups(reviews: Reviews, films: Rows, texts: Rows | None = None) -> tuple[Rows, ...]:
    """Numbers the reviews in one or two ways, so that copies of a review have equal numbers.

    Returns an array int64 [num_reviews] of numbers by film and, if a review has a text, another by text.

    Args:
        reviews: the reviews to compare with one another.
        films: int64 [num_movies], the film of each movie, equal for variants of a film. A reviewer's reviews
            of one film are copies, whatever the reviews say.
        texts: int64 [num_reviews], the hash of each text, 0 where a review has no text. A reviewer's reviews
            with equal text, time and rating are copies, whatever the movies. None: texts are not compared.
    """
    by_film = _numbered(reviews.reviewer_rows, films[reviews.movie_rows])
    if texts is None or not texts.any():
        return (by_film,)
    each_its_own = np.where(texts == 0, np.arange(1, len(reviews) + 1), 0)
    by_text = _numbered(reviews.reviewer_rows, reviews.times, reviews.level_rows, texts, each_its_own)
    return (by_film, by_text)


def separate(held_out: NDArray[np.bool_], groups: Sequence[Rows]) -> NDArray[np.bool_]:
    """Moves held-out reviews with a copy in training to training, until all copies are in training.

    A model trained on one copy of a review predicts the other copy too well, which inflates test results.
    Returns the mask of reviews that remain held out, bool [num_reviews]. `groups` come from `copy_groups`.
    """
    kept = held_out.copy()
    while True:
        leaks = np.zeros(len(kept), dtype=bool)
        for group in groups:
            in_training = np.zeros(int(group.max(initial=-1)) + 1, dtype=bool)
            in_training[group[~kept]] = True
            leaks |= kept & in_training[group]
        if not leaks.any():
            return kept
        kept &= ~leaks


def _numbered(*columns: NDArray[np.integer]) -> Rows:
    """Numbers the distinct rows of a table, so that equal rows have equal numbers: int64 [num_rows]."""
    order = np.lexsort(columns)
    changes = np.zeros(len(order), dtype=bool)
    for column in columns:
        values = column[order]
        changes[1:] |= values[1:] != values[:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(changes)
    return numbers
