"""Finds movies with similar metadata, so that movies with few reviews have neighbours too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, k_highest
from engine.config.sections import NeighboursConfig
from engine.model.neighbours import NeighbourTable
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.words import FEWEST_DESCRIBED, learn_features, weigh_words
from pipelines.neighbours.sparse import matrix_of, strongest, strongest_of_dense, table_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_MOST_NEIGHBOURS_OF = 20_000
"""The largest number of movies that can be neighbours of other movies by metadata; the most reviewed movies
are chosen. Without this limit, the time to find neighbours would grow with the square of the number of
movies."""
_SCORES_AT_ONCE = 2**23
"""The number of similarities in a batch that is kept in memory: 32 MiB of float32."""
_ROWS_AT_ONCE = 2**13
"""The function `with_content` sums the weights of two neighbour tables for this number of movies at a time; a
larger number would take more memory."""


def content_features(words: csr_array) -> Floats | None:
    """Converts the counted words of movies' metadata to vectors; inner products are cosine similarities.

    Returns:
        The vectors of the movies, float32 [num_movies, num_features]; None if fewer than FEWEST_DESCRIBED
        movies have words in their metadata. A vector has length 1, or length 0 for a movie without metadata
        words.
    """
    described = np.flatnonzero(np.diff(words.indptr))
    if len(described) < FEWEST_DESCRIBED:
        return None
    columns, rarities, components = learn_features(words[described])
    features = np.asarray(weigh_words(words[:, columns], rarities) @ components, dtype=np.float32)
    lengths = np.sqrt(np.square(features).sum(axis=1, keepdims=True))
    return np.asarray(features / np.maximum(lengths, 1e-9), dtype=np.float32)


def content_table(
    reviews: Reviews, features: Floats | None, config: NeighboursConfig
) -> NeighbourTable | None:
    """Builds the table of movies with similar metadata, from the vectors that `content_features` returns.

    The function returns None if `features` is None, or if the settings ask for no neighbours by metadata.
    """
    if features is None or not config.num_content_neighbours:
        return None
    counts = reviews.movie_counts()
    return content_neighbours(features, counts, config.num_content_neighbours)


def content_neighbours(features: Floats, counts: NDArray[np.integer], num_neighbours: int) -> NeighbourTable:
    """Finds the `num_neighbours` strongest neighbours of each movie by metadata and popularity.

    The weight of a neighbour is the cosine similarity of the two movies' vectors, multiplied by the square
    root of the neighbour's number of reviews. Popular neighbours weigh more, because people choose the
    popular movies among equally similar movies.

    Args:
        features: the vectors of the movies that `content_features` returns.
        counts: the number of reviews of each movie, int [num_movies].
        num_neighbours: how many neighbours each movie gets.
    """
    from scipy.sparse import vstack

    order = k_highest(counts, _MOST_NEIGHBOURS_OF)
    found = np.sort(order[counts[order] > 0])
    strengths = features[found] * np.sqrt(counts[found, None]).astype(np.float32)
    step = max(1, _SCORES_AT_ONCE // max(len(found), 1))
    parts = []
    for begin in range(0, len(features), step):
        scores = np.maximum(features[begin : begin + step] @ strengths.T, 0.0)
        scores[found == np.arange(begin, begin + len(scores))[:, None]] = 0.0
        parts.append(strongest_of_dense(scores, num_neighbours))
    table = table_of(vstack(parts, format="csr"))
    return NeighbourTable(table.offsets, found[table.movie_rows].astype(np.int32), table.weights)


def with_content(table: NeighbourTable, content: NeighbourTable, weight: float) -> NeighbourTable:
    """Adds the metadata similarities in `content`, multiplied by `weight`, to a neighbour table.

    Each movie keeps its n strongest neighbours. The number n is the length of the longest list of neighbours
    that any movie has in `table` or in `content`.
    """
    from scipy.sparse import vstack

    by_reviews, by_content = matrix_of(table), matrix_of(content)
    most = int(max(np.diff(table.offsets).max(), np.diff(content.offsets).max()))
    parts = []
    for begin in range(0, table.num_movies, _ROWS_AT_ONCE):
        rows = slice(begin, min(begin + _ROWS_AT_ONCE, table.num_movies))
        parts.append(strongest(by_reviews[rows] + np.float32(weight) * by_content[rows], most))
    return table_of(vstack(parts, format="csr"))
