"""Divides reviews into training and test reviews by a protocol, without copies on both sides."""

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
"""Share of the reviews that protocols with one fold hold out."""
NUM_FOLDS = 5
"""Folds of the protocol "folds"."""


class Fold(NamedTuple):
    """A division of the reviews."""

    train: Reviews
    test: Reviews
    """Test reviews, without sentiment: the text of a review is not known before it is written."""
    num_leaks: int
    """Reviews that the protocol held out, but that have a copy in training and moved there."""


HeldOut = Iterator[NDArray[np.bool_]]
"""Marks the test reviews of each fold: bool [num_reviews]."""


def make_folds(
    reviews: Reviews, protocol: str, *, groups: Sequence[NDArray[np.int64]] = (), seed: int = 42
) -> Iterator[Fold]:
    """Divides reviews by one of PROTOCOLS: once, or five times under "folds".

    The groups are copies, as `copy_groups` returns them. The seed decides a random protocol.

    Raises:
        DataError: the protocol needs times or more reviews than there are.
    """
    for held_out in PROTOCOLS[protocol](reviews, seed):
        yield fold_of(reviews, held_out, groups)


def fold_of(reviews: Reviews, held_out: NDArray[np.bool_], groups: Sequence[NDArray[np.int64]]) -> Fold:
    """Makes a fold: moves held-out reviews, bool [num_reviews], with a copy in training there, and divides.

    Raises:
        DataError: nothing is left on one of the sides.
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
    """Holds out the last fifth, after a moment that is the same for all; equal times stay on one side."""
    _require_times(reviews)
    in_time = np.sort(reviews.times)
    cut = in_time[min(int(len(in_time) * (1 - TEST_SHARE) + 1e-9), len(in_time) - 1)]
    yield reviews.times >= cut


def _leave_last_out(reviews: Reviews, seed: int) -> HeldOut:
    """Holds out the last review of everyone who has two or more."""
    _require_times(reviews)
    offsets = reviews.offsets()
    ends = offsets[1:][np.diff(offsets) >= 2]
    held_out = np.zeros(len(reviews), dtype=bool)
    held_out[ends - 1] = True
    yield held_out


def _last_share(reviews: Reviews, seed: int) -> HeldOut:
    """Holds out the last fifth of everyone."""
    _require_times(reviews)
    yield last_by_time(reviews, TEST_SHARE)


def _random(reviews: Reviews, seed: int) -> HeldOut:
    """Holds out a fifth of all reviews, at random."""
    held_out = np.zeros(len(reviews), dtype=bool)
    order = np.random.default_rng(seed).permutation(len(reviews))
    held_out[order[: int(np.ceil(len(reviews) * TEST_SHARE - 1e-9))]] = True
    yield held_out


def _folds(reviews: Reviews, seed: int) -> HeldOut:
    """Holds out every review once: five fifths, at random, each with its share of every rating."""
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
"""Every protocol by the name that `--protocol` takes."""
UNORDERED = ("random", "folds")
"""Protocols that hold out reviews from anywhere in a history."""


def _require_times(reviews: Reviews) -> None:
    if not len(reviews) or reviews.times.min() == reviews.times.max():
        raise DataError(
            "This protocol divides the reviews by time, but they have no times or all the same one; take "
            "the protocol 'random' or 'folds', or name the column of times"
        )
