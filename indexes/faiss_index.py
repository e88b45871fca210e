"""Searches with FAISS, in all vectors (flat index) or in the lists of vectors nearest to a query (IVF)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import ArrayLike

from indexes.base import Floats, Rows, SearchResult, VectorIndex, VectorIndexError, checked_vectors
from indexes.sizes import check_faiss_file

VECTORS_PER_LIST = 39
"""The least number of vectors for each list of an inverted file, as FAISS advises; with fewer vectors per
list, k-means makes poor lists."""
CODES = ("full", "fp16", "sq8")
"""The ways to store vectors in inverted lists: unrounded; rounded to two bytes per number; rounded to one
byte per number."""
BLOCK = 8
"""The number of dimensions in a block; FAISS reads rounded vectors in such blocks. A search takes five times
as long if the number of dimensions is not a multiple of `BLOCK`."""
_ROUNDS = 10
"""The number of rounds of the k-means that groups vectors into lists."""
_QUANTIZERS = {"fp16": faiss.ScalarQuantizer.QT_fp16, "sq8": faiss.ScalarQuantizer.QT_8bit}
"""Maps each code of rounded vectors, "fp16" or "sq8", to FAISS's constant for the same rounding."""


def set_threads(threads: int) -> None:
    """Sets how many threads FAISS uses in this process; 0 changes nothing (FAISS uses a thread per core)."""
    if threads > 0:
        faiss.omp_set_num_threads(threads)


class FaissIndex(VectorIndex):
    """Is the base class of the vector indexes that use FAISS.

    `FaissIndex.load` returns a FlatIndex or an InvertedFileIndex, depending on the kind of index in the file.
    """

    def __init__(self, index: Any) -> None:
        self._index = index
        self.num_vectors, self.dim = int(index.ntotal), int(index.d)

    def save(self, path: Path) -> None:
        """Writes the index to a file in FAISS's format."""
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise VectorIndexError(f"Cannot write the vector index to {path}: {_reason(error)}") from error

    @classmethod
    def load(cls, path: Path) -> FaissIndex:
        """Opens an index from a file that `save` wrote; maps the vectors into memory."""
        try:
            check_faiss_file(path)
            index = _read_mapped(path)
        except VectorIndexError:
            raise
        except (OSError, RuntimeError) as error:
            raise VectorIndexError(f"Cannot read a vector index from {path}: {_reason(error)}") from error
        kind = _KINDS.get(type(_lists_of(index)).__name__)
        if kind is None or not issubclass(kind, cls) or not index.ntotal:
            raise VectorIndexError(f"{path} holds a {type(index).__name__} that is not what was asked for")
        return kind(index)

    def _checked(self, scores: Floats, rows: Rows) -> SearchResult:
        """Makes a search result; raises VectorIndexError if the result names rows that do not exist."""
        if rows.size and not (rows.min() >= 0 and rows.max() < self.num_vectors):
            raise VectorIndexError("The vector index holds rows that do not exist")
        return SearchResult(scores, rows)


class FlatIndex(FaissIndex):
    """Compares each query with every vector: exact, and fast enough for up to 50,000 vectors."""

    is_exact = True

    @classmethod
    def build(cls, vectors: ArrayLike) -> FlatIndex:
        """Makes a flat index of vectors, float32 [num_vectors, dim], at least one vector."""
        checked = checked_vectors(vectors, "vectors", least=1)
        index = faiss.IndexFlatIP(checked.shape[1])
        index.add(checked)
        return cls(index)

    def _search(self, queries: Floats, k: int) -> SearchResult:
        return self._checked(*self._index.search(queries, k))


class InvertedFileIndex(FaissIndex):
    """Compares a query only with the vectors in the `num_probes` lists that are nearest to the query.

    If the vectors of the index are rounded, search results with nearly equal scores may be in the wrong
    order, because scores are computed from the rounded vectors.
    """

    is_exact = False

    def __init__(self, index: Any) -> None:
        super().__init__(index)
        self._lists = _lists_of(index)

    @classmethod
    def build(
        cls,
        vectors: ArrayLike,
        *,
        num_lists: int | None = None,
        num_probes: int = 8,
        codes: str = "full",
        weights: ArrayLike | None = None,
        seed: int = 42,
    ) -> InvertedFileIndex:
        """Groups vectors into lists by k-means, and makes an index of the lists.

        The argument `weights` changes how k-means groups vectors: vectors of high weight get into short
        lists, vectors of low weight into long lists. With equal weights, a search must look into at least
        four times as many lists to reach the same recall as with high weights for the vectors that many
        queries find.

        Args:
            vectors: float32 [num_vectors, dim], the vectors of the index; at least `VECTORS_PER_LIST`
                vectors.
            num_lists: the number of lists; by default four times the square root of the number of vectors.
            num_probes: the number of lists that a search looks into.
            codes: how the vectors are stored, one of `CODES`.
            weights: float [num_vectors], above 0, the weight of each vector in the k-means; by default 1.
            seed: the seed of the random choices of the k-means.

        Raises:
            VectorIndexError: there are too few vectors for the number of lists; there is not one weight for
                each vector.
        """
        checked = checked_vectors(vectors, "vectors")
        most = len(checked) // VECTORS_PER_LIST
        wanted = min(most, round(4 * math.sqrt(len(checked)))) if num_lists is None else num_lists
        if not 1 <= wanted <= most:
            raise VectorIndexError(
                f"An inverted-file index of {max(wanted, 1):,} lists needs at least "
                f"{max(wanted, 1) * VECTORS_PER_LIST:,} vectors but got {len(checked):,}; use a flat index"
            )
        counted = np.asarray(np.ones(len(checked)) if weights is None else weights, dtype=np.float32)
        if counted.shape != (len(checked),) or not (counted > 0).all():
            raise VectorIndexError(f"Expected a weight above 0 for each of {len(checked):,} vectors")
        padding = 0 if codes == "full" else -checked.shape[1] % BLOCK
        padded = np.pad(checked, ((0, 0), (0, padding))) if padding else checked
        dim = padded.shape[1]
        means = faiss.Kmeans(dim, wanted, niter=_ROUNDS, seed=seed)
        means.train(padded, weights=counted)
        # A vector goes into the list whose centre has the least distance, so that lists hold near vectors and
        # no list grows huge; by inner product, most vectors would go to a few centres of great length.
        distances = faiss.IndexFlatL2(dim)
        distances.add(means.centroids)
        by_product = faiss.METRIC_INNER_PRODUCT
        if codes == "full":
            index: Any = faiss.IndexIVFFlat(distances, dim, wanted, by_product)
        else:
            quantizer = _QUANTIZERS[codes]
            index = faiss.IndexIVFScalarQuantizer(distances, dim, wanted, quantizer, by_product)
        # The centres of the lists are known already, so this call only learns the bounds of the rounded
        # numbers.
        index.train(padded)
        index.add(padded)
        products = faiss.IndexFlatIP(dim)
        products.add(means.centroids)
        index.quantizer = products
        index.nprobe = min(num_probes, wanted)
        if padding:
            # FAISS pads the queries like the vectors; this transform is saved in the index file. The zeros of
            # the padding follow the numbers of a vector, and are not spread between the numbers.
            in_front: Any = False
            pad = faiss.RemapDimensionsTransform(checked.shape[1], dim, in_front)
            index = faiss.IndexPreTransform(pad, index)
        return cls(index)

    @property
    def codes(self) -> str:
        """Returns how the vectors are stored, one of `CODES`."""
        if not hasattr(self._lists, "sq"):
            return "full"
        return next(name for name, quantizer in _QUANTIZERS.items() if quantizer == self._lists.sq.qtype)

    @property
    def num_lists(self) -> int:
        """Returns the number of lists into which the vectors are grouped."""
        return int(self._lists.nlist)

    @property
    def num_probes(self) -> int:
        """Returns the number of lists that a search looks into."""
        return int(self._lists.nprobe)

    def set_num_probes(self, num_probes: int) -> None:
        """Sets the number of lists that later searches look into; `save` writes this number to the file."""
        if not 1 <= num_probes <= self.num_lists:
            raise VectorIndexError(f"The number of probes must be 1 to {self.num_lists} but is {num_probes}")
        self._lists.nprobe = num_probes

    def settings(self) -> dict[str, int]:
        """Returns the number of all lists, and the number of lists that a search looks into."""
        return {"num_lists": self.num_lists, "num_probes": self.num_probes}

    def num_compared(self, queries: Floats, num_probes: int) -> float:
        """Returns the mean number of vectors in the `num_probes` lists nearest to a query."""
        padded = np.pad(queries, ((0, 0), (0, self._lists.d - self.dim)))
        _, lists = self._lists.quantizer.search(padded, num_probes)
        sizes = np.array([self._lists.invlists.list_size(row) for row in range(self.num_lists)])
        return float(sizes[lists].sum() / max(len(queries), 1))

    def share_compared(self, queries: Floats) -> float:
        """Returns the share of all vectors, from 0 to 1, that an average search of `queries` compares."""
        return self.num_compared(queries, self.num_probes) / self.num_vectors

    def widen(self) -> bool:
        """Doubles how many lists a search looks into; returns False if a search already reads all lists."""
        if self.num_probes == self.num_lists:
            return False
        self.set_num_probes(min(2 * self.num_probes, self.num_lists))
        return True

    def probe(self, queries: Floats, k: int) -> SearchResult:
        """Searches only the lists nearest to each query; fills missing results with the row -1."""
        return SearchResult(*self._index.search(queries, k))

    def _search(self, queries: Floats, k: int) -> SearchResult:
        scores, rows = self.probe(queries, k)
        short = (rows < 0).any(axis=1)
        if short.any():
            # The lists searched held fewer than k vectors, so all lists are searched.
            every_list: Any = faiss.SearchParametersIVF()
            every_list.nprobe = self.num_lists
            if self._lists is not self._index:
                inner, every_list = every_list, faiss.SearchParametersPreTransform()
                every_list.index_params = inner
            scores[short], rows[short] = self._index.search(queries[short], k, params=every_list)
        return self._checked(scores, rows)


_KINDS: dict[str, type[FaissIndex]] = {
    "IndexFlatIP": FlatIndex,
    "IndexIVFFlat": InvertedFileIndex,
    "IndexIVFScalarQuantizer": InvertedFileIndex,
}


def _read_mapped(path: Path) -> Any:
    """Opens a FAISS index from a file; maps the vectors into memory instead of reading them."""
    with path.open("rb") as file:
        is_flat = file.read(4) == b"IxFI"
    # FAISS maps flat indexes in another way than inverted files; the way for flat indexes crashes on a
    # truncated inverted file.
    if is_flat:
        return faiss.read_index(str(path), getattr(faiss, "IO_FLAG_MMAP_IFC", 0))
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    inner = _lists_of(index)
    lists: Any = faiss.downcast_InvertedLists(inner.invlists) if hasattr(inner, "invlists") else None
    if hasattr(lists, "prefetch_nthread"):
        # By default, FAISS starts 32 threads for a search of a mapped file, which takes longer than the
        # search.
        lists.prefetch_nthread = 0
    return index


def _lists_of(index: Any) -> Any:
    """Returns the part of a FAISS index that holds the vectors, without the part that pads queries."""
    return faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index


def _reason(error: Exception) -> str:
    """Returns the end of an error message of FAISS, without the position in FAISS's source code."""
    return str(error).rpartition(": ")[2].strip() or "the file is damaged"
