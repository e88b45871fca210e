"""Which reviews are held out: each reviewer's last ones, so that nothing is predicted from its future."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.dataset.reviews import Reviews


class Split(NamedTuple):
    """Two disjoint parts of the same reviews."""

    earlier: Reviews
    """What may be learned from."""
    later: Reviews
    """What is held out."""


def hold_out_last(reviews: Reviews, share: float) -> Split:
    """Holds out each reviewer's last `share` by time, at least one review of those who have three or more.

    Reviewers with one or two reviews keep them all where `share` of them is less than a review: what is left
    would say nothing of them. A movie that would lose its only review is still held out; that happens to real
    shops as well.

    Args:
        reviews: any reviews.
        share: between 0 and 1.
    """
    return _split(reviews, last_by_time(reviews, share))


def last_by_time(reviews: Reviews, share: float) -> NDArray[np.bool_]:
    """Marks each reviewer's last `share` by time, rounded down to whole reviews: bool [num_reviews]."""
    offsets = reviews.offsets()
    counts = np.diff(offsets)
    held = np.floor(counts * share + 1e-9).astype(np.int64)  # 0.29 * 100 is a little less than 29
    held = np.where((held == 0) & (counts >= 3), 1, held)
    held = np.minimum(held, np.maximum(counts - 1, 0))
    from_end = offsets[reviews.reviewer_rows + 1] - np.arange(len(reviews))
    marked: NDArray[np.bool_] = from_end <= held[reviews.reviewer_rows]
    return marked


def _split(reviews: Reviews, held_out: NDArray[np.bool_]) -> Split:
    return Split(reviews.select(~held_out), reviews.select(held_out))
