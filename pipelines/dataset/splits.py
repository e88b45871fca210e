"""Holds out the last reviews of each reviewer, so that a model never predicts a review from a later one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import Config
from pipelines.dataset.reviews import Reviews


class Split(NamedTuple):
    """Divides the same reviews into two sides."""

    train: Reviews
    """Reviews to learn from."""
    held_out: Reviews
    """Reviews to predict."""


def hold_out_last(reviews: Reviews, share: float) -> Split:
    """Holds out each reviewer's last `share` (0 to 1) by time, at least one review of three or more.

    Reviewers with one or two reviews keep them all where `share` of them is less than a review: what is left
    would say nothing of them. A movie that would lose its only review is still held out; that happens to real
    shops as well.
    """
    held_out = last_by_time(reviews, share)
    return Split(reviews.select(~held_out), reviews.select(held_out))


def last_by_time(reviews: Reviews, share: float) -> NDArray[np.bool_]:
    """Marks the reviews that `hold_out_last` holds out: bool [num_reviews]."""
    offsets = reviews.offsets()
    counts = np.diff(offsets)
    held = np.floor(counts * share + 1e-9).astype(np.int64)  # 0.29 * 100 is a little less than 29
    held = np.where((held == 0) & (counts >= 3), 1, held)
    held = np.minimum(held, np.maximum(counts - 1, 0))
    from_end = offsets[reviews.reviewer_rows + 1] - np.arange(len(reviews))
    return np.asarray(from_end <= held[reviews.reviewer_rows])


def follows_time(reviews: Reviews, config: Config) -> bool:
    """Tells whether reviews are taken in the order of time: as configured, or where their times differ."""
    if config.split.order == "auto":
        return bool(len(reviews)) and bool(reviews.times.min() < reviews.times.max())
    return config.split.order == "time"


def is_drawn_anywhere(train: Reviews, held_out: Reviews) -> bool:
    """Tells whether held-out reviews lie anywhere among their reviewers' training reviews, not after them.

    A review drawn at random of n + 1 is older than the newest of the others with a chance of n / (n + 1).
    Held-out reviews count as drawn where more than half as many as this chance expects are older than the
    newest training review. Those that are exactly as old say nothing, and ratings are not looked at.
    """
    newest = np.full(train.num_reviewers, np.iinfo(np.int64).min)
    np.maximum.at(newest, train.reviewer_rows, train.times)
    counts = np.bincount(train.reviewer_rows, minlength=train.num_reviewers)
    telling = (counts[held_out.reviewer_rows] > 0) & (held_out.times != newest[held_out.reviewer_rows])
    rows, times = held_out.reviewer_rows[telling], held_out.times[telling]
    expected = (counts[rows] / (counts[rows] + 1)).sum()
    return bool(len(rows)) and bool((times < newest[rows]).sum() > expected / 2)


def in_order(reviews: Reviews, config: Config) -> Reviews:
    """Returns the reviews unchanged if times count, else shuffled for each reviewer.

    In a random order, which the seed of the configuration decides, each reviewer's last reviews are a random
    sample of their reviews.
    """
    if follows_time(reviews, config):
        return reviews
    places = np.random.default_rng(config.seed).random(len(reviews))
    return reviews.select(np.lexsort((places, reviews.reviewer_rows)))
