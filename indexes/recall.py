"""Measures the recall of an index against exact search, and tunes an index to reach a wanted recall."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import Floats, VectorIndex, VectorIndexError, checked_vectors
from indexes.faiss_index import InvertedFileIndex

_ROUNDING = 1e-5
"""The largest difference between two scores that counts as a rounding error; relative to the score, or to 1
if the score is smaller than 1."""
_MOST_SHORT = 0.01
"""The largest share of queries for which a search may find fewer than k vectors, where k is the number of
vectors wanted for each query. The function `tune_num_probes` applies this limit if the caller gives the
argument `measure`."""


def recall(index: VectorIndex, exact: VectorIndex, queries: ArrayLike, k: int) -> float:
    """Measures the share of the true k nearest vectors that an index finds: the mean over queries, 0 to 1.

    The recall of a query is the number of results that score at least as high as the k-th highest exact
    score, divided by `min(k, num_vectors)`. Two scores count as equal if they differ by less than
    `_ROUNDING`. A vector whose score equals the k-th highest exact score counts as found, so that the recall
    does not depend on the choice among vectors of equal score. The index `exact` holds the vectors of
    `index`, and searches exactly.
    """
    return _recall_of(index.search(queries, k).scores, exact.search(queries, k).scores)


def tune_num_probes(
    index: InvertedFileIndex,
    exact: VectorIndex,
    queries: ArrayLike,
    k: int,
    recall_target: float,
    measure: Callable[[VectorIndex], float] | None = None,
    least_compared: float = 1,
) -> float:
    """Finds how many lists (probes) a search must look into to reach `recall_target`, and sets the number.

    The number of probes is doubled until the recall reaches `recall_target`, and lowered afterwards as long
    as the recall still reaches `recall_target`.

    If the index holds rounded vectors, even a search of all lists may find too few of the vectors that
    `exact` finds. If a search of all lists of the index misses `recall_target`, the function lowers the
    target to `recall_target` times the recall of this search.

    Args:
        index: the index that is tuned.
        exact: an exact index of the vectors of `index`.
        queries: float32 [num_queries, dim], typical queries.
        k: the number of vectors wanted for each query; the searched lists must hold k vectors for nearly all
            queries.
        recall_target: the wanted recall, from 0 to 1.
        measure: a function that measures the recall of an index, from 0 to 1, in place of the function
            `recall`.
        least_compared: the least mean number of vectors that a search compares with a query, even if fewer
            vectors reach the wanted recall.

    Returns:
        The recall, from 0 to 1, that the index reaches with the number of probes that the function has set.
    """
    checked = checked_vectors(queries, "queries")
    truth = exact.search(checked, k).scores

    def reached(num_probes: int) -> float:
        index.set_num_probes(num_probes)
        # The method `probe` searches only the given number of lists; `search` would search all lists if the
        # given lists hold too few vectors, which is slow.
        found = index.probe(checked, truth.shape[1])
        if measure is None:
            return _recall_of(found.scores, truth)
        is_short = (found.rows < 0).any(axis=1).mean() > _MOST_SHORT
        return 0.0 if is_short and num_probes < index.num_lists else measure(index)

    highest = reached(index.num_lists)
    if highest < recall_target:
        recall_target *= highest
    probes = 1
    while index.num_compared(checked, probes) < least_compared and probes < index.num_lists:
        probes = min(2 * probes, index.num_lists)
    failed = probes - 1
    while reached(probes) < recall_target and probes < index.num_lists:
        failed, probes = probes, min(2 * probes, index.num_lists)
    while probes - failed > max(1, probes // 8):
        middle = (failed + probes) // 2
        if reached(middle) >= recall_target:
            probes = middle
        else:
            failed = middle
    return reached(probes)


def _recall_of(found: Floats, truth: Floats) -> float:
    if not truth.size:
        raise VectorIndexError("Recall needs at least one query")
    border = truth[:, -1:]
    return float((found >= border - _ROUNDING * np.maximum(1, np.abs(border))).mean())
