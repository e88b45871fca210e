"""Which reviews are held out: each reviewer's last ones, so that nothing is predicted from its future."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import Config
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


def follows_time(reviews: Reviews, config: Config) -> bool:
    """Whether reviews are taken in the order of time: as configured, or where they have different times."""
    if config.split.order == "auto":
        return bool(len(reviews)) and bool(reviews.times.min() < reviews.times.max())
    return config.split.order == "time"


def is_drawn_anywhere(train: Reviews, test: Reviews) -> bool:
    """Whether test reviews lie anywhere among their reviewers' training reviews, rather than after them.

    Of n + 1 reviews one that is drawn at random is not the newest with a chance of n / (n + 1). They count as
    drawn where at least half as many as that are older than the newest training review; equally old ones say
    nothing. Ratings are not looked at.
    """
    newest = np.full(train.num_reviewers, np.iinfo(np.int64).min)
    np.maximum.at(newest, train.reviewer_rows, train.times)
    counts = np.bincount(train.reviewer_rows, minlength=train.num_reviewers)
    telling = (counts[test.reviewer_rows] > 0) & (test.times != newest[test.reviewer_rows])
    rows, times = test.reviewer_rows[telling], test.times[telling]
    expected = (counts[rows] / (counts[rows] + 1)).sum()
    return bool(len(rows)) and bool((times < newest[rows]).sum() > expected / 2)


def in_order(reviews: Reviews, config: Config) -> Reviews:
    """The reviews as they are, or each reviewer's in a random order where time says nothing.

    In a random order each reviewer's last reviews are a random sample of them.

    Args:
        reviews: in the order of time.
        config: says what counts; its seed is that of the random order.
    """
    if follows_time(reviews, config):
        return reviews
    places = np.random.default_rng(config.seed).random(len(reviews))
    return reviews.select(np.lexsort((places, reviews.reviewer_rows)))


def without_fading(config: Config) -> Config:
    """The configuration in which the oldest review of a history counts as much as the newest."""
    return replace(config, relevance=replace(config.relevance, recency_power=0.0))
