"""Neighbours of movies without reviews: those that metadata makes alike, and the neighbours of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.model.neighbours import NeighbourTable
from pipelines.neighbours.sparse import strongest_entries

if TYPE_CHECKING:
    from scipy.sparse import csr_array


NUM_NEAREST = 20
"""Movies that one without reviews is likened to."""
_NEARNESS_POWER = 3.0
"""How much more the nearest of them count: by this power of the similarity."""
_NUM_COMPARED = 100
"""Movies whose words are compared, of those with the nearest features."""
_LINKED = 0.3
"""What a link in the metadata (also viewed, also bought) adds to a similarity."""
_BLOCK = 128
_SLOPE_SAMPLE = 2000


@dataclass(frozen=True, kw_only=True)
class Described:
    """Movies by what metadata says of them.

    Attributes:
        weighed: float32 [num_movies, num_words], as `ColdMapping.weigh` gives them.
        features: float32 [num_movies, num_features].
    """

    weighed: csr_array
    features: Floats

    def take(self, rows: NDArray[np.integer]) -> Described:
        """Some of them."""
        return Described(weighed=self.weighed[rows], features=self.features[rows])


class Nearest(NamedTuple):
    """The movies most alike by metadata."""

    rows: NDArray[np.int64]
    """int64 [num_new, num_nearest], rows of the known movies."""
    similarities: Floats
    """float32 [num_new, num_nearest], 0 to 1, or a little more where links say so too."""


class Edges(NamedTuple):
    """What new movies add to a table of neighbours."""

    sources: NDArray[np.int64]
    """int64 [num_edges], rows of known movies."""
    new_places: NDArray[np.int64]
    """int64 [num_edges], which of the new movies is their neighbour."""
    weights: Floats
    """float32 [num_edges]."""
    outgoing: NeighbourTable
    """Of each new movie its neighbours among the known."""


def nearest_movies(
    new: Described,
    known: Described,
    links: csr_array | None = None,
    *,
    leave_out: NDArray[np.int64] | None = None,
) -> Nearest:
    """Finds for each new movie the known ones most alike, by the cosine of their weighed words.

    The words are compared of those movies only whose features are nearest; a link between two movies counts
    as similarity as well.

    Args:
        new: the new movies.
        known: those to liken them to.
        links: 1 where the metadata links two, float32 [num_new, num_known].
        leave_out: int64 [num_new], the row of each that must not be found, such as its own.
    """
    num_known = known.features.shape[0]
    compared = min(_NUM_COMPARED, num_known)
    kept = min(NUM_NEAREST, num_known)
    rows = np.zeros((new.features.shape[0], kept), dtype=np.int64)
    similarities = np.zeros(rows.shape, dtype=np.float32)
    for begin in range(0, len(rows), _BLOCK):
        block = slice(begin, min(begin + _BLOCK, len(rows)))
        linked = None if links is None else _LINKED * links[block].toarray()
        coarse = _unit(new.features[block]) @ _unit(known.features).T
        if linked is not None:
            coarse += linked
        if leave_out is not None:
            coarse[np.arange(len(coarse)), leave_out[block]] = -np.inf
        found = np.argpartition(-coarse, compared - 1, axis=1)[:, :compared]
        exact = _pair_cosines(new.weighed[block], known.weighed, found)
        if linked is not None:
            exact += np.take_along_axis(linked, found, axis=1)
        exact[np.isinf(np.take_along_axis(coarse, found, axis=1))] = 0.0
        best = np.argsort(-exact, axis=1, kind="stable")[:, :kept]
        rows[block] = np.take_along_axis(found, best, axis=1)
        similarities[block] = np.take_along_axis(exact, best, axis=1)
    return Nearest(rows, similarities)


def similarity_slope(table: NeighbourTable, known: Described, seed: int) -> float:
    """How large a weight in a table metadata leads to expect, per unit of similarity.

    The least squares line through the origin, over known movies and those most alike to them.
    """
    chosen = np.random.default_rng(seed).permutation(table.num_movies)[:_SLOPE_SAMPLE]
    nearest = nearest_movies(known.take(chosen), known, leave_out=chosen)
    similarities = nearest.similarities.astype(np.float64)
    actual = np.zeros(similarities.shape)
    for place, movie_row in enumerate(chosen):
        neighbours, weights = table.of(int(movie_row))
        order = np.argsort(neighbours)
        places = np.searchsorted(neighbours, nearest.rows[place], sorter=order)
        held = places < len(neighbours)
        positions = order[places[held]]
        same = neighbours[positions] == nearest.rows[place][held]
        actual[place, np.flatnonzero(held)[same]] = weights[positions[same]]
    return max(float((actual * similarities).sum() / max(np.square(similarities).sum(), 1e-9)), 0.0)


def cold_edges(table: NeighbourTable, nearest: Nearest, slope: float, num_neighbours: int) -> Edges:
    """What new movies would have in a table, judged by those they are most like.

    A new movie is as near to another as those that it is like are on average, and to these themselves by how
    like they are.

    Args:
        table: of the known movies.
        nearest: the known movies most like each new one.
        slope: what one of those weighs per unit of similarity.
        num_neighbours: edges kept of each new movie in each direction, those with the largest weights.
    """
    from scipy.sparse import csr_array

    num_known = table.num_movies
    pairs = csr_array((table.weights, table.movie_rows, table.offsets), shape=(num_known, num_known))
    incoming, outgoing = pairs.T.tocsr(), pairs
    num_new = len(nearest.rows)
    into: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]] = []
    out: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]] = []
    for begin in range(0, num_new, 8 * _BLOCK):
        stretch = slice(begin, begin + 8 * _BLOCK)
        block = Nearest(nearest.rows[stretch], nearest.similarities[stretch])
        likeness = _sparse(block.rows, np.maximum(block.similarities, 0.0), num_known)
        mixture = _sparse(block.rows, _shares(block.similarities), num_known)
        for matrix, edges in ((incoming, into), (outgoing, out)):
            places, rows, weights = strongest_entries(mixture @ matrix + slope * likeness, num_neighbours)
            edges.append((places + begin, rows, weights))
    in_places, in_rows, in_weights = _concatenate(into)
    out_places, out_rows, out_weights = _concatenate(out)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(out_places, minlength=num_new))])
    return Edges(
        in_rows,
        in_places,
        in_weights,
        NeighbourTable(offsets.astype(np.int64), out_rows.astype(np.int32), out_weights),
    )


def _unit(features: Floats) -> Floats:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-9), dtype=np.float32)


def _pair_cosines(new: csr_array, known: csr_array, found: NDArray[np.int64]) -> Floats:
    """The cosines of each new movie and the known ones found for it, float32 [num_new, num_found]."""
    repeated = new[np.repeat(np.arange(len(found)), found.shape[1])]
    products = repeated.multiply(known[found.ravel()]).sum(axis=1)
    return np.asarray(products, dtype=np.float32).reshape(found.shape)


def _shares(similarities: Floats) -> Floats:
    """What each of the nearest counts in the mean, rows of sum 1, or 0 where nothing is alike."""
    powers = np.maximum(similarities, 0.0) ** _NEARNESS_POWER
    return np.asarray(powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _sparse(rows: NDArray[np.int64], values: Floats, num_known: int) -> csr_array:
    from scipy.sparse import csr_array

    offsets = np.arange(len(rows) + 1) * rows.shape[1]
    return csr_array((values.ravel(), rows.ravel(), offsets), shape=(len(rows), num_known))


def _concatenate(
    edges: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    if not edges:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    places, rows, weights = (np.concatenate(parts) for parts in zip(*edges, strict=True))
    return places, rows, weights
