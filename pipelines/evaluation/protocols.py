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
"""The share of reviews that the protocols "temporal", "last-share" and "random" hold out as test reviews."""
NUM_FOLDS = 5
"""The number of folds into which the protocol "folds" divides the reviews."""


class Fold(NamedTuple):
    """Holds the training reviews and the test reviews of a fold."""

    train: Reviews
    test: Reviews
    """The test reviews, without the sentiment of their texts, because a prediction cannot know the text of a
    future review."""
    num_leaks: int
    """The number of held-out reviews that moved to training, or were dropped, because a training review is a
    copy of the held-out review."""


HeldOut = Iterator[NDArray[np.bool_]]
"""An iterator that yields, for each fold, a mask of the test reviews, bool [num_reviews]."""


def make_folds(
    reviews: Reviews, protocol: str, *, groups: Sequence[NDArray[np.int64]] = (), seed: int = 42
) -> Iterator[Fold]:
    """Divides reviews by a protocol; yields one fold, or NUM_FOLDS folds for the protocol "folds".

    Args:
        reviews: the reviews to divide.
        protocol: the name of the protocol, one of PROTOCOLS.
        groups: the arrays of `copy_groups`, in which copies of a review have equal numbers.
        seed: the seed of all random choices of the protocol.

    Raises:
        DataError: the protocol needs review times, but the reviews have no times; or there are too few
            reviews.
    """
    for held_out in PROTOCOLS[protocol](reviews, seed):
        yield fold_of(reviews, held_out, groups)


def fold_of(reviews: Reviews, held_out: NDArray[np.bool_], groups: Sequence[NDArray[np.int64]]) -> Fold:
    """Makes a fold from reviews; the mask `held_out` marks the reviews that become test reviews.

    A held-out review moves to training if a training review is a copy. Two reviews are copies if an array of
    `groups` holds the same number for both reviews.

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
    """Holds out the newest fifth of all reviews, by one cut-off time for all reviewers."""
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
    """Holds out a random fifth of all reviews."""
    held_out = np.zeros(len(reviews), dtype=bool)
    order = np.random.default_rng(seed).permutation(len(reviews))
    held_out[order[: int(np.ceil(len(reviews) * TEST_SHARE - 1e-9))]] = True
    yield held_out


def _folds(reviews: Reviews, seed: int) -> HeldOut:
    """Divides the reviews at random into NUM_FOLDS folds of equal size, stratified by rating."""
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
"""The functions of the protocols; the keys are the names that the option `--protocol` takes."""
UNORDERED = ("random", "folds")
"""The protocols that hold out a random sample of reviews instead of the last reviews in time."""


def _require_times(reviews: Reviews) -> None:
    if not len(reviews) or reviews.times.min() == reviews.times.max():
        raise DataError(
            "This protocol divides the reviews by time, but they have no times or all the same one; take "
            "the protocol 'random' or 'folds', or name the column of times"
        )
