"""Writes arrays to an index: the ids, the variants of films, the times of reviews, and the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.artifact.ids import build_id_arrays
from engine.artifact.layout import HISTORY_TIMES, ID_ARRAYS, MODEL_SECTION, MOVIE_COUNTS
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.variants import build_variant_arrays
from engine.model.scorer import Model
from pipelines.dataset.films import variant_films

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_ID_STATEMENTS = {
    "reviewer": "select reviewer_id from reviewers order by reviewer_row",
    "movie": "select movie_id from movies order by movie_row",
}
_BATCH = 100_000
"""The number of ids in a batch that is fetched from the database."""


def write_model(model: Model, writer: ArtifactWriter) -> None:
    """Writes every array of a model to an index, and adds the section `model` to the manifest."""
    for name, array in model.arrays().items():
        writer.add_array(name, array)
    writer.add_section(MODEL_SECTION, model.section())


def write_ids(kind: str, database: duckdb.DuckDBPyConnection, writer: ArtifactWriter) -> None:
    """Writes all ids of the kind "reviewer" or "movie" to an index, in the order of rows."""
    data, offsets = build_id_arrays(_read_column(database, _ID_STATEMENTS[kind]))
    data_name, offsets_name = ID_ARRAYS[kind]
    writer.add_array(data_name, data)
    writer.add_array(offsets_name, offsets)


def _read_column(database: duckdb.DuckDBPyConnection, statement: str) -> Iterator[str]:
    result = database.execute(statement)
    while batch := result.fetchmany(_BATCH):
        yield from (value for (value,) in batch)


def write_variants(database: duckdb.DuckDBPyConnection, writer: ArtifactWriter) -> None:
    """Writes the groups of movies that are variants of one film, and each movie's number of reviews."""
    for name, array in build_variant_arrays(variant_films(database)).items():
        writer.add_array(name, array)
    counts = database.execute(
        "select coalesce(movie_count, 0) as movie_count from movies order by movie_row"
    ).fetchnumpy()
    writer.add_array(MOVIE_COUNTS, np.asarray(counts["movie_count"], dtype=np.int32))


def write_times(times: NDArray[np.integer], writer: ArtifactWriter) -> None:
    """Writes the times of all reviews to an index, int [num_reviews], in unix seconds.

    The argument `times` must be in the order of the reviews in the model's histories: reviewer by reviewer.
    The file of times holds int32 numbers if all times fit into int32, and int64 numbers otherwise.
    """
    small = not len(times) or (times.min() >= 0 and times.max() < 2**31)
    writer.add_array(HISTORY_TIMES, times.astype(np.int32 if small else np.int64))
