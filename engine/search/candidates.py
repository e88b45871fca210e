"""Finds candidates, the movies worth scoring in full, in the first stage of a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows, are_held, distinct, k_highest_of_rows
from engine.artifact.arrays import damage_of
from engine.errors import ArtifactError
from engine.model.scorer import Model
from engine.model.values import Reviewer, Reviewers
from indexes.base import SearchResult, VectorDatabaseError, VectorIndex, VectorIndexError

LENGTH_STEP = 32
"""Reviewers whose numbers of reviews differ by less than `LENGTH_STEP` may share one search of the vector
index."""


def nearest_movies(index: VectorIndex, queries: NDArray[np.floating], k: int) -> SearchResult:
    """Finds the k movies nearest to each query in a vector index, as `VectorIndex.search` does.

    Raises:
        ArtifactCorruptError: the index is damaged: a query holds NaN or infinity, or the vector index returns
            the row of a movie that does not exist.
        ArtifactError: the vector index is kept in a database that cannot be reached.
    """
    with index_errors():
        return index.search(queries, k)


@contextmanager
def index_errors() -> Iterator[None]:
    """Converts errors that a vector index raises in a `with` statement to an ArtifactError."""
    try:
        yield
    except VectorDatabaseError as error:
        raise ArtifactError(str(error)) from error
    except VectorIndexError as error:
        raise damage_of(f"vectors ({error})") from error


class CandidateSource:
    """Finds candidates in the vector index and among the neighbours of the movies in a reviewer's history.

    The vector index holds `model.relevance.movie_vectors`. For a list of k movies, the vector index gives at
    most `max(num_candidates, k)` candidates. The neighbours of the movies in the reviewer's history give at
    most as many again.
    """

    def __init__(self, model: Model, index: VectorIndex, num_candidates: int) -> None:
        self.model = model
        self.index = index
        self.num_candidates = num_candidates

    def find(self, reviewers: Sequence[Reviewer], k: int, *, include_seen: bool = False) -> list[Rows]:
        """Finds at least k candidates for each reviewer, or all unseen movies if fewer than k are unseen.

        Returns:
            For each reviewer, the rows of the candidate movies, int64 [num], ascending, without repeats.
        """
        if not reviewers:
            return []
        longest = max(len(reviewer.history.movie_rows) for reviewer in reviewers)
        wanted = max(self.num_candidates, k)
        queries = np.stack([reviewer.query for reviewer in reviewers])
        nearest = nearest_movies(self.index, queries, min(wanted + longest, self.index.num_vectors)).rows
        return [
            self._merge(reviewer, rows, wanted, include_seen)
            for reviewer, rows in zip(reviewers, nearest, strict=True)
        ]

    def _merge(self, reviewer: Reviewer, nearest: Rows, wanted: int, include_seen: bool) -> Rows:
        seen = np.sort(reviewer.history.movie_rows[:0] if include_seen else reviewer.history.movie_rows)
        own = nearest[~are_held(seen, nearest)][:wanted]
        near = reviewer.near
        if not len(near.rows):
            return np.sort(own)
        is_open = near.values > 0
        # The history is short, so searching the sorted neighbours for each movie of the history is fast.
        places = np.minimum(near.rows.searchsorted(seen), len(near.rows) - 1)
        is_open[places[near.rows[places] == seen]] = False
        found, values = near.rows[is_open], near.values[is_open]
        if len(found) > wanted:
            found = found[k_highest_of_rows(values[None], wanted)[0]]
        return distinct(np.concatenate([own, found]))

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        """Finds unseen movies as candidates for many reviewers' lists, with a few large array operations.

        Returns:
            Two arrays, int64 [num_pairs] each: for each candidate, the position of the reviewer in
            `reviewers` and the row of the movie. The candidates are sorted by the reviewer's position, then
            by the movie's row; no reviewer has a candidate twice.
        """
        wanted = max(self.num_candidates, k)
        num_movies = self.model.num_movies
        seen = self._seen_keys(reviewers)
        own = self._nearest_keys(reviewers, seen, wanted)
        near = reviewers.near
        open_places = np.flatnonzero((near.values > 0) & ~are_held(seen, near.rows))
        keys = near.rows[open_places]
        if len(keys):
            keys = _best_of_each(keys // num_movies, keys, near.values[open_places], wanted)
        found = distinct(np.concatenate([own, keys]))
        return found // num_movies, found % num_movies

    def _seen_keys(self, reviewers: Reviewers) -> Rows:
        histories = reviewers.histories
        return np.sort(self.model.keys(histories.places, histories.movie_rows))

    def _nearest_keys(self, reviewers: Reviewers, seen: Rows, wanted: int) -> Rows:
        """Finds the unseen movies whose vectors are nearest to each reviewer's vector.

        The vector index is asked for more movies if a reviewer's history is longer, because the reviewer has
        seen some of the movies that are found.

        Returns:
            Pairs of reviewer and movie, each as the number `place * num_movies + movie_row`, where `place` is
            the position of the reviewer in `reviewers`.
        """
        parts = [np.zeros(0, dtype=np.int64)]
        for length, places in reviewers.histories.by_length(LENGTH_STEP):
            rows = nearest_movies(self.index, reviewers.queries[places], wanted + length).rows
            keys = self.model.keys(places[:, None], rows)
            is_open = (rows >= 0) & ~are_held(seen, keys)
            parts.append(keys[is_open & (np.cumsum(is_open, axis=1) <= wanted)])
        return np.concatenate(parts)


def _best_of_each(groups: Rows, keys: Rows, values: Doubles, most: int) -> Rows:
    """Keeps at most `most` pairs of reviewer and movie for each reviewer: the pairs of highest `values`.

    Args:
        groups: for each pair, `place`, the position of the reviewer in the list of reviewers, int64 [num],
            ascending.
        keys: pairs of reviewer and movie, each as the number `place * num_movies + movie_row`, int64 [num].
        values: the number by which each pair is ranked, float64 [num]; every number is above 0.
        most: the largest number of pairs to keep for each reviewer.
    """
    counts = np.bincount(groups)
    crowded = counts[groups] > most
    if not crowded.any():
        return keys
    groups, rest, values = groups[crowded], keys[~crowded], values[crowded]
    # The number `1 / (1 + value)` is between 0 and 1, so one sort orders by group, and within a group by
    # falling value.
    order = np.argsort(groups + 1.0 / (1.0 + values), kind="stable")
    counts = np.bincount(groups)
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.concatenate([rest, keys[crowded][order[ranks < most]]])
