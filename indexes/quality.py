"""How much an approximate index finds of what an exact one finds, and what it takes to find enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import VectorIndex, VectorIndexError, checked_vectors
from indexes.faiss_index import InvertedFileIndex

_ROUNDING = 1e-5


def recall(index: VectorIndex, exact: VectorIndex, queries: ArrayLike, k: int) -> float:
    """Measures the part of the true `k` nearest that an index finds, averaged over queries.

    A result counts when its score reaches the score of the exact k-th, so that of vectors with equal scores
    any may be found: recall = |{results with score >= exact k-th score}| / min(k, num_vectors).

    Args:
        index: the index to be measured.
        exact: an exact index over the same vectors.
        queries: float32 [num_queries, dim], at least one.
        k: how many nearest.

    Returns:
        0 to 1, up to rounding of the scores.
    """
    return _recall_of(index.search(queries, k).scores, exact.search(queries, k).scores)


def tune_num_probes(
    index: InvertedFileIndex, exact: VectorIndex, queries: ArrayLike, k: int, recall_target: float
) -> float:
    """Doubles the number of probes until a recall is reached, then halves the last step as long as it holds.

    Returns:
        The recall reached; the index is left with the number of probes that reached it.
    """
    checked = checked_vectors(queries, "queries")
    truth = exact.search(checked, k).scores

    def measure(num_probes: int) -> float:
        index.set_num_probes(num_probes)
        # Not `search`, which makes up for short lists by looking into all: right, but slow.
        return _recall_of(index.probe(checked, truth.shape[1]).scores, truth)

    failed, probes = 0, 1
    while measure(probes) < recall_target and probes < index.num_lists:
        failed, probes = probes, min(2 * probes, index.num_lists)
    while probes - failed > max(1, probes // 8):
        middle = (failed + probes) // 2
        if measure(middle) >= recall_target:
            probes = middle
        else:
            failed = middle
    return measure(probes)


def _recall_of(found: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    if not truth.size:
        raise VectorIndexError("Recall needs at least one query")
    border = truth[:, -1:]
    return float((found >= border - _ROUNDING * np.maximum(1, np.abs(border))).mean())
