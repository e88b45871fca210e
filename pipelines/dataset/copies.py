"""Reviews that are one review: of two variants of a film, or word for word the same under several movies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.dataset.reviews import Reviews


class Separated(NamedTuple):
    """Held-out reviews without those that have a copy among the others."""

    held_out: NDArray[np.bool_]
    """bool [num_reviews]."""
    num_moved: int
    """How many were held out before and are not any more."""


def copy_groups(
    reviews: Reviews, films: NDArray[np.int64], texts: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], ...]:
    """Numbers the reviews in two ways, so that reviews with the same number are copies of each other.

    Args:
        reviews: any reviews.
        films: int64 [num_movies], the same number for variants of a film: a reviewer's reviews of one film
            are copies, whatever they say.
        texts: int64 [num_reviews], a number of each text, 0 where there is none: a reviewer's reviews with
            the same text, time and rating are copies, whatever the movies are called. None where there are no
            texts.

    Returns:
        int64 [num_reviews], once for each way.
    """
    by_film = _numbered(reviews.reviewer_rows, films[reviews.movie_rows])
    if texts is None or not texts.any():
        return (by_film,)
    each_its_own = np.where(texts == 0, np.arange(1, len(reviews) + 1), 0)
    by_text = _numbered(reviews.reviewer_rows, reviews.times, reviews.level_rows, texts, each_its_own)
    return (by_film, by_text)


def separate(held_out: NDArray[np.bool_], groups: Sequence[NDArray[np.int64]]) -> Separated:
    """Moves held-out reviews that have a copy in training to training, until no copies are on both sides.

    A model that has seen the one knows the other by heart, which flatters it.

    Args:
        held_out: bool [num_reviews].
        groups: as `copy_groups` gives them.
    """
    kept = held_out.copy()
    while True:
        leaks = np.zeros(len(kept), dtype=bool)
        for group in groups:
            in_training = np.zeros(int(group.max(initial=-1)) + 1, dtype=bool)
            in_training[group[~kept]] = True
            leaks |= kept & in_training[group]
        if not leaks.any():
            return Separated(kept, int(held_out.sum() - kept.sum()))
        kept &= ~leaks


def _numbered(*columns: NDArray[np.integer]) -> NDArray[np.int64]:
    """Numbers the different rows of a table given by its columns."""
    order = np.lexsort(columns)
    changes = np.zeros(len(order), dtype=bool)
    for column in columns:
        values = column[order]
        changes[1:] |= values[1:] != values[:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(changes)
    return numbers
