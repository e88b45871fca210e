"""Finds candidates, the first stage of a search: the movies that are worth rescoring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import Doubles, Rows, are_held, distinct, k_highest_of_rows
from engine.model.scorer import Model
from engine.model.values import Reviewer, Reviewers
from indexes.base import VectorIndex

LENGTH_STEP = 32
"""Reviewers whose histories differ by less than this many reviews are searched for together."""


class CandidateSource:
    """Finds candidates in two places, `num_candidates` in each or as many as a list is long.

    The places are the vector index, which holds `model.relevance.movie_vectors`, and the neighbours of the
    history.
    """

    def __init__(self, model: Model, index: VectorIndex, num_candidates: int) -> None:
        self.model = model
        self.index = index
        self.num_candidates = num_candidates

    def find(self, reviewers: Sequence[Reviewer], k: int, *, include_seen: bool = False) -> list[Rows]:
        """Finds candidates for some reviewers' lists of k movies: at least k for each while there are movies.

        Returns:
            For each reviewer movie rows, int64 [num], ascending, without repeats.
        """
        if not reviewers:
            return []
        longest = max(len(reviewer.history.movie_rows) for reviewer in reviewers)
        wanted = max(self.num_candidates, k)
        queries = np.stack([reviewer.query for reviewer in reviewers])
        nearest = self.index.search(queries, min(wanted + longest, self.index.num_vectors)).rows
        return [
            self._merge(reviewer, rows, wanted, include_seen)
            for reviewer, rows in zip(reviewers, nearest, strict=True)
        ]

    def _merge(self, reviewer: Reviewer, nearest: Rows, wanted: int, include_seen: bool) -> Rows:
        seen = np.sort(reviewer.history.movie_rows[:0] if include_seen else reviewer.history.movie_rows)
        own = nearest[~are_held(seen, nearest)][:wanted]
        if self.model.blend.neighbour_weight == 0:
            return np.sort(own)
        near = reviewer.near
        is_open = near.values > 0
        if len(near.rows):
            # The history is short and the rows ascend, so looking the history up in the rows is faster.
            places = np.minimum(near.rows.searchsorted(seen), len(near.rows) - 1)
            is_open[places[near.rows[places] == seen]] = False
        found, values = near.rows[is_open], near.values[is_open]
        if len(found) > wanted:
            found = found[k_highest_of_rows(values[None], wanted)[0]]
        return distinct(np.concatenate([own, found]))

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        """Finds the unseen candidates for many reviewers' lists of k movies, in few large steps.

        Returns:
            Places in `reviewers` and movie rows, each int64 [num_pairs], ascending by both, without repeats.
        """
        wanted = max(self.num_candidates, k)
        num_movies = self.model.num_movies
        seen = self._seen_keys(reviewers)
        own = self._nearest_keys(reviewers, seen, wanted)
        near = reviewers.near
        open_places = np.flatnonzero((near.values > 0) & ~are_held(seen, near.rows))
        keys = near.rows[open_places]
        if self.model.blend.neighbour_weight == 0:
            keys = keys[:0]
        elif len(keys):
            keys = _best_of_each(keys // num_movies, keys, near.values[open_places], wanted)
        found = distinct(np.concatenate([own, keys]))
        return found // num_movies, found % num_movies

    def _seen_keys(self, reviewers: Reviewers) -> Rows:
        histories = reviewers.histories
        return np.sort(self.model.keys(histories.places, histories.movie_rows))

    def _nearest_keys(self, reviewers: Reviewers, seen: Rows, wanted: int) -> Rows:
        """Searches the vector index for unseen movies.

        For reviewers with long histories the search asks for more movies, since more of the found movies are
        seen.
        """
        parts = [np.zeros(0, dtype=np.int64)]
        for length, places in reviewers.histories.by_length(LENGTH_STEP):
            rows = self.index.search(reviewers.queries[places], wanted + length).rows
            keys = self.model.keys(places[:, None], rows)
            is_open = (rows >= 0) & ~are_held(seen, keys)
            parts.append(keys[is_open & (np.cumsum(is_open, axis=1) <= wanted)])
        return np.concatenate(parts)


def _best_of_each(groups: Rows, keys: Rows, values: Doubles, most: int) -> Rows:
    """Returns the pairs with the highest values in each group, at most `most` pairs a group.

    The groups of the keys, int64 [num], ascend; the values, float64 [num], are above 0.
    """
    counts = np.bincount(groups)
    crowded = counts[groups] > most
    if not crowded.any():
        return keys
    groups, rest, values = groups[crowded], keys[~crowded], values[crowded]
    # One number orders by group and then by value: values are squeezed between 0 and 1.
    order = np.argsort(groups + 1.0 / (1.0 + values), kind="stable")
    counts = np.bincount(groups)
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.concatenate([rest, keys[crowded][order[ranks < most]]])
