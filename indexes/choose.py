"""Chooses the kind of index that suits given vectors: by their number, their memory, and the recall wanted.

Comparing all vectors is exact, and fast while they are few. With more, lists of near vectors are searched, as
few lists as reach the recall on queries that will be asked. The lists are short where the nearest vectors of
such queries lie. They hold the vectors rounded to two bytes a number, since half as much is read and as much
is found; to one byte where the vectors would take too much memory; and unrounded where rounding costs recall.
What is found is scored by unrounded vectors.

Graphs (HNSW) are not offered. Of 60,000 vectors with planted clusters they found less than 0.97 of the
nearest 200 under the inner product, where lists found 0.99 in half the time or less. A graph's file is twice
as large as the vectors, and it cannot be rounded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import VectorIndex, VectorIndexError, checked_vectors
from indexes.faiss_index import BLOCK, VECTORS_PER_LIST, FlatIndex, InvertedFileIndex
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
"""Vectors that a query is compared with even where fewer reach the recall; it takes some 20 microseconds."""
_LEAST_SHARE = 0.02
"""Share of the vectors that a query is compared with at least, where that is less than `_LEAST_COMPARED`."""
_LARGEST_SHARE = 0.25
"""Share of the vectors in the lists searched above which comparing all vectors is the better way."""


class _Tuned(NamedTuple):
    """Holds an inverted-file index whose number of probes has been tuned, with the recall reached."""

    kind: str
    lists: InvertedFileIndex
    recall: float
    num_bytes: int

    share: float
    """The share of the vectors that a query is compared with."""


def build_vector_index(
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
        queries: float32 [num_queries, dim]; a sample of the queries that will be asked, to tune the search.
        recall_target: the recall that must be reached, 0 to 1.
        kind: "flat"; "ivf", inverted lists; "ivf-fp16", rounded to two bytes a number; "ivf-sq8", rounded to
            one; or "auto". "auto" takes "flat" up to `exact_up_to` vectors, and wherever lists would have to
            compare more than a quarter of the vectors; else "ivf-fp16", unless another rounding is needed
            for memory or recall.
        k: how many results the recall is measured on.
        seed: decides where the k-means begins.
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
    """Returns the lists that suit, and why, as the end of a sentence."""
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
    """Returns the bytes that the vectors of an index take on disk.

    The vectors take the same bytes in memory once a search has read the vectors.
    """
    if kind == "flat":
        return num_vectors * dim * _BYTES_OF_NUMBER["full"]
    if kind != "ivf":
        dim += -dim % BLOCK
    return num_vectors * (dim * _BYTES_OF_NUMBER[_CODES_OF[kind]] + _BYTES_OF_ROW)
