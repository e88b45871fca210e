"""Divides reviews into training and test reviews by a protocol, with all copies of a review on one side."""

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
"""Share of the reviews that "temporal", "last-share" and "random" hold out as test reviews."""
NUM_FOLDS = 5
"""Number of folds of the protocol "folds"."""


class Fold(NamedTuple):
    """A division of the reviews into training reviews and test reviews."""

    train: Reviews
    test: Reviews
    """Test reviews, without sentiment, since the text of a future review is unknown to a prediction."""
    num_leaks: int
    """Number of reviews that moved from test to training because training has a copy of the review."""


HeldOut = Iterator[NDArray[np.bool_]]
"""Gives for each fold a mask of the test reviews, bool [num_reviews]."""


def make_folds(
    reviews: Reviews, protocol: str, *, groups: Sequence[NDArray[np.int64]] = (), seed: int = 42
) -> Iterator[Fold]:
    """Divides reviews by one of PROTOCOLS, and gives one fold, or five folds for the protocol "folds".

    `groups` number the copies among the reviews, as `copy_groups` returns the numbers. The seed decides what
    a random protocol draws.

    Raises:
        DataError: the protocol needs times and the reviews have none, or there are too few reviews.
    """
    for held_out in PROTOCOLS[protocol](reviews, seed):
        yield fold_of(reviews, held_out, groups)


def fold_of(reviews: Reviews, held_out: NDArray[np.bool_], groups: Sequence[NDArray[np.int64]]) -> Fold:
    """Makes a fold of the reviews; `held_out`, bool [num_reviews], marks the test reviews.

    A held-out review moves to training if training has a copy of the review; `groups` number the copies.

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
    """Holds out the newest fifth of all reviews: the reviews from one cut-off time on."""
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
    """Holds out each review in one of five folds, of equal size, drawn at random, stratified by rating."""
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
"""Protocols that hold out a reviewer's reviews at random, rather than the last reviews in time."""


def _require_times(reviews: Reviews) -> None:
    if not len(reviews) or reviews.times.min() == reviews.times.max():
        raise DataError(
            "This protocol divides the reviews by time, but they have no times or all the same one; take "
            "the protocol 'random' or 'folds', or name the column of times"
        )
