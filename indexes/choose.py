"""Which index suits given vectors: by their number, the memory they may take, and the recall that is wanted.

Comparing all vectors is exact, and fast while they are few. Above that, lists of near vectors are searched,
as few of them as reach the recall on queries that will be asked; they are made short where the nearest of
such queries lie. They hold the vectors rounded to two bytes a number, since half as much is read and as much
is found; to one byte where more memory would be taken than may be; and as they are where rounding costs
recall. What is found is scored by vectors as they are.

Graphs (HNSW) are not offered: of 60,000 vectors with planted clusters they found less than 0.97 of the
nearest 200 under the inner product, where lists found 0.99 in half the time or less; their file is twice as
large as the vectors, and it cannot be rounded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import VectorIndex, VectorIndexError, checked_vectors
from indexes.faiss_index import BLOCK, VECTORS_PER_LIST, FaissIndex, FlatIndex, InvertedFileIndex
from indexes.recall import tune_num_probes

logger = logging.getLogger(__name__)

_CODES_OF = {"ivf": "full", "ivf-fp16": "fp16", "ivf-sq8": "sq8"}
_BYTES_OF_NUMBER = {"full": 4, "fp16": 2, "sq8": 1}
_BYTES_OF_ROW = 8
KINDS = ("auto", "flat", *_CODES_OF)
EXACT_UP_TO = 50_000
"""Vectors up to which comparing all of them is fast enough."""
MEMORY_LIMIT = 1_000_000_000
"""Bytes that the vectors of an index take at most, where the recall can be reached with so few."""
_LEAST_COMPARED = 2000
"""Vectors that a query is compared with even where fewer reach the recall: it takes some 20 microseconds."""
_LEAST_SHARE = 0.02
"""The part of the vectors for which the same holds, where that is less."""
_LARGEST_SHARE = 0.25
"""The part of the vectors in the lists looked into, above which comparing all is the better way."""


class _Tuned(NamedTuple):
    """Inverted lists that have been tuned."""

    kind: str
    lists: InvertedFileIndex
    recall: float
    num_bytes: int

    share: float
    """The part of the vectors that a query is compared with."""


def build_index(
    vectors: ArrayLike,
    queries: ArrayLike,
    *,
    recall_target: float = 0.99,
    kind: str = "auto",
    k: int = 200,
    seed: int = 42,
    exact_up_to: int = EXACT_UP_TO,
    memory_limit: int = MEMORY_LIMIT,
    measure: Callable[[VectorIndex], float] | None = None,
) -> tuple[VectorIndex, dict[str, Any]]:
    """Builds the index that suits the vectors; the same arguments give the same index.

    Args:
        vectors: float32 [num_vectors, dim], at least one.
        queries: float32 [num_queries, dim]; a sample of those that will be asked, to tune the search on.
        recall_target: the recall that must be reached, 0 to 1.
        kind: "flat", "ivf", "ivf-fp16" (rounded to two bytes a number), "ivf-sq8" (to one), or "auto", which
            takes the flat one up to `exact_up_to` vectors, and wherever inverted lists would have to compare
            more than a quarter of the vectors; and of the lists those rounded to two bytes, unless another
            rounding is needed for memory or recall.
        k: how many results the recall is measured on.
        seed: of the k-means.
        exact_up_to: the largest number of vectors for which "auto" does not try inverted lists.
        memory_limit: bytes that "auto" lets the vectors take, unless only larger ones reach the recall.
        measure: gives the recall of what the index is used for, 0 to 1, in place of the recall of the true
            `k` nearest.

    Returns:
        The index, and a report of what was chosen, why, and what it reaches.

    Raises:
        VectorIndexError: the vectors or the kind are not usable.
    """
    if kind not in KINDS:
        raise VectorIndexError(f"The kind of index must be one of {', '.join(KINDS)} but is {kind!r}")
    checked, asked = checked_vectors(vectors, "vectors"), checked_vectors(queries, "queries")
    flat = FlatIndex.build(checked)
    facts = {"num_vectors": flat.num_vectors, "dim": flat.dim, "recall_target": recall_target, "k": k}
    flat_bytes = num_bytes(flat.num_vectors, flat.dim, "flat")
    flat_facts = {"kind": "flat", "recall": 1.0, "num_bytes": flat_bytes, **facts}
    fits = flat_bytes <= memory_limit
    if kind == "flat":
        return flat, {"why": "asked for", **flat_facts}
    few = flat.num_vectors < VECTORS_PER_LIST or (fits and flat.num_vectors <= exact_up_to)
    if kind == "auto" and few:
        return flat, {"why": f"{flat.num_vectors:,} vectors are few enough to compare them all", **flat_facts}
    weights = 1 + np.bincount(flat.search(asked, k).rows.ravel(), minlength=flat.num_vectors)

    def tuned(name: str) -> _Tuned:
        index = InvertedFileIndex.build(checked, codes=_CODES_OF[name], weights=weights, seed=seed)
        least = min(_LEAST_COMPARED, _LEAST_SHARE * index.num_vectors)
        reached = tune_num_probes(index, flat, asked, k, recall_target, measure, least)
        logger.info(
            "%s: looking into %s of %s lists finds %.4f", name, index.num_probes, index.num_lists, reached
        )
        size = num_bytes(index.num_vectors, index.dim, name)
        return _Tuned(name, index, reached, size, index.share_compared(asked))

    if kind == "auto":
        chosen, why = _choose(tuned, recall_target, memory_limit)
        if fits and chosen.share > _LARGEST_SHARE:
            why = "inverted lists would have to compare more than a quarter of the vectors to find enough"
            return flat, {"why": why, **flat_facts}
        why = f"{flat.num_vectors:,} vectors are too many to compare them all{why}"
    else:
        chosen, why = tuned(kind), "asked for"
    found = {"kind": chosen.kind, "recall": chosen.recall, "num_bytes": chosen.num_bytes}
    more = {"share_compared": chosen.share, **chosen.lists.settings()}
    return chosen.lists, {"why": why, **found, **facts, **more}


def _choose(tuned: Callable[[str], _Tuned], recall_target: float, memory_limit: int) -> tuple[_Tuned, str]:
    """The lists that suit, and why, as the end of a sentence."""
    halved = tuned("ivf-fp16")
    if halved.recall < recall_target:
        whole = tuned("ivf")
        if whole.recall > halved.recall:
            return whole, ", and rounded they would be found too rarely"
    if halved.num_bytes <= memory_limit:
        return halved, ""
    rounded = tuned("ivf-sq8")
    if rounded.recall < recall_target:
        return halved, ", and rounded further than ivf-fp16 they would be found too rarely"
    return rounded, f", and would take more than {memory_limit / 1e6:,.0f} MB if they were rounded less"


def num_bytes(num_vectors: int, dim: int, kind: str) -> int:
    """The bytes that the vectors of an index take, in memory once they are used, and on disk."""
    if kind == "flat":
        return num_vectors * dim * _BYTES_OF_NUMBER["full"]
    if kind != "ivf":
        dim += -dim % BLOCK
    return num_vectors * (dim * _BYTES_OF_NUMBER[_CODES_OF[kind]] + _BYTES_OF_ROW)


def load_index(path: Path) -> VectorIndex:
    """Opens an index that `build_index` made and `save` wrote, whichever kind it is.

    Raises:
        VectorIndexError: the file is missing, damaged, or holds something else.
    """
    return FaissIndex.load(path)
