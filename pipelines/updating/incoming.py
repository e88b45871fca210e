"""Reads the new reviews of an update from the work database, and finds the rows of the reviewed movies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, distinct, places_held
from engine.artifact.ids import IdTable
from engine.errors import DataError
from engine.feedback.events import CLICK, PURCHASE
from engine.opened import OpenedIndex
from pipelines.dataset.reviews import level_rows_of, read_columns

if TYPE_CHECKING:
    import duckdb


_COLUMNS = """
    reviewer_row, movie_row, rating,
    coalesce((
        select any_value(kind) from implicit_reviews
        where implicit_reviews.file = reviews.file and implicit_reviews.line = reviews.line
    ), '') as kind
"""


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """Holds the new reviews of an update: one per reviewer and movie, and none of an unknown movie."""

    reviewer_ids: Sequence[str]
    """The ids of the reviewers of the new reviews, sorted by UTF-8 bytes."""
    places: Rows
    """int64 [num_reviews], the position of each review's reviewer in `reviewer_ids`."""
    movie_rows: Rows
    """int64 [num_reviews], the row that each review's movie has in the index."""
    ratings: Doubles
    """float64 [num_reviews], the rating of each review; in an index built from counts, the count (such as
    plays); 0 if the index has no ratings."""
    level_rows: NDArray[np.int8]
    """int8 [num_reviews], the position of the rating level that is nearest to each review's rating."""
    times: Rows
    """int64 [num_reviews], the time of each review in unix seconds; 0 for an unknown time."""
    are_clicks: NDArray[np.bool_]
    """bool [num_reviews], True if a review is a click. A click is added only if the index has no review of
    the same movie by the same reviewer."""
    are_purchases: NDArray[np.bool_]
    """bool [num_reviews], True if a review is a purchase. A purchase replaces a review of the same movie by
    the same reviewer only if the rating level of that review is lower than the rating level of the
    purchase."""
    num_unknown_reviews: int
    """The number of reviews that were left out because the index does not hold the reviewed movie."""
    num_unknown_movies: int
    """The number of reviewed movies that the index does not hold."""
    num_outweighed: int = 0
    """The number of clicks and purchases that were left out in favour of a review in the index by the same
    reviewer of the same movie. The function `without_outweighed` decides which clicks and purchases are left
    out."""

    @classmethod
    def nothing(cls) -> Incoming:
        """Returns an `Incoming` that holds no reviews."""
        rows, marks = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
        return cls(
            reviewer_ids=(),
            places=rows,
            movie_rows=rows,
            ratings=np.zeros(0),
            level_rows=np.zeros(0, dtype=np.int8),
            times=rows,
            are_clicks=marks,
            are_purchases=marks,
            num_unknown_reviews=0,
            num_unknown_movies=0,
        )


def read_incoming(
    database: duckdb.DuckDBPyConnection,
    movies: IdTable,
    levels: Floats,
    like_count: float | None = None,
    *,
    needed: bool = True,
) -> Incoming:
    """Reads the new reviews of an update from the work database, and leaves out reviews of unknown movies.

    Args:
        database: the work database with the tables of the new reviews.
        movies: the movie ids of the index.
        levels: the rating levels of the index, such as 1 to 5 stars, float32 [num_levels]; empty if the index
            has no ratings.
        like_count: the least count (such as plays) that is a like, in an index built from counts; None for
            other indexes.
        needed: whether the index must hold at least one of the reviewed movies.

    Raises:
        DataError: the index holds none of the reviewed movies although `needed` is true; a new review has no
            rating, or a rating outside the rating levels, although the index has ratings.
    """
    columns = read_columns(database, _COLUMNS)
    reviewer_ids = _read_ids(database, "select reviewer_id from reviewers order by reviewer_row")
    movie_ids = _read_ids(database, "select movie_id from movies order by movie_row")
    rows = movies.rows(movie_ids)
    movie_rows = rows[np.asarray(columns["movie_row"])]
    known = movie_rows >= 0
    if needed and not known.any():
        raise DataError(
            f"The index holds none of the {len(movie_ids):,} movies of these reviews, such as "
            f"{movie_ids[0]!r}; check that the ids are of the same kind. Movies join with engine add-movies "
            "or a new build."
        )
    ratings, level_rows = np.zeros(len(known)), np.zeros(len(known), dtype=np.int8)
    if len(levels):
        given = np.ma.asarray(columns["rating"], dtype=np.float64)
        if like_count is None:
            ratings = _checked_ratings(given, levels)
            level_rows = level_rows_of(ratings, levels)
        else:
            ratings = _require_ratings(given, "counts")
            level_rows = (ratings >= like_count).astype(np.int8)
    numbers, places = np.unique(np.asarray(columns["reviewer_row"])[known], return_inverse=True)
    return Incoming(
        reviewer_ids=[reviewer_ids[number] for number in numbers.tolist()],
        places=places.astype(np.int64),
        movie_rows=movie_rows[known],
        ratings=ratings[known],
        level_rows=level_rows[known],
        times=np.asarray(columns["time"], dtype=np.int64)[known],
        are_clicks=np.asarray(columns["kind"] == CLICK)[known],
        are_purchases=np.asarray(columns["kind"] == PURCHASE)[known],
        num_unknown_reviews=int((~known).sum()),
        num_unknown_movies=int((rows < 0).sum()),
    )


def without_outweighed(incoming: Incoming, before: OpenedIndex) -> Incoming:
    """Drops the clicks and purchases that must not replace a review in the index.

    A click is dropped if the index holds a review of the same movie by the same reviewer. A purchase is
    dropped if the index holds a review of the same movie by the same reviewer, and the rating level of the
    review is at least as high as the rating level of the purchase.
    """
    rows = before.reviewers.rows(incoming.reviewer_ids)[incoming.places]
    implicit = np.flatnonzero((incoming.are_clicks | incoming.are_purchases) & (rows >= 0))
    num_movies = len(before.movies)
    reviewers = distinct(rows[implicit])
    histories = before.model.histories.take(reviewers)
    held = histories.places * num_movies + histories.movie_rows
    order = np.argsort(held)
    asked = np.searchsorted(reviewers, rows[implicit]) * num_movies + incoming.movie_rows[implicit]
    found, places = places_held(held[order], asked)
    levels = histories.level_rows[order][places]
    outweighed = incoming.are_clicks[implicit[found]] | (incoming.level_rows[implicit[found]] <= levels)
    kept = np.ones(len(rows), dtype=bool)
    kept[implicit[found[outweighed]]] = False
    columns: dict[str, Any] = {
        name: value[kept] for name, value in vars(incoming).items() if isinstance(value, np.ndarray)
    }
    return replace(incoming, **columns, num_outweighed=int((~kept).sum()))


def _checked_ratings(ratings: np.ma.MaskedArray, levels: Floats) -> Doubles:
    low, high = float(levels[0]), float(levels[-1])
    values = _require_ratings(ratings, f"ratings of {low:g} to {high:g}")
    beyond = (values < low) | (values > high)
    if beyond.any():
        raise DataError(
            f"{int(beyond.sum()):,} of the {len(values):,} ratings, such as {values[beyond][0]:g}, are "
            f"beyond those of the index, {low:g} to {high:g}; give ratings of the same scale, or build again"
        )
    return values


def _require_ratings(ratings: np.ma.MaskedArray, built_from: str) -> Doubles:
    if np.ma.getmaskarray(ratings).any():
        raise DataError(
            f"These reviews have no ratings, but the index was built from {built_from}; give reviews with "
            "ratings"
        )
    return np.asarray(ratings, dtype=np.float64)


def _read_ids(database: duckdb.DuckDBPyConnection, statement: str) -> list[str]:
    return [text for (text,) in database.execute(statement).fetchall()]
