"""Divides reviews into training and test reviews by a protocol; copies of a review stay together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from pipelines.dataset.copies import separate
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.splits import last_by_time

TEST_SHARE = 0.2
"""The share of the reviews that the protocols "temporal", "last-share" and "random" hold out as test
reviews."""
NUM_FOLDS = 5
"""The number of folds of the protocol "folds"."""


class Fold(NamedTuple):
    """Divides the reviews into training reviews and test reviews."""

    train: Reviews
    test: Reviews
    """The test reviews, without sentiment, because a prediction cannot know the text of a future review."""
    num_leaks: int
    """The number of reviews that moved from test to training because a training review is a copy of the
    review."""


HeldOut = Iterator[NDArray[np.bool_]]
"""An iterator that gives, for each fold, a mask of the test reviews, bool [num_reviews]."""


def make_folds(
    reviews: Reviews, protocol: str, *, groups: Sequence[NDArray[np.int64]] = (), seed: int = 42
) -> Iterator[Fold]:
    """Divides reviews by one of PROTOCOLS; yields one fold, or five folds for the protocol "folds".

    Args:
        reviews: the reviews to divide.
        protocol: the name of the protocol.
        groups: the numbers that `copy_groups` returns, by which copies of a review are recognised.
        seed: the seed of all random choices of the protocol.

    Raises:
        DataError: the protocol needs times and the reviews have none, or there are too few reviews.
    """
    for held_out in PROTOCOLS[protocol](reviews, seed):
        yield fold_of(reviews, held_out, groups)


def fold_of(reviews: Reviews, held_out: NDArray[np.bool_], groups: Sequence[NDArray[np.int64]]) -> Fold:
    """Divides reviews into the training and the test reviews of a fold; `held_out` marks the test reviews.

    A held-out review moves to training if a training review has the same number in `groups`, because copies
    of a review have equal numbers.

    Raises:
        DataError: no training reviews or no test reviews are left.
    """
    kept = separate(held_out, groups)
    test = replace(reviews.select(kept), sentiment=None)
    fold = Fold(reviews.select(~kept), test, int(held_out.sum() - kept.sum()))
    if not len(fold.train) or not len(fold.test):
        raise DataError(
            f"Nothing is left to {'learn from' if len(fold.test) else 'predict'}: of {len(reviews):,} "
            f"reviews {len(fold.test):,} are held out and {fold.num_leaks:,} are copies; give more reviews"
        )
    return fold


def _temporal(reviews: Reviews, seed: int) -> HeldOut:
    """Holds out the newest fifth of all reviews: all reviews from a cut-off time on."""
    _require_times(reviews)
    in_time = np.sort(reviews.times)
    cut = in_time[min(int(len(in_time) * (1 - TEST_SHARE) + 1e-9), len(in_time) - 1)]
    yield reviews.times >= cut


def _leave_last_out(reviews: Reviews, seed: int) -> HeldOut:
    """Holds out the last review of each reviewer who has two or more reviews."""
    _require_times(reviews)
    offsets = reviews.offsets()
    ends = offsets[1:][np.diff(offsets) >= 2]
    held_out = np.zeros(len(reviews), dtype=bool)
    held_out[ends - 1] = True
    yield held_out


def _last_share(reviews: Reviews, seed: int) -> HeldOut:
    """Holds out the last fifth of the reviews of each reviewer."""
    _require_times(reviews)
    yield last_by_time(reviews, TEST_SHARE)


def _random(reviews: Reviews, seed: int) -> HeldOut:
    """Holds out a fifth of all reviews, at random."""
    held_out = np.zeros(len(reviews), dtype=bool)
    order = np.random.default_rng(seed).permutation(len(reviews))
    held_out[order[: int(np.ceil(len(reviews) * TEST_SHARE - 1e-9))]] = True
    yield held_out


def _folds(reviews: Reviews, seed: int) -> HeldOut:
    """Divides the reviews at random into five folds of equal size, stratified by rating."""
    order = np.lexsort((np.random.default_rng(seed).permutation(len(reviews)), reviews.level_rows))
    fold_rows = np.empty(len(reviews), dtype=np.int64)
    fold_rows[order] = np.arange(len(reviews)) % NUM_FOLDS
    for fold in range(NUM_FOLDS):
        yield fold_rows == fold


PROTOCOLS: Mapping[str, Callable[[Reviews, int], HeldOut]] = {
    "temporal": _temporal,
    "leave-last-out": _leave_last_out,
    "last-share": _last_share,
    "random": _random,
    "folds": _folds,
}
"""The function of each protocol, by the name that the option `--protocol` takes."""
UNORDERED = ("random", "folds")
"""The protocols that hold out a random sample of a reviewer's reviews instead of the last reviews in time."""


def _require_times(reviews: Reviews) -> None:
    if not len(reviews) or reviews.times.min() == reviews.times.max():
        raise DataError(
            "This protocol divides the reviews by time, but they have no times or all the same one; take "
            "the protocol 'random' or 'folds', or name the column of times"
        )
