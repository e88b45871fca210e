"""New reviews put into the histories: which are new, which replace others, and what comes of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, spans
from engine.model.histories import Histories


class Reviews(NamedTuple):
    """Reviews by reviewer and movie, in any order."""

    reviewer_rows: Rows
    """int64 [num_reviews], in the rows that the reviewers will have."""
    movie_rows: Rows
    """int64 [num_reviews]."""
    level_rows: NDArray[np.int8]
    """int8 [num_reviews]."""
    times: Rows
    """int64 [num_reviews], unix seconds; 0 where they are unknown."""


class Merged(NamedTuple):
    """Histories with new reviews in them."""

    histories: Histories
    times: Rows
    """int64 [num_reviews]."""
    added: NDArray[np.bool_]
    """bool [num_new], which of the new reviews are of a pair that had none."""
    replacing: NDArray[np.bool_]
    """bool [num_new], which stand for an earlier review of the same pair."""
    replaced_levels: NDArray[np.int8]
    """int8 [num_replacing], the levels of those earlier reviews, in the order of the new ones."""


def merge_reviews(
    histories: Histories, times: NDArray[np.integer], old_rows: Rows, num_reviewers: int, new: Reviews
) -> Merged:
    """Puts reviews into histories; the later review of a pair stays, of two equally late ones the new.

    Only histories that get a review are sorted anew; the others are copied.

    Args:
        histories: the old ones, oldest review first.
        times: int [num_reviews], of their reviews.
        old_rows: int64 [num_old], the rows that the old reviewers will have, ascending.
        num_reviewers: how many reviewers there will be.
        new: the new reviews, one a pair at most; times of 0 count as later than any.
    """
    touched = np.zeros(num_reviewers, dtype=bool)
    touched[new.reviewer_rows] = True
    of_touched = np.flatnonzero(touched[old_rows])
    earlier = histories.take(of_touched)
    sources = spans(histories.offsets[of_touched], earlier.lengths)
    owners = np.concatenate([old_rows[of_touched][earlier.places], new.reviewer_rows])
    movies = np.concatenate([earlier.movie_rows, new.movie_rows]).astype(np.int64)
    levels = np.concatenate([earlier.level_rows, new.level_rows]).astype(np.int8)
    when = np.concatenate([np.asarray(times)[sources], new.times]).astype(np.int64)
    ages = when.copy()
    ages[len(sources) :][new.times == 0] = np.iinfo(np.int64).max
    kept, partners = _latest_of_pairs(owners, movies, ages)
    is_new = np.arange(len(owners)) >= len(sources)
    twin = partners[len(sources) :]
    differs = (levels[twin] != new.level_rows) | (when[twin] < new.times)
    standing = kept[len(sources) :] & ((twin < 0) | differs)
    added, replacing = standing & (twin < 0), standing & (twin >= 0)
    # A review that says nothing new leaves the one that is there in its place.
    silent = kept[len(sources) :] & ~standing
    kept[len(sources) :][silent] = False
    kept[twin[silent]] = True
    order = np.lexsort((np.where(is_new, 1, 0), ages, owners))
    order = order[kept[order]]
    lengths = np.zeros(num_reviewers, dtype=np.int64)
    lengths[old_rows] = histories.lengths
    lengths[touched] = np.bincount(owners[order], minlength=num_reviewers)[touched]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.empty(offsets[-1], dtype=np.int32)
    level_rows, all_times = np.empty(offsets[-1], dtype=np.int8), np.empty(offsets[-1], dtype=np.int64)
    untouched = np.flatnonzero(~touched[old_rows])
    from_old = spans(histories.offsets[untouched], histories.lengths[untouched])
    to_old = spans(offsets[old_rows[untouched]], histories.lengths[untouched])
    to_new = spans(offsets[:-1][touched], lengths[touched])
    for target, old, fresh in (
        (rows, histories.movie_rows, movies),
        (level_rows, histories.level_rows, levels),
        (all_times, times, when),
    ):
        target[to_old] = old[from_old]
        target[to_new] = fresh[order]
    return Merged(Histories(offsets, rows, level_rows), all_times, added, replacing, levels[twin[replacing]])


def _latest_of_pairs(owners: Rows, movies: Rows, ages: Rows) -> tuple[NDArray[np.bool_], Rows]:
    """Which reviews are the latest of their pair, bool [num], and the other of it, int64 [num], or -1."""
    count = len(owners)
    order = np.lexsort((np.arange(count), ages, movies, owners))
    same = (owners[order][1:] == owners[order][:-1]) & (movies[order][1:] == movies[order][:-1])
    kept, partners = np.ones(count, dtype=bool), np.full(count, -1, dtype=np.int64)
    first, second = order[:-1][same], order[1:][same]
    kept[first] = False
    partners[first], partners[second] = second, first
    return kept, partners
