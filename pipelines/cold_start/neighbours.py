"""Finds neighbours of cold movies: movies that metadata makes alike, and the neighbours of these movies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows
from engine.model.neighbours import NeighbourTable
from pipelines.neighbours.sparse import matrix_of, strongest, table_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NUM_NEAREST = 20
"""Known movies to which a cold movie is likened."""
_NEARNESS_POWER = 3.0
"""Power of the similarity by which a nearest movie counts in a mean."""
_NUM_COMPARED = 100
"""Movies with the nearest features whose words are compared; the words of all would take too long."""
_LINKED = 0.3
"""Similarity that a link in the metadata (also viewed, also bought) adds."""
_BLOCK = 128
"""Cold movies compared with all known movies at a time, which bounds memory."""
_SPARSE_BLOCK = 1024
"""Cold movies whose pairs are estimated at a time, which bounds memory."""
_SLOPE_SAMPLE = 2000
"""Known movies on which the slope of a table is measured."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """Holds movies by what metadata says of them."""

    weighed: csr_array
    """float32 [num_movies, num_words], as `ColdMapping.weigh` gives them."""
    features: Floats
    """float32 [num_movies, num_features]."""

    def take(self, rows: NDArray[np.integer]) -> Described:
        """Returns the movies of some rows."""
        return Described(weighed=self.weighed[rows], features=self.features[rows])


class Nearest(NamedTuple):
    """Holds the known movies that are most like each cold movie by metadata."""

    rows: Rows
    """int64 [num_new, num_nearest], rows of the known movies."""
    similarities: Floats
    """float32 [num_new, num_nearest], 0 to 1, and more where a link adds to it."""


class Edges(NamedTuple):
    """Holds the pairs that cold movies add to a neighbour table."""

    sources: Rows
    """int64 [num_edges], rows of known movies that get a cold movie as a neighbour."""
    new_places: Rows
    """int64 [num_edges], positions of these neighbours among the cold movies."""
    weights: Floats
    """float32 [num_edges]."""
    outgoing: NeighbourTable
    """The known movies that are neighbours of each cold movie."""


def nearest_movies(
    cold: Described, known: Described, links: csr_array | None = None, *, leave_out: Rows | None = None
) -> Nearest:
    """Finds the known movies most like each cold movie, by the cosine of their weighed words.

    Words are compared only with the known movies whose features are nearest. A link between two movies, 1 in
    `links`, float32 [num_new, num_known], adds to their similarity. `leave_out`, int64 [num_new], names for
    each cold movie a row that must not be found, such as its own.
    """
    num_known = known.features.shape[0]
    compared = min(_NUM_COMPARED, num_known)
    kept = min(NUM_NEAREST, num_known)
    rows = np.zeros((cold.features.shape[0], kept), dtype=np.int64)
    similarities = np.zeros(rows.shape, dtype=np.float32)
    for begin in range(0, len(rows), _BLOCK):
        block = slice(begin, min(begin + _BLOCK, len(rows)))
        linked = None if links is None else _LINKED * links[block].toarray()
        coarse = _unit(cold.features[block]) @ _unit(known.features).T
        if linked is not None:
            coarse += linked
        if leave_out is not None:
            coarse[np.arange(len(coarse)), leave_out[block]] = -np.inf
        found = np.argpartition(-coarse, compared - 1, axis=1)[:, :compared]
        exact = _pair_cosines(cold.weighed[block], known.weighed, found)
        if linked is not None:
            exact += np.take_along_axis(linked, found, axis=1)
        exact[np.isinf(np.take_along_axis(coarse, found, axis=1))] = 0.0
        best = np.argsort(-exact, axis=1, kind="stable")[:, :kept]
        rows[block] = np.take_along_axis(found, best, axis=1)
        similarities[block] = np.take_along_axis(exact, best, axis=1)
    return Nearest(rows, similarities)


def similarity_slope(table: NeighbourTable, known: Described, seed: int) -> float:
    """Finds the weight in a neighbour table that one unit of similarity leads to expect.

    The weight is the slope of the least squares line through the origin, over pairs of known movies that are
    most alike.
    """
    chosen = np.random.default_rng(seed).permutation(table.num_movies)[:_SLOPE_SAMPLE]
    nearest = nearest_movies(known.take(chosen), known, leave_out=chosen)
    similarities = nearest.similarities.astype(np.float64)
    actual = np.zeros(similarities.shape)
    for place, movie_row in enumerate(chosen.tolist()):
        neighbours, weights = table.of(movie_row)
        _, there, here = np.intersect1d(neighbours, nearest.rows[place], return_indices=True)
        actual[place, here] = weights[there]
    return max(float((actual * similarities).sum() / max(np.square(similarities).sum(), 1e-9)), 0.0)


def cold_edges(table: NeighbourTable, nearest: Nearest, slope: float, num_neighbours: int) -> Edges:
    """Estimates the pairs that cold movies would have in a neighbour table, from the movies most like them.

    The weight of a cold movie and another movie is the mean weight of the movies most like the cold movie and
    that other movie. For one of the movies most like it, the similarity times the slope is added. Of each
    cold movie `num_neighbours` pairs are kept in each direction, the ones with the largest weights.
    """
    matrix = matrix_of(table)
    outgoing = _estimate(matrix, nearest, slope, num_neighbours)
    incoming = _estimate(matrix.T.tocsr(), nearest, slope, num_neighbours)
    places = np.repeat(np.arange(len(nearest.rows)), np.diff(incoming.indptr))
    return Edges(
        incoming.indices.astype(np.int64), places, incoming.data.astype(np.float32), table_of(outgoing)
    )


def _estimate(matrix: csr_array, nearest: Nearest, slope: float, num_kept: int) -> csr_array:
    """Estimates the strongest entries of cold movies' rows in a matrix: float32 [num_new, num_known]."""
    from scipy.sparse import csr_array, vstack

    blocks = [csr_array((0, matrix.shape[0]), dtype=np.float32)]
    for begin in range(0, len(nearest.rows), _SPARSE_BLOCK):
        block = slice(begin, begin + _SPARSE_BLOCK)
        rows, similarities = nearest.rows[block], np.maximum(nearest.similarities[block], 0.0)
        # The shares of the nearest movies in a mean have a sum of 1, or of 0 where no movie is alike.
        powers = similarities**_NEARNESS_POWER
        shares = powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-12)
        likeness = _sparse(rows, similarities, matrix.shape[0])
        mixture = _sparse(rows, shares.astype(np.float32), matrix.shape[0])
        blocks.append(strongest(mixture @ matrix + slope * likeness, num_kept))
    return vstack(blocks, format="csr")


def _unit(features: Floats) -> Floats:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-9), dtype=np.float32)


def _pair_cosines(cold: csr_array, known: csr_array, found: Rows) -> Floats:
    """Returns the cosines of each cold movie and the movies found for it, float32 [num_new, num_found]."""
    repeated = cold[np.repeat(np.arange(len(found)), found.shape[1])]
    products = repeated.multiply(known[found.ravel()]).sum(axis=1)
    return np.asarray(products, dtype=np.float32).reshape(found.shape)


def _sparse(rows: Rows, values: Floats, num_known: int) -> csr_array:
    from scipy.sparse import csr_array

    offsets = np.arange(len(rows) + 1) * rows.shape[1]
    return csr_array((values.ravel(), rows.ravel(), offsets), shape=(len(rows), num_known))
