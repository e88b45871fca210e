"""Writes what was learned into an artifact: the model's arrays, the ids, and the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.artifact.ids import build_id_arrays
from engine.artifact.layout import HISTORY_TIMES, MOVIE_COUNTS, POPULARITY
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.variants import build_variant_arrays
from engine.model.histories import Histories
from engine.model.scorer import Model
from engine.model.storage import model_arrays, model_section
from pipelines.dataset.films import variant_films
from pipelines.dataset.movie_figures import popularity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_BATCH = 100_000


def write_model(model: Model, writer: ArtifactWriter) -> None:
    """Adds every array of the model, and the manifest's section `model`."""
    for name, array in model_arrays(model).items():
        writer.add_array(name, array)
    writer.add_section("model", model_section(model))


def write_ids(database: duckdb.DuckDBPyConnection, writer: ArtifactWriter) -> None:
    """Adds the ids of reviewers and movies, in the order of their rows, from the prepared tables."""
    for kind, statement in (
        ("reviewer", "select reviewer_id from reviewers order by reviewer_row"),
        ("movie", "select movie_id from movies order by movie_row"),
    ):
        data, offsets = build_id_arrays(_column(database, statement))
        writer.add_array(f"{kind}_ids", data)
        writer.add_array(f"{kind}_id_offsets", offsets)


def write_variants(database: duckdb.DuckDBPyConnection, writer: ArtifactWriter) -> None:
    """Adds which movies are one film, and how many reviews each has: int32 [num_movies]."""
    for name, array in build_variant_arrays(variant_films(database)).items():
        writer.add_array(name, array)
    counts = database.execute(
        "select coalesce(movie_count, 0) as movie_count from movies order by movie_row"
    ).fetchnumpy()
    writer.add_array(MOVIE_COUNTS, np.asarray(counts["movie_count"], dtype=np.int32))


def _column(database: duckdb.DuckDBPyConnection, statement: str) -> Iterator[str]:
    result = database.execute(statement)
    while batch := result.fetchmany(_BATCH):
        yield from (row[0] for row in batch)


def write_times(times: NDArray[np.integer], writer: ArtifactWriter) -> None:
    """Adds the array `history_times`: int [num_reviews], unix seconds, in the order of the histories."""
    small = not len(times) or (times.min() >= 0 and times.max() < 2**31)
    writer.add_array(HISTORY_TIMES, times.astype(np.int32 if small else np.int64))


def write_popularity(
    model: Model,
    histories: Histories,
    times: NDArray[np.integer],
    half_life_days: float,
    writer: ArtifactWriter,
) -> None:
    """Adds the array `movie_popularity`; the arguments are those of `popularity_of`."""
    writer.add_array(POPULARITY, popularity_of(model, histories, times, half_life_days))
