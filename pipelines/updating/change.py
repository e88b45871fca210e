"""Change: an index before and after an update, worked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Rows
from engine.artifact.layout import HISTORY_TIMES
from engine.artifact.reader import Artifact
from engine.model.scorer import Model
from engine.opened import id_table
from pipelines.export.rows import ranks_of_new, rows_beside
from pipelines.updating.incoming import Incoming
from pipelines.updating.merging import Merged, Reviews, merge_reviews


@dataclass(frozen=True, kw_only=True)
class Change:
    """An index before and after an update.

    Attributes:
        model: as it was.
        merged: the histories as they will be.
        new_ids: the reviewers who join, in the order of their ids' bytes.
        new_rows: int64 [num_new_reviewers], their rows.
        old_rows: int64 [num_old_reviewers], the rows that the others will have.
        incoming: the reviews.
        reviewer_rows: int64 [num_reviews], of the reviews, as they will be.
    """

    model: Model
    merged: Merged
    new_ids: Sequence[str]
    new_rows: Rows
    old_rows: Rows
    incoming: Incoming
    reviewer_rows: Rows


def _work_out(artifact: Artifact, model: Model, incoming: Incoming) -> Change:
    reviewers = id_table(artifact, "reviewer")
    rows = reviewers.rows(incoming.reviewer_ids)
    new_ids = [incoming.reviewer_ids[place] for place in np.flatnonzero(rows < 0).tolist()]
    new_rows = ranks_of_new(reviewers, new_ids)
    old_rows = rows_beside(new_rows, len(reviewers))
    final = np.empty(len(rows), dtype=np.int64)
    final[rows < 0] = new_rows
    final[rows >= 0] = old_rows[rows[rows >= 0]]
    reviewer_rows = final[incoming.places]
    histories = model.histories
    times = np.zeros(len(histories.movie_rows), dtype=np.int64)
    if artifact.has(f"{HISTORY_TIMES}.npy"):
        times = artifact.array(HISTORY_TIMES)
    new = Reviews(reviewer_rows, incoming.movie_rows, incoming.level_rows, incoming.times)
    return Change(
        model=model,
        merged=merge_reviews(histories, times, old_rows, len(old_rows) + len(new_rows), new),
        new_ids=new_ids,
        new_rows=new_rows,
        old_rows=old_rows,
        incoming=incoming,
        reviewer_rows=reviewer_rows,
    )
