"""Measures the recall of an index against exact search, and tunes the index until a recall is reached."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import Floats, VectorIndex, VectorIndexError, checked_vectors
from indexes.faiss_index import InvertedFileIndex

_ROUNDING = 1e-5
"""How far, as a share of a score above 1, equal scores of two indexes may lie apart."""
_MOST_SHORT = 0.01
"""The share of the queries whose lists may hold fewer vectors than are wanted."""


def recall(index: VectorIndex, exact: VectorIndex, queries: ArrayLike, k: int) -> float:
    """Measures the share of the true `k` nearest that an index finds, 0 to 1, averaged over queries.

    A result counts when its score reaches the score of the exact k-th, up to rounding, so that of vectors
    with equal scores any may be found: recall = |{results with score >= exact k-th score}| / min(k,
    num_vectors). The exact index holds the same vectors.
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
    """Tunes the number of probes until a recall is reached.

    The number is doubled until the recall is reached, and then reduced while the recall holds.

    Rounded vectors may not reach the recall in all lists. The target is then `recall_target` times the recall
    of all lists. Returns the recall reached; the index is left with the number of probes that reached it.

    Args:
        index: the index that is tuned.
        exact: an exact index over the same vectors.
        queries: float32 [num_queries, dim]; a sample of the queries that will be asked.
        k: how many results are wanted; lists that hold fewer for some of the queries are too few.
        recall_target: 0 to 1.
        measure: gives the recall of what the index is used for; by default that of the true `k` nearest.
        least_compared: vectors that queries are compared with at least, on average, whatever the recall.
    """
    checked = checked_vectors(queries, "queries")
    truth = exact.search(checked, k).scores

    def reached(num_probes: int) -> float:
        index.set_num_probes(num_probes)
        # `search` would make up for short lists by looking into all lists: right, but slow.
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
