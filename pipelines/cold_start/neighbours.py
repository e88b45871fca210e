"""Finds neighbours of cold movies: movies with similar metadata, and the neighbours of such movies.

A neighbour table holds the most similar movies (neighbours) of each movie, with a weight for each neighbour.
The neighbours of a known movie, a movie with reviews, are found from reviews. A cold movie has no reviews, so
its neighbours are found from metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows, k_highest_of_rows
from engine.model.neighbours import NeighbourTable
from pipelines.neighbours.sparse import matrix_of, strongest, table_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NUM_NEAREST = 20
"""A cold movie's neighbours are estimated from the neighbours of this number of known movies: the known
movies with metadata most similar to the cold movie's metadata."""
_NEARNESS_POWER = 3.0
"""An exponent: a cold movie's neighbours are estimated by a weighted mean over known movies, whose weights
are metadata similarities raised to this power."""
_NUM_COMPARED = 100
"""The number of known movies whose words are compared with a cold movie's words. The known movies with
features most similar to the cold movie's features are compared, because comparing the words of all known
movies would be too slow."""
_LINKED = 0.3
"""The number that is added to the similarity of two movies if the metadata links them, for example as "also
bought"."""
_BLOCK = 128
"""The number of cold movies that are compared with all known movies in one step; larger steps take more
memory."""
_SPARSE_BLOCK = 1024
"""The number of cold movies whose neighbours are estimated in one step; larger steps take more memory."""
_SLOPE_SAMPLE = 2000
"""The largest number of known movies from which `similarity_slope` estimates its result."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """Describes movies by their metadata: by TF-IDF weights of words, and by a few features."""

    weighed: csr_array
    """float32 [num_movies, num_words], the TF-IDF weights of words, from `ColdMapping.weigh`."""
    features: Floats
    """float32 [num_movies, num_features], the features of each movie, from `ColdMapping.features`."""

    def take(self, rows: NDArray[np.integer]) -> Described:
        """Returns the descriptions of the movies in the given rows."""
        return Described(weighed=self.weighed[rows], features=self.features[rows])


class Nearest(NamedTuple):
    """Holds, for each cold movie, the known movies whose metadata is most similar."""

    rows: Rows
    """int64 [num_new, num_nearest], the rows of the most similar known movies of each cold movie."""
    similarities: Floats
    """float32 [num_new, num_nearest], the similarity of each cold movie to the known movies in `rows`: the
    cosine of the TF-IDF weights of two movies, from 0 to 1, plus 0.3 if metadata links the two movies."""


class Edges(NamedTuple):
    """Holds the pairs of a cold movie and a known movie that will be added to a neighbour table."""

    sources: Rows
    """int64 [num_edges], the rows of the known movies that get a cold movie as a neighbour."""
    new_places: Rows
    """int64 [num_edges], the cold movie that becomes a neighbour of each known movie in `sources`. A cold
    movie is given as a position in the list of all cold movies."""
    weights: Floats
    """float32 [num_edges], the weight of each new neighbour of the known movies in `sources`."""
    outgoing: NeighbourTable
    """The neighbour table of the cold movies, whose neighbours are known movies."""


def nearest_movies(
    cold: Described, known: Described, links: csr_array | None = None, *, leave_out: Rows | None = None
) -> Nearest:
    """Finds, for each cold movie, the known movies with the most similar TF-IDF weights (highest cosine).

    The cosine of TF-IDF weights takes long to compute. To save time, the function first compares features,
    the few numbers to which the TF-IDF weights of a movie are reduced. The cosine of TF-IDF weights is
    computed only for the `_NUM_COMPARED` known movies with features most similar to the cold movie's
    features.

    Args:
        cold: the metadata of the cold movies.
        known: the metadata of the known movies.
        links: a matrix with a 1 for each pair of a cold movie and a known movie that the metadata links,
            float32 [num_new, num_known]; a link adds `_LINKED` to the similarity.
        leave_out: for each cold movie, the row of one known movie that must not be found, int64 [num_new]; a
            known movie that is treated as cold must not find itself.
    """
    num_known = known.features.shape[0]
    compared = min(_NUM_COMPARED, num_known)
    kept = min(NUM_NEAREST, num_known)
    rows = np.zeros((cold.features.shape[0], kept), dtype=np.int64)
    similarities = np.zeros(rows.shape, dtype=np.float32)
    directions = _unit(known.features).T
    for begin in range(0, len(rows), _BLOCK):
        block = slice(begin, min(begin + _BLOCK, len(rows)))
        linked = None if links is None else _LINKED * links[block].toarray()
        coarse = _unit(cold.features[block]) @ directions
        if linked is not None:
            coarse += linked
        if leave_out is not None:
            coarse[np.arange(len(coarse)), leave_out[block]] = -np.inf
        found = k_highest_of_rows(coarse, compared)
        exact = _pair_cosines(cold.weighed[block], known.weighed, found)
        if linked is not None:
            exact += np.take_along_axis(linked, found, axis=1)
        exact[np.isinf(np.take_along_axis(coarse, found, axis=1))] = 0.0
        best = k_highest_of_rows(exact, kept)
        rows[block] = np.take_along_axis(found, best, axis=1)
        similarities[block] = np.take_along_axis(exact, best, axis=1)
    return Nearest(rows, similarities)


def similarity_slope(table: NeighbourTable, known: Described, seed: int) -> float:
    """Returns the slope of a regression of weights in a neighbour table on similarities of metadata.

    The regression is fitted by least squares, without an intercept, to pairs of known movies with very
    similar metadata. The weight of two movies that are not neighbours in the neighbour table counts as 0.
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
    """Estimates the neighbours of cold movies from the neighbours of known movies with similar metadata.

    For each cold movie, `nearest` holds the cold movie's nearest movies: the known movies whose metadata is
    most similar to the cold movie's metadata.

    The estimated weight of a known movie as a neighbour of a cold movie is the sum of a mean and a product:

    * The mean is the mean weight in `table` of the known movie as a neighbour of the cold movie's nearest
      movies. In the mean weight, a nearest movie counts more if the metadata of the nearest movie is more
      similar to the cold movie's metadata.
    * The product is `slope` times the similarity of the metadata of the known movie and the cold movie. The
      product is 0 if the known movie is not one of the cold movie's nearest movies.

    To estimate the weight of a cold movie as a neighbour of a known movie, the function takes the mean weight
    in `table` of the cold movie's nearest movies as neighbours of the known movie. If the known movie is one
    of the cold movie's nearest movies, `slope` times the similarity of the two movies' metadata is added to
    the mean weight.

    Each cold movie gets at most `num_neighbours` known movies as neighbours, and becomes a neighbour of at
    most `num_neighbours` known movies.
    """
    matrix = matrix_of(table)
    outgoing = _estimate(matrix, nearest, slope, num_neighbours)
    incoming = _estimate(matrix.T.tocsr(), nearest, slope, num_neighbours)
    places = np.repeat(np.arange(len(nearest.rows)), np.diff(incoming.indptr))
    return Edges(
        incoming.indices.astype(np.int64), places, incoming.data.astype(np.float32), table_of(outgoing)
    )


def _estimate(matrix: csr_array, nearest: Nearest, slope: float, num_kept: int) -> csr_array:
    """Estimates the weights of cold movies' neighbours from a neighbour table: sparse [num_new, num_known].

    For each cold movie, the `num_kept` largest weights are kept, and all other weights are 0.
    """
    from scipy.sparse import csr_array, vstack

    blocks = [csr_array((0, matrix.shape[0]), dtype=np.float32)]
    for begin in range(0, len(nearest.rows), _SPARSE_BLOCK):
        block = slice(begin, begin + _SPARSE_BLOCK)
        rows, similarities = nearest.rows[block], np.maximum(nearest.similarities[block], 0.0)
        # The shares of the most similar known movies sum to 1, or to 0 if no known movie is similar.
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
    """Computes the cosine of the TF-IDF weights of each pair of a cold movie and a known movie.

    The array `found[i]` holds the rows of the known movies that are paired with the cold movie i.

    Returns:
        float32 [num_new, num_found].
    """
    repeated = cold[np.repeat(np.arange(len(found)), found.shape[1])]
    products = repeated.multiply(known[found.ravel()]).sum(axis=1)
    return np.asarray(products, dtype=np.float32).reshape(found.shape)


def _sparse(rows: Rows, values: Floats, num_known: int) -> csr_array:
    from scipy.sparse import csr_array

    offsets = np.arange(len(rows) + 1) * rows.shape[1]
    return csr_array((values.ravel(), rows.ravel(), offsets), shape=(len(rows), num_known))
