"""Movies that metadata makes alike, which says of rarely reviewed ones what few reviews cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import ColdConfig, NeighboursConfig
from engine.model.neighbours import NeighbourTable
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.words import FEWEST_DESCRIBED, learn_features, weigh_words
from pipelines.neighbours.sparse import strongest_entries

if TYPE_CHECKING:
    from scipy.sparse import csr_array


_MOST_NEIGHBOURS_OF = 20_000
"""Of larger catalogues only so many movies are anyone's neighbours: the most reviewed ones."""
_SCORES_AT_ONCE = 2**23
_ROWS_AT_ONCE = 2**13


def content_features(words: csr_array, config: ColdConfig) -> Floats | None:
    """What metadata says of movies, as vectors whose inner products are cosines.

    Args:
        words: counted words, float32 [num_movies, NUM_COLUMNS].
        config: how many words and features.

    Returns:
        float32 [num_movies, num_features], of length 1, or 0 where nothing is known of a movie; None where
        too few are described.
    """
    described = np.flatnonzero(np.diff(words.indptr))
    if len(described) < FEWEST_DESCRIBED:
        return None
    columns, rarities, components = learn_features(words[described], config.max_words, config.features)
    features = np.asarray(weigh_words(words[:, columns], rarities) @ components, dtype=np.float32)
    lengths = np.sqrt(np.square(features).sum(axis=1, keepdims=True))
    return np.asarray(features / np.maximum(lengths, 1e-9), dtype=np.float32)


def content_table(
    reviews: Reviews, features: Floats | None, config: NeighboursConfig
) -> NeighbourTable | None:
    """The movies most alike, as configured, for what the reviews say is known; None where nothing is."""
    if features is None or not config.num_content_neighbours:
        return None
    counts = np.bincount(reviews.movie_rows, minlength=reviews.num_movies)
    return content_neighbours(features, counts, config.num_content_neighbours)


def content_neighbours(features: Floats, counts: NDArray[np.integer], num_neighbours: int) -> NeighbourTable:
    """The movies most alike by metadata; their weight is the cosine times the root of their reviews.

    Of movies that are equally alike people come to the known ones.

    Args:
        features: as `content_features` gives them.
        counts: int [num_movies], reviews of each movie.
        num_neighbours: how many are kept of each movie.
    """
    order = np.lexsort((np.arange(len(counts)), -counts))[:_MOST_NEIGHBOURS_OF]
    found = np.sort(order[counts[order] > 0])
    strengths = features[found] * np.sqrt(counts[found, None]).astype(np.float32)
    width = min(num_neighbours, len(found))
    step = max(1, _SCORES_AT_ONCE // max(len(found), 1))
    columns, weights = [], []
    for begin in range(0, len(features), step):
        scores = features[begin : begin + step] @ strengths.T
        scores[found == np.arange(begin, begin + len(scores))[:, None]] = 0.0
        best = np.sort(np.argpartition(-scores, width - 1, axis=1)[:, :width], axis=1)
        columns.append(found[best])
        weights.append(np.take_along_axis(scores, best, axis=1))
    return _table(np.concatenate(columns), np.concatenate(weights))


def _table(columns: NDArray[np.int64], weights: Floats) -> NeighbourTable:
    """The positive ones of weights, each row a movie's."""
    present = weights > 0
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
    return NeighbourTable(offsets, columns[present].astype(np.int32), weights[present])


def with_content(table: NeighbourTable, content: NeighbourTable, weight: float) -> NeighbourTable:
    """The sum of two tables; of each movie as many neighbours are kept as the longer list of either has.

    Args:
        table: of movies that are near by reviews.
        content: of movies that are alike.
        weight: of the likeness.
    """
    from scipy.sparse import csr_array

    num_movies = table.num_movies
    near, alike = (
        csr_array((one.weights, one.movie_rows, one.offsets), shape=(num_movies, num_movies))
        for one in (table, content)
    )
    most = int(max(np.diff(table.offsets).max(), np.diff(content.offsets).max()))
    lengths, columns, weights = [], [], []
    for begin in range(0, num_movies, _ROWS_AT_ONCE):
        part = slice(begin, min(begin + _ROWS_AT_ONCE, num_movies))
        both = csr_array(near[part] + np.float32(weight) * alike[part])
        rows, neighbours, sums = strongest_entries(both, most)
        lengths.append(np.bincount(rows, minlength=both.shape[0]))
        columns.append(neighbours.astype(np.int32))
        weights.append(sums)
    offsets = np.concatenate([[0], *lengths]).cumsum().astype(np.int64)
    return NeighbourTable(offsets, np.concatenate(columns), np.concatenate(weights))
