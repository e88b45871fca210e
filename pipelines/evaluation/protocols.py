"""How reviews are divided into what is learned from and what is predicted, without copies on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, DataError
from pipelines.dataset.copies import separate
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.splits import last_by_time

TEST_SHARE = 0.2
NUM_FOLDS = 5


class Fold(NamedTuple):
    """One division of the reviews."""

    train: Reviews
    test: Reviews
    """Without the sentiment of their texts, which nobody has before a review is written."""
    num_leaks: int
    """Reviews that would have been held out, but for a copy of theirs in training, where they are now."""


Holds = Iterator[NDArray[np.bool_]]


def make_folds(
    reviews: Reviews, protocol: str, *, groups: Sequence[NDArray[np.int64]] = (), seed: int = 42
) -> Iterator[Fold]:
    """Divides reviews once, or five times, as a protocol says.

    Args:
        reviews: all reviews.
        protocol: one of PROTOCOLS.
        groups: copies, as `copy_groups` gives them.
        seed: of the random protocols.

    Raises:
        ConfigError: there is no such protocol.
        DataError: the protocol needs times or more reviews than there are.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"There is no protocol {protocol!r}; expected one of {', '.join(PROTOCOLS)}")
    for held_out in PROTOCOLS[protocol](reviews, seed):
        yield fold_of(reviews, held_out, groups)


def fold_of(reviews: Reviews, held_out: NDArray[np.bool_], groups: Sequence[NDArray[np.int64]]) -> Fold:
    """Makes a fold of what is held out, bool [num_reviews], after moving copies to training.

    Raises:
        DataError: nothing is left on one of the sides.
    """
    separated = separate(held_out, groups)
    test = replace(reviews.select(separated.held_out), sentiment=None)
    fold = Fold(reviews.select(~separated.held_out), test, separated.num_moved)
    if not len(fold.train) or not len(fold.test):
        raise DataError(
            f"Nothing is left to {'learn from' if len(fold.test) else 'predict'}: of {len(reviews):,} "
            f"reviews {len(fold.test):,} are held out and {fold.num_leaks:,} are copies; give more reviews"
        )
    return fold


def _temporal(reviews: Reviews, seed: int) -> Holds:
    """What was written after one moment, the same for all: the last fifth, without dividing a second."""
    _require_times(reviews)
    in_time = np.sort(reviews.times)
    cut = in_time[min(int(len(in_time) * (1 - TEST_SHARE) + 1e-9), len(in_time) - 1)]
    yield reviews.times >= cut


def _leave_last_out(reviews: Reviews, seed: int) -> Holds:
    """The last review of everyone who has two or more."""
    _require_times(reviews)
    offsets = reviews.offsets()
    ends = offsets[1:][np.diff(offsets) >= 2]
    held_out = np.zeros(len(reviews), dtype=bool)
    held_out[ends - 1] = True
    yield held_out


def _last_share(reviews: Reviews, seed: int) -> Holds:
    """The last fifth of everyone."""
    _require_times(reviews)
    yield last_by_time(reviews, TEST_SHARE)


def _random(reviews: Reviews, seed: int) -> Holds:
    """A fifth of all, at random."""
    held_out = np.zeros(len(reviews), dtype=bool)
    order = np.random.default_rng(seed).permutation(len(reviews))
    held_out[order[: int(np.ceil(len(reviews) * TEST_SHARE - 1e-9))]] = True
    yield held_out


def _folds(reviews: Reviews, seed: int) -> Holds:
    """Every review once: five fifths, at random, each with its share of every rating."""
    order = np.lexsort((np.random.default_rng(seed).permutation(len(reviews)), reviews.level_rows))
    fold_rows = np.empty(len(reviews), dtype=np.int64)
    fold_rows[order] = np.arange(len(reviews)) % NUM_FOLDS
    for fold in range(NUM_FOLDS):
        yield fold_rows == fold


PROTOCOLS: Mapping[str, Callable[[Reviews, int], Holds]] = {
    "temporal": _temporal,
    "leave-last-out": _leave_last_out,
    "last-share": _last_share,
    "random": _random,
    "folds": _folds,
}
"""Every protocol by the name that `--protocol` takes."""
UNORDERED = ("random", "folds")
"""Those that hold out reviews from anywhere in a history."""


def _require_times(reviews: Reviews) -> None:
    if not len(reviews) or reviews.times.min() == reviews.times.max():
        raise DataError(
            "This protocol divides the reviews by time, but they have none or all the same; take the "
            "protocol 'random' or 'folds', or name the column of times"
        )
