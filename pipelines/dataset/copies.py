"""Finds reviews that are copies of one another, and keeps copies on one side of a split."""

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
    """Reads a number for the text of each review, in the order of `read_reviews`: int64 [num_reviews].

    The same texts have the same number. It is 0 where a review has no text, or one too short to compare.
    """
    numbers = "case when length(review_text) >= $min_length then (hash(review_text) >> 1)::bigint else 0 end"
    columns = read_columns(database, f"{numbers} as text", min_length=MIN_TEXT_LENGTH)
    return np.asarray(columns["text"], dtype=np.int64)


def copy_groups(reviews: Reviews, films: Rows, texts: Rows | None = None) -> tuple[Rows, ...]:
    """Numbers the reviews in two ways, int64 [num_reviews] each; equal numbers are copies of each other.

    Args:
        reviews: any reviews.
        films: int64 [num_movies], the same number for variants of a film: a reviewer's reviews of one film
            are copies, whatever they say.
        texts: int64 [num_reviews], a number of each text, 0 where there is none: a reviewer's reviews with
            the same text, time and rating are copies, whatever the movies are called. None leaves this out.
    """
    by_film = _numbered(reviews.reviewer_rows, films[reviews.movie_rows])
    if texts is None or not texts.any():
        return (by_film,)
    each_its_own = np.where(texts == 0, np.arange(1, len(reviews) + 1), 0)
    by_text = _numbered(reviews.reviewer_rows, reviews.times, reviews.level_rows, texts, each_its_own)
    return (by_film, by_text)


def separate(held_out: NDArray[np.bool_], groups: Sequence[Rows]) -> NDArray[np.bool_]:
    """Moves held-out reviews that have a copy in training to training, until all copies are on one side.

    A model that has seen one copy knows the other by heart, which flatters its figures. Returns which reviews
    are still held out, bool [num_reviews]; `groups` are numbers of copies from `copy_groups`.
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
    """Numbers the distinct rows of a table that is given as columns."""
    order = np.lexsort(columns)
    changes = np.zeros(len(order), dtype=bool)
    for column in columns:
        values = column[order]
        changes[1:] |= values[1:] != values[:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(changes)
    return numbers
