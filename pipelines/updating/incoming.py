"""New reviews out of their files, by the rows that an index has for their movies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from engine.artifact.ids import IdTable
from engine.errors import DataError
from pipelines.dataset.reviews import level_rows_of

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """Reviews of movies that an index holds, one a pair.

    Attributes:
        reviewer_ids: the reviewers, in the order of their ids' bytes.
        places: int64 [num_reviews], which of them wrote each.
        movie_rows: int64 [num_reviews], in the rows of the index.
        ratings: float64 [num_reviews]; 0 where the index has none.
        level_rows: int8 [num_reviews], the nearest levels.
        times: int64 [num_reviews], unix seconds; 0 where they are unknown.
        num_unknown_reviews: reviews that were left out, of movies that the index does not hold.
        num_unknown_movies: how many such movies there are.
    """

    reviewer_ids: Sequence[str]
    places: Rows
    movie_rows: Rows
    ratings: NDArray[np.float64]
    level_rows: NDArray[np.int8]
    times: Rows
    num_unknown_reviews: int
    num_unknown_movies: int


def read_incoming(
    database: duckdb.DuckDBPyConnection, movies: IdTable, levels: NDArray[np.float32]
) -> Incoming:
    """Reads the reviews that were taken in.

    Args:
        database: where `ingest` has run.
        movies: the ids of the index.
        levels: float32 [num_levels], its ratings; empty where it has none.

    Raises:
        DataError: the index has ratings and the reviews have none, or others; or it holds none of the movies.
    """
    columns = database.execute(
        "select reviewer_row, movie_row, rating, coalesce(unix_review_time, 0) as time from reviews "
        "order by reviewer_row, time, file, line"
    ).fetchnumpy()
    reviewer_ids = _ids(database, "select reviewer_id from reviewers order by reviewer_row")
    movie_ids = _ids(database, "select movie_id from movies order by movie_row")
    rows = movies.rows(movie_ids)
    movie_rows = rows[np.asarray(columns["movie_row"])]
    known = movie_rows >= 0
    if not known.any():
        raise DataError(
            f"The index holds none of the {len(movie_ids):,} movies of these reviews, such as "
            f"{movie_ids[0]!r}; do the ids fit? Movies join with a new build"
        )
    ratings = np.zeros(len(known))
    if len(levels):
        ratings = _checked_ratings(np.ma.asarray(columns["rating"], dtype=np.float64), levels)
    level_rows = level_rows_of(ratings, levels) if len(levels) else np.zeros(len(known), dtype=np.int8)
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


def _checked_ratings(ratings: np.ma.MaskedArray, levels: NDArray[np.float32]) -> NDArray[np.float64]:
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


def _ids(database: duckdb.DuckDBPyConnection, statement: str) -> list[str]:
    return [text for (text,) in database.execute(statement).fetchall()]
