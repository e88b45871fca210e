"""Finds copies of reviews, so that no copy of a training review is held out."""

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
    """Reads a hash of each review's text, int64 [num_reviews], in the order of the reviews of `read_reviews`.

    Equal texts of reviews have equal hashes. The hash of a review is 0 if the review has no text, or a text
    of fewer than MIN_TEXT_LENGTH characters.
    """
    numbers = "case when length(review_text) >= $min_length then (hash(review_text) >> 1)::bigint else 0 end"
    columns = read_columns(database, f"{numbers} as text", min_length=MIN_TEXT_LENGTH)
    return np.asarray(columns["text"], dtype=np.int64)


def copy_groups(reviews: Reviews, films: Rows, texts: Rows | None = None) -> tuple[Rows, ...]:
    """Numbers the reviews so that copies of a review have equal numbers.

    Two reviews by the same reviewer are copies if both review the same film, or if both have the same text,
    time and rating.

    Args:
        reviews: the reviews to compare with one another.
        films: int64 [num_movies], the film number of each movie; variants of one film, such as the DVD and
            the video tape, have equal numbers.
        texts: int64 [num_reviews], the hash of each review's text, or 0 for a review without a text; None if
            texts are not to be compared.

    Returns:
        Two arrays of review numbers, int64 [num_reviews] each: the film array and the text array. In the film
        array, two reviews have equal numbers if the same reviewer reviewed the same film. In the text array,
        two reviews have equal numbers if the same reviewer wrote both reviews with equal text, time and
        rating. If `texts` is None, or if no review has a text, the function returns only the film array.
    """
    by_film = _numbered(reviews.reviewer_rows, films[reviews.movie_rows])
    if texts is None or not texts.any():
        return (by_film,)
    each_its_own = np.where(texts == 0, np.arange(1, len(reviews) + 1), 0)
    by_text = _numbered(reviews.reviewer_rows, reviews.times, reviews.level_rows, texts, each_its_own)
    return (by_film, by_text)


def separate(held_out: NDArray[np.bool_], groups: Sequence[Rows]) -> NDArray[np.bool_]:
    """Moves a held-out review to the training reviews if a training review is a copy of the held-out review.

    If a model were trained on a copy of a held-out review, the held-out review would be too easy to predict,
    and the measured quality would be too high. Held-out reviews are moved to the training reviews again and
    again, until no held-out review has a copy among the training reviews.

    Args:
        held_out: marks the held-out reviews, bool [num_reviews].
        groups: the arrays of numbers that `copy_groups` returns.

    Returns:
        The mask of the reviews that remain held out, bool [num_reviews].
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
    """Numbers the rows of a table given as columns; equal rows get equal numbers, int64 [num_rows]."""
    order = np.lexsort(columns)
    changes = np.zeros(len(order), dtype=bool)
    for column in columns:
        values = column[order]
        changes[1:] |= values[1:] != values[:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(changes)
    return numbers
