"""Inserts movies into the arrays of a model: rows are ranks of ids, so whatever holds rows is renumbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Model
from pipelines.cold_start.mapping import MovieVectors
from pipelines.cold_start.neighbours import Edges
from pipelines.export.rows import insert_rows, rows_beside

TABLES = ("neighbours", "chosen_neighbours", "rating_neighbours")
"""The tables of neighbours that a model may have."""


def insert_movies(
    model: Model, new_rows: NDArray[np.integer], vectors: MovieVectors, edges: Mapping[str, Edges]
) -> Model:
    """Gives the model with more movies, which nobody has reviewed.

    Args:
        model: the model; it is not changed.
        new_rows: int [num_new], the rows that the new movies will have, ascending.
        vectors: theirs, in the order of `new_rows`.
        edges: by the table's name what the new movies add to it; a table that is not named gets none.
    """
    of_old = MovieVectors.of(model)
    old_rows = rows_beside(new_rows, model.num_movies)
    tables = {
        name: None if (table := getattr(model, name)) is None else insert_into_table(table, new_rows, given)
        for name, given in ((name, edges.get(name)) for name in TABLES)
    }
    histories = model.histories
    joined = replace(
        model,
        histories=Histories(
            histories.offsets, old_rows[histories.movie_rows].astype(np.int32), histories.level_rows
        ),
        **cast("dict[str, Any]", tables),
    )
    return of_old.split(insert_rows(of_old.table(), vectors.table(), new_rows)).into(joined)


def insert_into_table(
    table: NeighbourTable, new_rows: NDArray[np.integer], edges: Edges | None
) -> NeighbourTable:
    """Inserts movies into a table of neighbours; a movie's new neighbours stand behind those it has.

    Args:
        table: of the old movies.
        new_rows: int [num_new], the rows that the new movies will have, ascending.
        edges: their neighbours, of both directions, or None where they have none.
    """
    num_old, inserted = table.num_movies, np.asarray(new_rows, dtype=np.int64)
    old_rows = rows_beside(inserted, num_old)
    old_sources = np.repeat(old_rows, np.diff(table.offsets))
    sources, weights = [old_sources], [np.asarray(table.weights)]
    neighbours = [old_rows[table.movie_rows]]
    if edges is not None:
        outgoing = edges.outgoing
        sources += [old_rows[edges.sources], np.repeat(inserted, np.diff(outgoing.offsets))]
        neighbours += [inserted[edges.new_places], old_rows[outgoing.movie_rows]]
        weights += [edges.weights, outgoing.weights]
    every_source = np.concatenate(sources)
    # Stable, so that each movie's neighbours keep their order, the new ones behind.
    order = np.argsort(every_source, kind="stable")
    lengths = np.bincount(every_source, minlength=num_old + len(inserted))
    return NeighbourTable(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate(neighbours)[order].astype(np.int32),
        np.concatenate(weights)[order].astype(np.float32),
    )


def add_reviews(
    histories: Histories,
    times: NDArray[np.integer],
    reviewer_rows: NDArray[np.integer],
    movie_rows: NDArray[np.integer],
    level_rows: NDArray[np.integer],
    new_times: NDArray[np.integer],
) -> Histories:
    """Gives the histories with more reviews in the order of time, of equally late ones the new ones last.

    Args:
        histories: the histories; they are not changed.
        times: int [num_reviews], when each of their reviews was written.
        reviewer_rows: int [num_new].
        movie_rows: int [num_new].
        level_rows: int [num_new], positions in the rating levels.
        new_times: int [num_new].
    """
    owners = np.concatenate([histories.places, reviewer_rows])
    order = np.lexsort((np.concatenate([times, new_times]), owners))
    counts = np.bincount(owners, minlength=len(histories))
    return Histories(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([histories.movie_rows, movie_rows])[order].astype(np.int32),
        np.concatenate([histories.level_rows, level_rows])[order].astype(np.int8),
    )
