"""The first stage of a search: which movies are worth rescoring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.scorer import Model, Reviewer
from indexes.base import VectorIndex

Rows = NDArray[np.int64]


class CandidateSource:
    """Finds candidates in two places: the index over the movie vectors, and the neighbours of the history.

    Args:
        model: what they are scored with later.
        index: holds `model.relevance.movie_vectors`.
        num_candidates: how many are taken from each place.
    """

    def __init__(self, model: Model, index: VectorIndex, num_candidates: int) -> None:
        self._model = model
        self._index = index
        self.num_candidates = num_candidates

    def find(self, reviewers: Sequence[Reviewer], k: int, *, include_seen: bool = False) -> list[Rows]:
        """Finds candidates for some reviewers.

        Args:
            reviewers: who they are for.
            k: how long the lists will be; at least so many candidates are found while there are movies.
            include_seen: keep movies of the history.

        Returns:
            For each reviewer movie rows, int64 [num], ascending, without repeats.
        """
        if not reviewers:
            return []
        longest = max(len(reviewer.history.movie_rows) for reviewer in reviewers)
        wanted = max(self.num_candidates, k)
        queries = np.stack([reviewer.query for reviewer in reviewers])
        nearest = self._index.search(queries, min(wanted + longest, self._index.num_vectors)).rows
        return [
            self._merge(reviewer, rows, wanted, include_seen)
            for reviewer, rows in zip(reviewers, nearest, strict=True)
        ]

    def _merge(self, reviewer: Reviewer, nearest: Rows, wanted: int, include_seen: bool) -> Rows:
        seen = np.zeros(0, dtype=np.int64) if include_seen else reviewer.history.movie_rows
        own = nearest[~np.isin(nearest, seen)][:wanted]
        if self._model.blend.neighbour_weight == 0:
            return np.sort(own)
        near = reviewer.near
        open_places = np.flatnonzero((near.values > 0) & ~np.isin(near.rows, seen))
        found = near.rows[open_places]
        if len(found) > wanted:
            found = np.sort(found[np.argpartition(-near.values[open_places], wanted - 1)[:wanted]])
        return np.union1d(own, found)
