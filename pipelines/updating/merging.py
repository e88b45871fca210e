"""Merges new reviews into histories: which are added, which replace earlier ones, which say nothing new."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, spans
from engine.model.histories import Histories


class NewReviews(NamedTuple):
    """Holds new reviews in any order, at most one of each reviewer and movie."""

    reviewer_rows: Rows
    """int64 [num_new], in the rows that the reviewers will have."""
    movie_rows: Rows
    """int64 [num_new]."""
    level_rows: NDArray[np.int8]
    """int8 [num_new]."""
    times: Rows
    """int64 [num_new], unix seconds; 0 where they are unknown."""


class Merged(NamedTuple):
    """Holds histories with new reviews in them."""

    histories: Histories
    times: Rows
    """int64 [num_reviews], unix seconds, in the order of the histories."""
    added: NDArray[np.bool_]
    """bool [num_new], the new reviews whose reviewer had not reviewed the movie."""
    replacing: NDArray[np.bool_]
    """bool [num_new], the new reviews that replace an earlier review of the same movie."""
    replaced_levels: NDArray[np.int8]
    """int8 [num_replacing], the levels of the replaced reviews, in the order of the new ones."""


def merge_reviews(
    histories: Histories, times: NDArray[np.integer], old_rows: Rows, num_reviewers: int, new: NewReviews
) -> Merged:
    """Merges new reviews into histories; of a pair of reviewer and movie the latest review stays.

    Of two equally late reviews the new one stays, unless it gives the same rating. A new review's time of 0
    counts as later than any. Only histories that get a review are sorted; the others are copied.

    `times`, int [num_reviews], are the unix seconds of the old reviews, and `old_rows`, int64 [num_old],
    ascending, the rows that the old reviewers will have among `num_reviewers`.
    """
    touched = np.zeros(num_reviewers, dtype=bool)
    touched[new.reviewer_rows] = True
    of_touched = np.flatnonzero(touched[old_rows])
    earlier = histories.take(of_touched)
    sources = spans(histories.offsets[of_touched], earlier.lengths)
    num_earlier = len(sources)
    owners = np.concatenate([old_rows[of_touched][earlier.places], new.reviewer_rows])
    movies = np.concatenate([earlier.movie_rows, new.movie_rows]).astype(np.int64)
    levels = np.concatenate([earlier.level_rows, new.level_rows]).astype(np.int8)
    when = np.concatenate([np.asarray(times)[sources], new.times]).astype(np.int64)
    ages = when.copy()
    ages[num_earlier:][new.times == 0] = np.iinfo(np.int64).max
    kept, partners = _latest_of_pairs(owners, movies, ages)
    twin = partners[num_earlier:]
    has_twin = twin >= 0
    differs = (levels[twin] != new.level_rows) | (when[twin] < new.times)
    standing = kept[num_earlier:] & (~has_twin | differs)
    # Where a new review says nothing new, the earlier review keeps its place.
    silent = kept[num_earlier:] & ~standing
    kept[num_earlier:][silent] = False
    kept[twin[silent]] = True
    order = np.lexsort((np.arange(len(owners)) >= num_earlier, ages, owners))
    order = order[kept[order]]
    lengths = np.zeros(num_reviewers, dtype=np.int64)
    lengths[old_rows] = histories.lengths
    lengths[touched] = np.bincount(owners[order], minlength=num_reviewers)[touched]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    untouched = np.flatnonzero(~touched[old_rows])
    from_old = spans(histories.offsets[untouched], histories.lengths[untouched])
    to_old = spans(offsets[old_rows[untouched]], histories.lengths[untouched])
    to_new = spans(offsets[:-1][touched], lengths[touched])

    rows, level_rows = np.empty(offsets[-1], dtype=np.int32), np.empty(offsets[-1], dtype=np.int8)
    all_times = np.empty(offsets[-1], dtype=np.int64)
    for target, old, fresh in (
        (rows, histories.movie_rows, movies),
        (level_rows, histories.level_rows, levels),
        (all_times, times, when),
    ):
        target[to_old] = old[from_old]
        target[to_new] = fresh[order]
    added, replacing = standing & ~has_twin, standing & has_twin
    return Merged(Histories(offsets, rows, level_rows), all_times, added, replacing, levels[twin[replacing]])


def _latest_of_pairs(owners: Rows, movies: Rows, ages: Rows) -> tuple[NDArray[np.bool_], Rows]:
    """Finds the latest review of each pair of owner and movie; a pair has two reviews at most.

    Returns whether each review is the latest, bool [num], and the position of the other, int64 [num], or -1.
    """
    count = len(owners)
    order = np.lexsort((np.arange(count), ages, movies, owners))
    same = (owners[order][1:] == owners[order][:-1]) & (movies[order][1:] == movies[order][:-1])
    kept, partners = np.ones(count, dtype=bool), np.full(count, -1, dtype=np.int64)
    first, second = order[:-1][same], order[1:][same]
    kept[first] = False
    partners[first], partners[second] = second, first
    return kept, partners
