"""Chooses the kind of vector index by the number of vectors, the memory limit and the wanted recall.

Comparing a query with all vectors is exact, and is fast enough for an index of few vectors. For many vectors,
an inverted-file index groups the vectors into lists, and compares a query only with the vectors in the lists
nearest to the query. A search looks into the smallest number of lists that reaches the wanted recall on a
sample of queries. The vectors near to the sampled queries are grouped into short lists, so that a search
compares fewer vectors. By default, lists hold vectors rounded to two bytes per number, because a search of
rounded vectors reads half as many bytes and hardly ever misses more of the nearest vectors. Vectors are
rounded to one byte per number only if two bytes per number would exceed the memory limit. Vectors stay
unrounded only if rounding to two bytes per number would miss the wanted recall. Rounding does not change the
scores in answers, because the engine scores each movie found with the movie's unrounded vector.

Graph indexes such as HNSW are not offered, because graph indexes were slower and found fewer of the nearest
vectors. In a test with 60,000 clustered vectors, a graph index found less than 97% of the 200 nearest vectors
of a query. Inverted lists found 99% of the 200 nearest vectors in at most half the time of the graph index.
The file of a graph index is twice as large as the vectors, and a graph index cannot round the vectors.
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
"""The largest number of vectors for which comparing a query with all vectors is fast enough."""
MEMORY_LIMIT = 1_000_000_000
"""The most bytes that the vectors of an index may take, unless rounding the vectors to fewer bytes would miss
the wanted recall."""
_LEAST_COMPARED = 2000
"""The least number of vectors that a query is compared with, even if comparing fewer vectors would reach the
wanted recall. Comparing a query with 2,000 vectors takes some 20 microseconds."""
_LEAST_SHARE = 0.02
"""The least share of all vectors that a query is compared with, in an index so small that the share is less
than `_LEAST_COMPARED` vectors."""
_LARGEST_SHARE = 0.25
"""The largest share of all vectors that a query may be compared with in inverted lists. If the wanted recall
needs a larger share, a flat index is built, which compares all vectors."""


class _Tuned(NamedTuple):
    """Holds an inverted-file index after tuning, and the recall that the index reaches."""

    kind: str
    lists: InvertedFileIndex
    recall: float
    num_bytes: int

    share: float
    """The share of the vectors that a query is compared with, averaged over queries."""


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
    """Builds the kind of index that suits the vectors; equal arguments give equal indexes.

    Args:
        vectors: float32 [num_vectors, dim], the vectors of the index, at least one.
        queries: float32 [num_queries, dim], queries like the ones that will be asked, to tune the search.
        recall_target: the recall that the index must reach, 0 to 1.
        kind: "flat" compares a query with all vectors. "ivf" looks into inverted lists of unrounded vectors,
            "ivf-fp16" into inverted lists of vectors rounded to two bytes per number, and "ivf-sq8" into
            inverted lists of vectors rounded to one byte per number. "auto" chooses "flat" for at most
            `exact_up_to` vectors, and also if a search of inverted lists would have to compare more than a
            quarter of the vectors. Otherwise "auto" chooses "ivf-fp16", unless the memory limit or the wanted
            recall needs another rounding.
        k: the number of nearest vectors, per query, whose recall is measured.
        seed: the seed of the k-means that groups vectors into lists.
        exact_up_to: the largest number of vectors for which "auto" does not try inverted lists.
        memory_limit: the most bytes that the vectors of an index chosen by "auto" may take, unless rounding
            the vectors to fewer bytes would miss the wanted recall.
        measure: a function that returns a recall, 0 to 1, used in place of the share of the true `k` nearest
            vectors found; for example, the recall of the top lists made from the vectors found.

    Returns:
        The vector index, and a report that holds the kind of index, the reason for choosing that kind, and
        the recall.

    Raises:
        VectorIndexError: the vectors are not usable, or `kind` is not the name of a kind of index.
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
    """Chooses how to round the vectors in inverted lists; returns the tuned index, and the reason as text."""
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
    """Returns the number of bytes that the vectors of an index take on disk.

    After searches have read all vectors, the vectors take the same number of bytes in memory as on disk.
    """
    if kind == "flat":
        return num_vectors * dim * _BYTES_OF_NUMBER["full"]
    if kind != "ivf":
        dim += -dim % BLOCK
    return num_vectors * (dim * _BYTES_OF_NUMBER[_CODES_OF[kind]] + _BYTES_OF_ROW)
