"""Merges new reviews into the reviewers' histories, and finds which old reviews are replaced."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, spans
from engine.model.histories import Histories


class AddedReviews(NamedTuple):
    """Holds new reviews in any order; for each pair of reviewer and movie there is at most one review."""

    reviewer_rows: Rows
    """int64 [num_new], for each new review, the row that the review's reviewer has after the merge."""
    movie_rows: Rows
    """int64 [num_new], the row of each new review's movie."""
    level_rows: NDArray[np.int8]
    """int8 [num_new], the position of each new review's rating in the rating levels."""
    times: Rows
    """int64 [num_new], the time of each new review in unix seconds; 0 for an unknown time."""


class Merged(NamedTuple):
    """Holds the merged histories, and marks the new reviews that were added or that replaced old reviews."""

    histories: Histories
    times: Rows
    """int64 [num_reviews], the time of each review in unix seconds, in the order of the reviews in
    `histories`."""
    added: NDArray[np.bool_]
    """bool [num_new], True for a new review of a movie that the reviewer had not reviewed before."""
    replacing: NDArray[np.bool_]
    """bool [num_new], True for a new review that replaces the reviewer's earlier review of the same movie."""
    replaced_levels: NDArray[np.int8]
    """int8 [num_replacing], the rating level of each replaced old review, in the order of the new reviews
    that `replacing` marks."""


def merge_reviews(
    histories: Histories, times: NDArray[np.integer], old_rows: Rows, num_reviewers: int, new: AddedReviews
) -> Merged:
    """Merges new reviews into histories, and keeps the latest review of each pair of reviewer and movie.

    If an old and a new review have equal times and different ratings, the new review is kept. If an old and a
    new review have equal times and equal ratings, the old review is kept. A new review whose time is 0
    (unknown) replaces an old review with a different rating. A history without new reviews is copied
    unchanged.

    Args:
        histories: the histories, before the merge, of the old reviewers.
        times: the time of each review in `histories`, in unix seconds, int [num_reviews].
        old_rows: the rows of the old reviewers among all reviewers after the merge; ascending, int64
            [num_old_reviewers].
        num_reviewers: the number of reviewers after the merge, old and new.
        new: the new reviews, by old and by new reviewers.
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
    # A new review that has the rating of the reviewer's earlier review, and no later time, is dropped.
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
    """Finds the latest review of each pair of reviewer and movie; a pair has one or two reviews.

    The arguments are the reviewer, the movie and the time of each review. The first returned array, bool
    [num_reviews], marks the latest review of each pair of reviewer and movie. The second returned array,
    int64 [num_reviews], holds for each review the position of the other review by the same reviewer of the
    same movie, or -1 if there is no other review.
    """
    count = len(owners)
    order = np.lexsort((np.arange(count), ages, movies, owners))
    same = (owners[order][1:] == owners[order][:-1]) & (movies[order][1:] == movies[order][:-1])
    kept, partners = np.ones(count, dtype=bool), np.full(count, -1, dtype=np.int64)
    first, second = order[:-1][same], order[1:][same]
    kept[first] = False
    partners[first], partners[second] = second, first
    return kept, partners
