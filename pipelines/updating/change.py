"""Computes which reviewers and histories an index has after an update with new reviews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Rows
from engine.artifact.layout import ARRAY_ENDING, HISTORY_TIMES
from engine.opened import OpenedIndex
from pipelines.export.rows import ranks_of_new, rows_beside
from pipelines.updating.incoming import Incoming
from pipelines.updating.merging import AddedReviews, Merged, merge_reviews


@dataclass(frozen=True, kw_only=True)
class Change:
    """Holds an index before an update, the new reviews, and the rows and histories after the update."""

    before: OpenedIndex
    incoming: Incoming
    reviewer_rows: Rows
    """int64 [num_reviews], for each new review, the row that the review's reviewer has after the update."""
    new_ids: Sequence[str]
    """The ids of the reviewers that the update adds to the index, sorted by UTF-8 bytes."""
    new_rows: Rows
    """int64 [num_new_reviewers], for each reviewer in `new_ids`, the row that the reviewer has after the
    update."""
    old_rows: Rows
    """int64 [num_old_reviewers], for each reviewer that the index had before the update, the row that the
    reviewer has after the update."""
    merged: Merged


def work_out_change(before: OpenedIndex, incoming: Incoming) -> Change:
    """Computes the rows of all reviewers and the merged histories of an index after an update."""
    rows = before.reviewers.rows(incoming.reviewer_ids)
    is_new = rows < 0
    new_ids = [incoming.reviewer_ids[place] for place in np.flatnonzero(is_new).tolist()]
    new_rows = ranks_of_new(before.reviewers, new_ids)
    old_rows = rows_beside(new_rows, len(before.reviewers))
    final = np.empty(len(rows), dtype=np.int64)
    final[is_new] = new_rows
    final[~is_new] = old_rows[rows[~is_new]]
    reviewer_rows = final[incoming.places]
    histories = before.model.histories
    times = np.zeros(len(histories.movie_rows), dtype=np.int64)
    if before.artifact.has(HISTORY_TIMES + ARRAY_ENDING):
        times = before.artifact.array(HISTORY_TIMES)
    new = AddedReviews(reviewer_rows, incoming.movie_rows, incoming.level_rows, incoming.times)
    return Change(
        before=before,
        incoming=incoming,
        reviewer_rows=reviewer_rows,
        new_ids=new_ids,
        new_rows=new_rows,
        old_rows=old_rows,
        merged=merge_reviews(histories, times, old_rows, len(old_rows) + len(new_rows), new),
    )
