"""Chooses the kind of a vector index by the number of vectors, the memory limit and the wanted recall.

A flat index compares a query with all vectors; a flat index is exact, and fast enough for few vectors. For
many vectors, an inverted-file index groups the vectors into lists, and compares a query only with the vectors
in the nearest lists. The number of lists that a search looks into is the smallest number found that reaches
the wanted recall on a sample of queries. Vectors that are near to the sampled queries are grouped into short
lists, so that a search compares fewer vectors. The lists of an inverted-file index usually hold vectors that
are rounded to two bytes per number. A search of rounded vectors reads half as many bytes as a search of
unrounded vectors, and hardly ever misses more of the nearest vectors. Vectors are rounded to one byte per
number only if vectors of two bytes per number would exceed the memory limit. Vectors stay unrounded only if
vectors of two bytes per number would miss the wanted recall. Rounding does not change the scores in answers,
because the engine computes the score of each movie found from the movie's unrounded vector.

Graph indexes such as HNSW are not offered, because in a test they were slower than inverted lists and found
fewer of the nearest vectors. In a test with 60,000 clustered vectors, a graph index found less than 97% of
the 200 nearest vectors of a query; inverted lists found 99% of the 200 nearest vectors in at most half the
time. A graph index also needs a file twice as large as its vectors, and cannot round its vectors.
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
"""The largest number of vectors for which a comparison of a query with all vectors is fast enough."""
MEMORY_LIMIT = 1_000_000_000
"""The largest number of bytes that the vectors of an index may take. The vectors may take more bytes only if
rounding to fewer bytes per number would make searches miss the wanted recall."""
_LEAST_COMPARED = 2000
"""The least number of vectors that a search compares with a query, even if fewer vectors would reach the
wanted recall. In an index of fewer than 100,000 vectors, a search compares at least the share `_LEAST_SHARE`
of the vectors instead. A comparison of a query with 2,000 vectors takes some 20 microseconds."""
_LEAST_SHARE = 0.02
"""The least share of an index's vectors that a search compares with a query, if the index has at most 100,000
vectors (`_LEAST_COMPARED / _LEAST_SHARE`). In an index of more than 100,000 vectors, a search compares at
least `_LEAST_COMPARED` vectors with a query, which may be a smaller share of all vectors than
`_LEAST_SHARE`."""
_LARGEST_SHARE = 0.25
"""The largest share of an index's vectors that a search of inverted lists may compare with a query. If a
search must compare a share larger than `_LARGEST_SHARE` to reach the wanted recall, a flat index is built,
which compares a query with all vectors. No flat index is built if the unrounded vectors exceed the memory
limit."""


class _Tuned(NamedTuple):
    """Holds an inverted-file index whose searches were tuned to the wanted recall, and the reached recall."""

    kind: str
    lists: InvertedFileIndex
    recall: float
    num_bytes: int

    share: float
    """The share of the vectors that a search compares with a query; the mean over all queries."""


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
    """Builds the kind of index that suits the vectors; builds equal indexes from equal arguments.

    If `kind` is "auto", the function chooses the kind of index by the first of these rules that applies:

    1. The kind is "flat" if there are too few vectors for one inverted list. Up to `exact_up_to` vectors also
       get the kind "flat", if the unrounded vectors fit into `memory_limit`.
    2. The kind is "flat" if the unrounded vectors fit into `memory_limit`, and a search of inverted lists
       would compare more than a quarter of the vectors with a query.
    3. The kind is "ivf" if an "ivf-fp16" index misses `recall_target`, and an "ivf" index has higher recall.
    4. The kind is "ivf-fp16" if the vectors of an "ivf-fp16" index fit into `memory_limit`, or if an
       "ivf-sq8" index misses `recall_target`.
    5. The kind is "ivf-sq8" if none of the rules 1 to 4 applies.

    Args:
        vectors: float32 [num_vectors, dim], the vectors of the index, at least one.
        queries: float32 [num_queries, dim], typical queries, with which the search is tuned.
        recall_target: the recall that the index must reach, from 0 to 1.
        kind: the kind of index, or "auto" to choose the kind by the number of vectors, `memory_limit` and
            `recall_target`. A "flat" index compares a query with all vectors. An "ivf" index has inverted
            lists of unrounded vectors. An "ivf-fp16" index has inverted lists of vectors rounded to two bytes
            per number. An "ivf-sq8" index has inverted lists of vectors rounded to one byte per number.
        k: the number of nearest vectors that a search should find for each query. The recall is the share of
            the k nearest vectors that a search finds.
        seed: the seed of the k-means that groups vectors into lists.
        exact_up_to: the largest number of vectors for which "auto" always chooses "flat", if the unrounded
            vectors fit into `memory_limit`.
        memory_limit: the largest number of bytes that all vectors together may take, if `kind` is "auto". The
            vectors may take more bytes only if rounding to fewer bytes per number would make searches miss
            `recall_target`.
        measure: a function that measures the recall of an index, from 0 to 1, such as the recall of top
            lists. If `measure` is None, the recall is the share of the k nearest vectors that a search finds.

    Returns:
        The vector index, and a report with the kind of index, the reason for choosing the kind, and the
        recall.

    Raises:
        VectorIndexError: the vectors are not usable; `kind` is not the name of a kind of index.
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
    """Chooses whether inverted lists hold vectors of two, one or four bytes per number.

    The function `tuned` builds an index of a given kind, and sets how many lists a search looks into.

    Returns:
        The chosen index; and the reason for choosing the kind of the index, as the end of a sentence.
    """
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

    When searches have read all vectors, the vectors take as many bytes in memory as on disk.
    """
    if kind == "flat":
        return num_vectors * dim * _BYTES_OF_NUMBER["full"]
    if kind != "ivf":
        dim += -dim % BLOCK
    return num_vectors * (dim * _BYTES_OF_NUMBER[_CODES_OF[kind]] + _BYTES_OF_ROW)
