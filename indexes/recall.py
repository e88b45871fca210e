"""Measures the recall of an index against exact search, and tunes an index to reach a wanted recall."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import Floats, VectorIndex, VectorIndexError, checked_vectors
from indexes.faiss_index import InvertedFileIndex

_ROUNDING = 1e-5
"""The tolerance for rounding errors in a score, relative to the absolute score, or to 1 if the absolute score
is smaller."""
_MOST_SHORT = 0.01
"""The largest share of queries for which the lists searched may hold too few vectors."""


def recall(index: VectorIndex, exact: VectorIndex, queries: ArrayLike, k: int) -> float:
    """Measures the share of the true k nearest vectors that an index finds, averaged over queries, 0 to 1.

    The recall of a query is the number of results whose score is at least the k-th highest exact score,
    divided by `min(k, num_vectors)`. Two scores that differ by less than the tolerance `_ROUNDING` count as
    equal. A vector whose score equals the k-th highest exact score counts as found, so that any choice among
    vectors of equal score gives the same recall. The index `exact` holds the same vectors as `index`, and
    searches exactly.
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
    """Tunes the number of lists that an index searches (the probes) to reach `recall_target`.

    The number of probes is doubled until the wanted recall is reached, and then reduced while the wanted
    recall is still reached.

    An index of rounded vectors may miss the wanted recall even in a search of all lists. If a search of all
    lists misses the wanted recall, the wanted recall is lowered to `recall_target * (recall of a search of
    all lists)`.

    Args:
        index: the index that is tuned.
        exact: an exact index that holds the same vectors as `index`.
        queries: float32 [num_queries, dim], queries like the ones that will be asked.
        k: the number of vectors wanted for each query; for nearly all queries, the lists searched must hold
            at least k vectors.
        recall_target: the wanted recall, 0 to 1.
        measure: a function that returns a recall, 0 to 1, used in place of the share of the true `k` nearest
            vectors found.
        least_compared: the least number of vectors that a query is compared with on average, even if fewer
            vectors reach the wanted recall.

    Returns:
        The recall reached, 0 to 1; the index keeps the number of probes that reached the recall.
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
