"""Reads new reviews out of the prepared tables, by the rows that an index has for their movies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows
from engine.artifact.ids import IdTable
from engine.errors import DataError
from pipelines.dataset.reviews import level_rows_of, read_columns

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """Holds new reviews of movies that an index holds, at most one of each reviewer and movie."""

    reviewer_ids: Sequence[str]
    """The reviewers, in the order of their ids' bytes."""
    places: Rows
    """int64 [num_reviews], the position of each review's reviewer in `reviewer_ids`."""
    movie_rows: Rows
    """int64 [num_reviews], in the rows of the index."""
    ratings: Doubles
    """float64 [num_reviews]; 0 where the index has none."""
    level_rows: NDArray[np.int8]
    """int8 [num_reviews], the nearest rating levels of the index."""
    times: Rows
    """int64 [num_reviews], unix seconds; 0 where they are unknown."""
    num_unknown_reviews: int
    """Reviews that were left out, as the index does not hold their movies."""
    num_unknown_movies: int


def read_incoming(database: duckdb.DuckDBPyConnection, movies: IdTable, levels: Floats) -> Incoming:
    """Reads the ingested reviews of an update, by the movie ids and the rating levels of the index.

    The levels are float32 [num_levels], empty where the index has no ratings.

    Raises:
        DataError: the index holds none of the movies, or it has ratings and the reviews have none or lie
            outside of them.
    """
    columns = read_columns(database, "reviewer_row, movie_row, rating")
    reviewer_ids = _read_ids(database, "select reviewer_id from reviewers order by reviewer_row")
    movie_ids = _read_ids(database, "select movie_id from movies order by movie_row")
    rows = movies.rows(movie_ids)
    movie_rows = rows[np.asarray(columns["movie_row"])]
    known = movie_rows >= 0
    if not known.any():
        raise DataError(
            f"The index holds none of the {len(movie_ids):,} movies of these reviews, such as "
            f"{movie_ids[0]!r}; check that the ids are of the same kind. Movies join with engine add-movies "
            "or a new build."
        )
    ratings, level_rows = np.zeros(len(known)), np.zeros(len(known), dtype=np.int8)
    if len(levels):
        ratings = _checked_ratings(np.ma.asarray(columns["rating"], dtype=np.float64), levels)
        level_rows = level_rows_of(ratings, levels)
    numbers, places = np.unique(np.asarray(columns["reviewer_row"])[known], return_inverse=True)
    return Incoming(
        reviewer_ids=[reviewer_ids[number] for number in numbers.tolist()],
        places=places.astype(np.int64),
        movie_rows=movie_rows[known],
        ratings=ratings[known],
        level_rows=level_rows[known],
        times=np.asarray(columns["time"], dtype=np.int64)[known],
        num_unknown_reviews=int((~known).sum()),
        num_unknown_movies=int((rows < 0).sum()),
    )


def _checked_ratings(ratings: np.ma.MaskedArray, levels: Floats) -> Doubles:
    low, high = float(levels[0]), float(levels[-1])
    if np.ma.getmaskarray(ratings).any():
        raise DataError(
            f"These reviews have no ratings, but the index was built from ratings of {low:g} to {high:g}; "
            "give reviews with ratings"
        )
    values = np.asarray(ratings, dtype=np.float64)
    beyond = (values < low) | (values > high)
    if beyond.any():
        raise DataError(
            f"{int(beyond.sum()):,} of the {len(values):,} ratings, such as {values[beyond][0]:g}, are "
            f"beyond those of the index, {low:g} to {high:g}; give ratings of the same scale, or build again"
        )
    return values


def _read_ids(database: duckdb.DuckDBPyConnection, statement: str) -> list[str]:
    return [text for (text,) in database.execute(statement).fetchall()]
