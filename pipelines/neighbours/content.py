"""Finds movies that metadata makes alike, which says of rarely reviewed ones what few reviews cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import NeighboursConfig
from engine.model.neighbours import NeighbourTable
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.words import FEWEST_DESCRIBED, learn_features, weigh_words
from pipelines.neighbours.sparse import matrix_of, strongest, strongest_of_dense, table_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_MOST_NEIGHBOURS_OF = 20_000
"""Most reviewed movies that can be neighbours; without a limit, time grows with the square of all movies."""
_SCORES_AT_ONCE = 2**23
"""Scores held at once, 32 MiB of them."""
_ROWS_AT_ONCE = 2**13
"""Movies whose tables are added at once, which bounds memory."""


def content_features(words: csr_array) -> Floats | None:
    """Turns the counted words of movies into vectors of length one.

    The inner product of two vectors is a cosine.

    Returns float32 [num_movies, num_features], of length 1, or 0 where nothing is known of a movie; None
    where too few movies are described.
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
    """Builds the table of alike movies as configured; None without features, or where none are wanted."""
    if features is None or not config.num_content_neighbours:
        return None
    counts = np.bincount(reviews.movie_rows, minlength=reviews.num_movies)
    return content_neighbours(features, counts, config.num_content_neighbours)


def content_neighbours(features: Floats, counts: NDArray[np.integer], num_neighbours: int) -> NeighbourTable:
    """Finds the movies most alike; their weight is the cosine times the root of their number of reviews.

    Of movies that are equally alike, people come to the known ones. `counts` are int [num_movies], reviews.
    """
    from scipy.sparse import vstack

    order = np.lexsort((np.arange(len(counts)), -counts))[:_MOST_NEIGHBOURS_OF]
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
    """Adds `weight` times the likeness by metadata to a table.

    A movie keeps as many neighbours as the longest list of either table has.
    """
    from scipy.sparse import vstack

    by_reviews, by_content = matrix_of(table), matrix_of(content)
    most = int(max(np.diff(table.offsets).max(), np.diff(content.offsets).max()))
    parts = []
    for begin in range(0, table.num_movies, _ROWS_AT_ONCE):
        rows = slice(begin, min(begin + _ROWS_AT_ONCE, table.num_movies))
        parts.append(strongest(by_reviews[rows] + np.float32(weight) * by_content[rows], most))
    return table_of(vstack(parts, format="csr"))
