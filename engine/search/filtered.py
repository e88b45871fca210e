"""Finds candidates among the movies that meet a `--where` condition, with a vector index that can filter.

A search of the vector index checks only the parts of a `--where` condition that the vector index understands.
After the search, DuckDB checks all parts of the `--where` condition for the movies that the search found. If
few movies meet the `--where` condition, the engine scores all of these movies, and does not search the vector
index. Scoring few movies is faster than a search, and misses no good movie, which a search can do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from engine.arrays import Rows, are_held, distinct, k_highest_of_rows
from engine.catalogue.variants import Variants
from engine.model.scorer import Model
from engine.model.values import Reviewer
from engine.search.candidates import index_errors
from indexes.base import VectorIndex
from indexes.conditions import Condition

LEAST_SHARE = 0.05
"""If less than this share of all movies meets a condition, every matching movie is scored."""
_MARGIN = 1.3
"""If the first search finds too few movies that meet the condition, a second search asks for this many times
the number of movies that is estimated to be enough."""


class Filter(Protocol):
    """Describes an object that checks SQL conditions on movies, such as a `Catalogue`."""

    def pushed(self, condition: str, columns: Mapping[str, str]) -> Condition | None:
        """Returns the part of an SQL condition that a vector index with the given columns can check."""

    def matching_among(self, condition: str, rows: Rows) -> Rows:
        """Returns those of the given rows whose movies meet an SQL condition, ascending."""


class FilteredSource:
    """Finds movies that meet a `--where` condition, in a vector index and among neighbours of a history.

    Args:
        model: the model that scores movies.
        index: a vector index over the model's movie vectors, with `columns` that conditions may name.
        num_candidates: the number of candidates from the vector index, and the largest number of candidates
            from the neighbours; for a list of k movies, both numbers are at least k.
        catalogue: checks SQL conditions on movies.
        variants: says which movies are variants of the same film.
    """

    def __init__(
        self, model: Model, index: VectorIndex, num_candidates: int, catalogue: Filter, variants: Variants
    ) -> None:
        self._model = model
        self._index = index
        self._num_candidates = num_candidates
        self._catalogue = catalogue
        self._variants = variants

    def find(
        self, reviewers: Sequence[Reviewer], k: int, condition: str, *, include_seen: bool = False
    ) -> list[Rows] | None:
        """Finds, for each reviewer, candidates for a top list of k movies that meet an SQL condition.

        Returns:
            For each reviewer, the rows of candidates and of variants of candidates, int64 [num], ascending;
            all of these movies meet `condition`. The method `find` returns None if the vector index can check
            no part of `condition`, if few movies meet `condition`, or if the search found too few candidates.
            If `find` returns None, the caller should score every movie that meets `condition`.

        Raises:
            FilterError: the condition is not an SQL condition on the columns of the catalogue.
            ArtifactError: the vector database cannot be reached.
        """
        pushed = self._catalogue.pushed(condition, self._index.columns)
        if pushed is None or not reviewers:
            return None
        num_movies = self._model.num_movies
        with index_errors():
            num_matching = self._index.count(pushed)
        wanted = max(self._num_candidates, k)
        share = num_matching / num_movies
        if share < LEAST_SHARE or num_matching <= wanted:
            return None
        longest = max(len(reviewer.history.movie_rows) for reviewer in reviewers)
        queries = np.stack([reviewer.query for reviewer in reviewers])
        asked = min(wanted + longest, num_matching)
        for _ in range(2):
            with index_errors():
                nearest = self._index.search_where(queries, asked, pushed).rows
            found, kept = self._merge(reviewers, nearest, wanted, condition, include_seen)
            if found is not None or asked == num_matching:
                return found
            if kept * share < LEAST_SHARE:
                return None
            asked = min(math.ceil(asked * _MARGIN / kept), num_matching)
        return None

    def _merge(
        self, reviewers: Sequence[Reviewer], nearest: Rows, wanted: int, condition: str, include_seen: bool
    ) -> tuple[list[Rows] | None, float]:
        """Merges movies from the vector index with each history's neighbours; keeps what meets `condition`.

        Returns:
            The candidates of each reviewer, and the share, from 0 to 1, of the movies from the vector index
            that meet `condition`. Instead of candidates, the method returns None if the vector index found
            fewer than `wanted` candidates for at least one reviewer.
        """
        neighbours = [self._neighbours(reviewer) for reviewer in reviewers]
        rows = distinct(np.concatenate([nearest[nearest >= 0], *(rows for rows, _ in neighbours)]))
        matching = self._catalogue.matching_among(condition, self._variants.complete(rows))
        is_kept = are_held(matching, nearest) & (nearest >= 0)
        kept = float(is_kept.sum() / max(1, (nearest >= 0).sum()))
        candidates = []
        for place, (reviewer, (rows, values)) in enumerate(zip(reviewers, neighbours, strict=True)):
            seen = np.sort(reviewer.history.movie_rows[: 0 if include_seen else None])
            own = nearest[place][is_kept[place]]
            own = own[~are_held(seen, own)]
            if len(own) < wanted:
                return None, kept
            is_open = are_held(matching, rows) & ~are_held(seen, rows)
            rows, values = rows[is_open], values[is_open]
            if len(rows) > wanted:
                rows = rows[k_highest_of_rows(values[None], wanted)[0]]
            both = self._variants.complete(distinct(np.concatenate([own[:wanted], rows])))
            candidates.append(both[are_held(matching, both)])
        return candidates, kept

    def _neighbours(self, reviewer: Reviewer) -> tuple[Rows, np.ndarray]:
        is_near = reviewer.near.values > 0
        return reviewer.near.rows[is_near], reviewer.near.values[is_near]
