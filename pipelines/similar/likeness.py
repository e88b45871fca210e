"""Adds up several kinds of similarity of movies, and builds the table of the movies most like each movie."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows, k_highest, k_highest_of_rows
from engine.artifact.arrays import damage_of
from engine.artifact.layout import SIMILAR_ARRAYS, SIMILAR_SECTION
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.model.neighbours import NeighbourTable
from engine.model.similar import SimilarTable
from pipelines.similar.evidence import Evidence, in_units

logger = logging.getLogger(__name__)

NUM_SIMILAR = 100
"""The largest number of similar movies of a movie that the table of similar movies holds."""
MOST_COMPARED = 20_000
"""Every movie is compared by vectors and metadata with at most this many movies, the most reviewed ones, and
with the movies that share reviewers with the movie. A comparison with all movies would take a time that grows
with the square of the number of movies."""
_SCORES_AT_ONCE = 2**23
"""The number of scores in memory at once: 32 MiB of float32."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Holds the weights with which the kinds of similarity are added up; `choose_weights` learns the weights.

    The weights `sittings`, `likes`, `vectors`, `categories` and `words` sum to 1.
    """

    sittings: float = 0.2
    """The weight of a similarity that comes from the positions of reviews in reviewers' histories. The
    similarity of two movies is high if many reviewers review one movie at most 20 reviews before or after the
    other movie, more often than the movies' popularity explains."""
    likes: float = 0.2
    """The weight of a similarity that is high if more reviewers like both of two movies than the movies'
    popularity explains."""
    vectors: float = 0.2
    """The weight of the cosine of two movies' vectors in the model."""
    categories: float = 0.2
    """The weight of the cosine of two movies' categories; rare categories count more than frequent ones."""
    words: float = 0.2
    """The weight of the cosine of the words in two movies' brand, description, price and year."""
    series: float = 0.5
    """The number that is added for two movies of one series with the same year; half of the number is added
    for two movies of one series that are many years apart."""
    shrinkage: float = 3.0
    """A number that lowers the similarities of the kinds `sittings` and `likes` for movies with few reviews,
    so that metadata decides for these movies. Each similarity of the kinds `sittings` and `likes` is divided
    by a sum: the shrinkage plus the mean of the movie's ten highest similarities of the same kind."""

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Weights:
        """Restores weights from the manifest of an index; raises ValueError if a weight is missing."""
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in values]:
            raise ValueError(f"the weights of similar movies lack {missing[0]}")
        return cls(**{name: float(values[name]) for name in names})


def similar_table(evidence: Evidence, weights: Weights) -> SimilarTable:
    """Finds the movies most like each movie, at most NUM_SIMILAR, by a weighted sum of several similarities.

    In the table, the similarity of two movies is the weighted sum divided by 1 + `weights.series`, which is
    the sum of all weights. The similarity of two movies is at most 1: a greater quotient is lowered to 1.
    """
    parts = list(_similar(evidence, weights))
    rows, similarities = (np.concatenate(column) for column in zip(*parts, strict=True))
    present = similarities > 0
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
    table = NeighbourTable(offsets, rows[present].astype(np.int32), similarities[present])
    return SimilarTable(table, evidence.shared(table))


def write_similar(table: SimilarTable, weights: Weights, writer: ArtifactWriter) -> None:
    """Writes the table of similar movies to an index.

    The weights of the kinds of similarity, with which the table was built, are written to the manifest of the
    index.
    """
    arrays: dict[str, NDArray[Any]] = {
        "offsets": table.table.offsets,
        "movie_rows": table.table.movie_rows,
        "weights": table.table.weights,
        "shared": table.shared,
    }
    for field, name in SIMILAR_ARRAYS.items():
        writer.add_array(name, arrays[field])
    writer.add_section(SIMILAR_SECTION, {"weights": asdict(weights)})


def similar_weights(artifact: Artifact) -> Weights:
    """Returns the weights with which the table of similar movies of an index was built.

    Raises:
        ArtifactCorruptError: the manifest lacks a weight.
    """
    try:
        return Weights.from_dict(artifact.section(SIMILAR_SECTION)["weights"])
    except ValueError as error:
        raise damage_of("similar movies") from error


def _similar(evidence: Evidence, weights: Weights) -> Iterator[tuple[Rows, Floats]]:
    """Yields the most similar movies for one block of movies after another, most similar movie first.

    A yielded pair holds the rows and the similarities of the similar movies, each [num_movies_in_block,
    kept].
    """
    traits, num_movies = evidence.traits, evidence.num_movies
    kept = min(NUM_SIMILAR, num_movies)
    vectors = np.hstack(
        [
            np.sqrt(np.float32(weight)) * each
            for weight, each in (
                (weights.vectors, evidence.vectors),
                (weights.categories, traits.categories),
                (weights.words, traits.words),
            )
        ]
    )
    compared = _most_reviewed(evidence)
    is_compared = np.zeros(num_movies, dtype=bool)
    is_compared[compared] = True
    directions = vectors[compared].T
    column_of = np.zeros(num_movies, dtype=np.int64)
    most = 1 + weights.series
    step = max(1, _SCORES_AT_ONCE // min(num_movies, 2 * MOST_COMPARED))
    for begin in range(0, num_movies, step):
        rows = np.arange(begin, min(begin + step, num_movies))
        sittings, likes = (in_units(each, weights.shrinkage) for each in evidence.pairs(rows))
        together = (np.float32(weights.sittings) * sittings + np.float32(weights.likes) * likes).tocsr()
        series = [traits.of_one_series(row) for row in rows.tolist()]
        wanted = np.unique(np.concatenate([together.indices, rows, *series]))
        columns = np.concatenate([compared, wanted[~is_compared[wanted]]])
        column_of[columns] = np.arange(len(columns))
        scores = np.zeros((len(rows), len(columns)), dtype=np.float32)
        np.matmul(vectors[rows], directions, out=scores[:, : len(compared)])
        places = np.repeat(np.arange(len(rows)), np.diff(together.indptr))
        missing = ~is_compared[together.indices]
        pairs = places[missing], together.indices[missing]
        scores[pairs[0], column_of[pairs[1]]] = np.einsum(
            "nd,nd->n", vectors[rows[pairs[0]]], vectors[pairs[1]]
        )
        scores[places, column_of[together.indices]] += together.data
        for place, (row, of_series) in enumerate(zip(rows.tolist(), series, strict=True)):
            if len(of_series):
                nearness = traits.nearness_in_series(row, of_series)
                scores[place, column_of[of_series]] += np.float32(weights.series) * nearness
        scores[np.arange(len(rows)), column_of[rows]] = -np.inf
        best = k_highest_of_rows(scores, kept)
        found = np.take_along_axis(scores, best, axis=1) / np.float32(most)
        yield columns[best], np.minimum(found, np.float32(1))


def _most_reviewed(evidence: Evidence) -> Rows:
    counts = evidence.model.histories.movie_counts(evidence.num_movies)
    return np.sort(k_highest(counts, MOST_COMPARED))
