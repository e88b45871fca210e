"""Which index suits given vectors: exact while that is fast, inverted lists above, tuned to a recall."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from indexes.base import VectorIndex, VectorIndexError, checked_vectors
from indexes.faiss_index import FaissIndex, FlatIndex, InvertedFileIndex
from indexes.quality import tune_num_probes

logger = logging.getLogger(__name__)

KINDS = ("auto", "flat", "ivf")
EXACT_UP_TO = 50_000
"""Vectors up to which comparing all of them is fast enough."""


def build_index(
    vectors: ArrayLike,
    queries: ArrayLike,
    *,
    recall_target: float = 0.99,
    kind: str = "auto",
    k: int = 200,
    seed: int = 42,
    exact_up_to: int = EXACT_UP_TO,
) -> tuple[VectorIndex, dict[str, Any]]:
    """Builds the index that suits the vectors.

    Args:
        vectors: float32 [num_vectors, dim], at least one.
        queries: float32 [num_queries, dim]; a sample of those that will be asked, to tune the search on.
        recall_target: the part of the true `k` nearest that must be found, 0 to 1.
        kind: "flat", "ivf", or "auto", which takes the flat one up to `exact_up_to` vectors, and wherever
            inverted lists would have to look into more than a quarter of themselves.
        k: how many results the recall is measured on.
        seed: of the k-means.
        exact_up_to: the largest number of vectors for which "auto" does not try inverted lists.

    Returns:
        The index, and a report of what was chosen, why, and what it reaches.

    Raises:
        VectorIndexError: the vectors or the kind are not usable.
    """
    if kind not in KINDS:
        raise VectorIndexError(f"The kind of index must be one of {', '.join(KINDS)} but is {kind!r}")
    checked = checked_vectors(vectors, "vectors")
    flat = FlatIndex.build(checked)
    facts = {"num_vectors": flat.num_vectors, "dim": flat.dim, "recall_target": recall_target, "k": k}
    if kind == "flat":
        return flat, {"kind": "flat", "why": "asked for", "recall": 1.0, **facts}
    if kind == "auto" and flat.num_vectors <= exact_up_to:
        why = f"{flat.num_vectors:,} vectors are few enough to compare them all"
        return flat, {"kind": "flat", "why": why, "recall": 1.0, **facts}
    inverted = InvertedFileIndex.build(checked, seed=seed)
    reached = tune_num_probes(inverted, flat, queries, k, recall_target)
    facts |= {"num_lists": inverted.num_lists, "num_probes": inverted.num_probes}
    logger.info("Looking into %s of %s lists finds %.4f", inverted.num_probes, inverted.num_lists, reached)
    if kind == "auto" and 4 * inverted.num_probes > inverted.num_lists:
        why = "inverted lists would have to look into more than a quarter of themselves to find enough"
        return flat, {"kind": "flat", "why": why, "recall": 1.0, **facts}
    why = "asked for" if kind == "ivf" else f"{flat.num_vectors:,} vectors are too many to compare them all"
    return inverted, {"kind": "ivf", "why": why, "recall": reached, **facts}


def load_index(path: Path) -> VectorIndex:
    """Opens an index that `build_index` made and `save` wrote, whichever kind it is.

    Raises:
        VectorIndexError: the file is missing, damaged, or holds something else.
    """
    return FaissIndex.load(path)
