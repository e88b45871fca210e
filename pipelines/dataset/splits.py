"""Holds out each reviewer's last reviews, so that models predict later reviews from earlier reviews."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import Config
from pipelines.dataset.reviews import Reviews


class Split(NamedTuple):
    """Holds reviews divided into training reviews and held-out reviews."""

    train: Reviews
    """The reviews on which a model is trained."""
    held_out: Reviews
    """The reviews that a model has to predict after training on `train`."""


def hold_out_last(reviews: Reviews, share: float) -> Split:
    """Holds out each reviewer's latest reviews: the share `share`, from 0 to 1, of the reviewer's reviews.

    The number of held-out reviews of a reviewer is `share` times the number of the reviewer's reviews,
    rounded down. If the rounded number is 0, and the reviewer has three or more reviews, one review is held
    out. At least one review of each reviewer stays in training. A movie's single review may be held out; the
    model must then score a movie without training reviews, as in real shops.
    """
    held_out = last_by_time(reviews, share)
    return Split(reviews.select(~held_out), reviews.select(held_out))


def last_by_time(reviews: Reviews, share: float) -> NDArray[np.bool_]:
    """Marks the reviews that `hold_out_last` holds out: bool [num_reviews]."""
    offsets = reviews.offsets()
    counts = np.diff(offsets)
    held = np.floor(counts * share + 1e-9).astype(np.int64)  # In floating point, 0.29 * 100 < 29.
    held = np.where((held == 0) & (counts >= 3), 1, held)
    held = np.minimum(held, np.maximum(counts - 1, 0))
    from_end = offsets[reviews.reviewer_rows + 1] - np.arange(len(reviews))
    return np.asarray(from_end <= held[reviews.reviewer_rows])


def follows_time(reviews: Reviews, config: Config) -> bool:
    """Tells whether each reviewer's latest reviews, instead of random reviews, are held out.

    The function returns True if the setting `split.order` is "time", or if `split.order` is "auto" and at
    least two review times differ.
    """
    if config.split.order == "auto":
        return bool(len(reviews)) and bool(reviews.times.min() < reviews.times.max())
    return config.split.order == "time"


def is_drawn_anywhere(train: Reviews, held_out: Reviews) -> bool:
    """Tells whether held-out reviews look like a random sample of each reviewer's reviews.

    If the last reviews of each reviewer are held out, no held-out review is older than a training review of
    the same reviewer. In a random sample, many held-out reviews are older than the reviewer's newest training
    review. The function returns True if more than half as many held-out reviews as in a random sample are
    older than the reviewer's newest training review.

    For a reviewer with n training reviews, a random held-out review is older than the reviewer's newest
    training review with the probability `n / (n + 1)`. The sum of the probabilities `n / (n + 1)` over all
    held-out reviews is the average number of held-out reviews in a random sample that are older than the
    reviewer's newest training review. The function ignores held-out reviews with the same time as the
    reviewer's newest training review, and held-out reviews of reviewers without training reviews.
    """
    newest = np.full(train.num_reviewers, np.iinfo(np.int64).min)
    np.maximum.at(newest, train.reviewer_rows, train.times)
    counts = train.reviewer_counts()
    telling = (counts[held_out.reviewer_rows] > 0) & (held_out.times != newest[held_out.reviewer_rows])
    rows, times = held_out.reviewer_rows[telling], held_out.times[telling]
    expected = (counts[rows] / (counts[rows] + 1)).sum()
    return bool(len(rows)) and bool((times < newest[rows]).sum() > expected / 2)


def in_order(reviews: Reviews, config: Config) -> Reviews:
    """Shuffles each reviewer's reviews if `follows_time` returns False; else returns the reviews unchanged.

    If each reviewer's reviews are shuffled, the last reviews of each reviewer, which `hold_out_last` holds
    out, are a random sample. The setting `seed` decides how each reviewer's reviews are shuffled.
    """
    if follows_time(reviews, config):
        return reviews
    places = np.random.default_rng(config.seed).random(len(reviews))
    return reviews.select(np.lexsort((places, reviews.reviewer_rows)))
