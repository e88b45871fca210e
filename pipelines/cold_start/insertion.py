"""Inserts movies and reviews into the arrays of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.artifact.layout import NEIGHBOUR_ARRAYS
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Model
from pipelines.cold_start.mapping import MovieVectors
from pipelines.cold_start.neighbours import Edges
from pipelines.export.rows import insert_rows, rows_beside


def insert_movies(
    model: Model, new_rows: NDArray[np.integer], vectors: MovieVectors, edges: Mapping[str, Edges]
) -> Model:
    """Returns a copy of a model in which new movies, which have no reviews, are inserted.

    Args:
        model: the model to copy, which is not changed.
        new_rows: the rows of the new movies in the returned model, int [num_new], ascending.
        vectors: the vectors of the new movies, in the order of `new_rows`.
        edges: for each neighbour table, by name, the pairs of a new movie and an old movie that become
            neighbours; tables that are not named get no pairs.
    """
    of_old = MovieVectors.of(model)
    tables = {
        name: insert_into_table(table, new_rows, edges.get(name))
        for name in NEIGHBOUR_ARRAYS
        if (table := getattr(model, name)) is not None
    }
    histories = model.histories
    movie_rows = rows_beside(new_rows, model.num_movies)[histories.movie_rows].astype(np.int32)
    doubts = model.doubts
    if doubts is not None:
        are_cold = np.ones(len(new_rows), dtype=bool)
        doubts = replace(doubts, is_cold=insert_rows(doubts.is_cold, are_cold, new_rows))
    joined = replace(
        model,
        histories=Histories(histories.offsets, movie_rows, histories.level_rows),
        doubts=doubts,
        **cast("dict[str, Any]", tables),
    )
    return of_old.split(insert_rows(of_old.table(), vectors.table(), new_rows)).into(joined)


def insert_into_table(
    table: NeighbourTable, new_rows: NDArray[np.integer], edges: Edges | None
) -> NeighbourTable:
    """Returns a copy of a neighbour table in which new movies are inserted.

    The new movies get the rows `new_rows`, which must be ascending. The argument `edges` holds the pairs of a
    new movie and a movie of `table` that become neighbours. If `edges` is None, the new movies have no
    neighbours. If a movie of `table` gets new movies as neighbours, the new movies come after the neighbours
    that the movie has in `table`.
    """
    num_old, inserted = table.num_movies, np.asarray(new_rows, dtype=np.int64)
    old_rows = rows_beside(inserted, num_old)
    sources = [np.repeat(old_rows, np.diff(table.offsets))]
    neighbours, weights = [old_rows[table.movie_rows]], [np.asarray(table.weights)]
    if edges is not None:
        outgoing = edges.outgoing
        sources += [old_rows[edges.sources], np.repeat(inserted, np.diff(outgoing.offsets))]
        neighbours += [inserted[edges.new_places], old_rows[outgoing.movie_rows]]
        weights += [edges.weights, outgoing.weights]
    every_source = np.concatenate(sources)
    # A stable sort keeps the order of each movie's old neighbours, and puts new neighbours after old
    # neighbours.
    order = np.argsort(every_source, kind="stable")
    lengths = np.bincount(every_source, minlength=num_old + len(inserted))
    return NeighbourTable(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate(neighbours)[order].astype(np.int32),
        np.concatenate(weights)[order].astype(np.float32),
    )


def insert_reviews(
    histories: Histories,
    times: NDArray[np.integer],
    reviewer_rows: NDArray[np.integer],
    movie_rows: NDArray[np.integer],
    level_rows: NDArray[np.integer],
    new_times: NDArray[np.integer],
) -> tuple[Histories, NDArray[np.int64]]:
    """Inserts new reviews into reviewers' histories, which stay sorted by time.

    If a new review and an old review have the same time, the new review comes after the old review.

    Args:
        histories: the old reviews.
        times: the times of the old reviews in unix seconds, int [num_old].
        reviewer_rows: the reviewer row of each new review, int [num_new].
        movie_rows: the movie row of each new review, int [num_new].
        level_rows: the position of each new review's rating in the ascending list of rating levels, int
            [num_new].
        new_times: the times of the new reviews in unix seconds, int [num_new].

    Returns:
        The histories with old and new reviews, and the time of each old and new review in the order of the
        histories, int64 [num_old + num_new].
    """
    owners = np.concatenate([histories.places, reviewer_rows])
    all_times = np.concatenate([times, new_times]).astype(np.int64)
    order = np.lexsort((all_times, owners))
    counts = np.bincount(owners, minlength=len(histories))
    merged = Histories(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([histories.movie_rows, movie_rows])[order].astype(np.int32),
        np.concatenate([histories.level_rows, level_rows])[order].astype(np.int8),
    )
    return merged, all_times[order]
