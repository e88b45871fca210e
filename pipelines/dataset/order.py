"""Whether time counts: what is to be predicted comes after what is known, or lies anywhere among it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.config.sections import Config
from pipelines.dataset.reviews import Reviews


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
