"""Holds the prepared reviews as arrays, sorted by reviewer and time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows
from engine.errors import DataError
from engine.model.histories import Histories
from pipelines.work.database import count_rows

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

MAX_LEVELS = 40
"""Different ratings up to which each is a level; data with more of them is rounded to even steps."""


@dataclass(frozen=True, kw_only=True)
class Reviews:
    """Holds reviews by reviewer, time and place in the files, so that each reviewer's history is one slice.

    Equal times are common; if movies ordered them, a reviewer's last reviews would be of the movies with the
    highest rows.

    Attributes:
        reviewer_rows: int32 [num_reviews], not decreasing.
        movie_rows: int32 [num_reviews].
        level_rows: int8 [num_reviews], positions in `levels`; all 0 where the data has no ratings.
        times: int64 [num_reviews], unix seconds; 0 where the data has no times.
        levels: float32 [num_levels], the ratings found in the data, ascending; empty where it has none.
        num_reviewers, num_movies: how many there are, with or without reviews here.
        sentiment: float32 [num_reviews], of the texts, from -1 to 1, NaN where a text says none; None where
            sentiment was not asked for.
    """

    reviewer_rows: NDArray[np.int32]
    movie_rows: NDArray[np.int32]
    level_rows: NDArray[np.int8]
    times: Rows
    levels: Floats
    num_reviewers: int
    num_movies: int
    sentiment: Floats | None = None

    def __len__(self) -> int:
        return len(self.movie_rows)

    @property
    def has_ratings(self) -> bool:
        """Tells whether the data says how much a movie was liked, not only that it was reviewed."""
        return len(self.levels) > 0

    @property
    def ratings(self) -> Floats:
        """Returns the ratings themselves, float32 [num_reviews].

        Raises:
            DataError: the data has no ratings.
        """
        if not self.has_ratings:
            raise DataError("These reviews carry no ratings")
        return self.levels[self.level_rows]

    def offsets(self) -> Rows:
        """Returns where each reviewer's slice begins, and the last one ends: int64 [num_reviewers + 1]."""
        counts = np.bincount(self.reviewer_rows, minlength=self.num_reviewers)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def likes(self, like_rating: float) -> NDArray[np.bool_]:
        """Marks the reviews rated `like_rating` or more, and all reviews where there are no ratings."""
        if not self.has_ratings:
            return np.ones(len(self), dtype=bool)
        return self.ratings >= like_rating

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Reviews:
        """Returns the reviews that are `chosen`, bool [num_reviews]; reviewers and movies keep their rows.

        `chosen` may be positions in another order, if each reviewer's reviews stay a slice in the same place.
        """
        return replace(
            self,
            reviewer_rows=self.reviewer_rows[chosen],
            movie_rows=self.movie_rows[chosen],
            level_rows=self.level_rows[chosen],
            times=self.times[chosen],
            sentiment=None if self.sentiment is None else self.sentiment[chosen],
        )


def make_reviews(
    reviewer_rows: NDArray[np.integer],
    movie_rows: NDArray[np.integer],
    ratings: NDArray[np.floating] | None,
    times: NDArray[np.integer] | None,
    *,
    num_reviewers: int,
    num_movies: int,
    levels: Floats | None = None,
) -> Reviews:
    """Sorts reviews and finds the rating levels; equally late reviews of a reviewer stay in the order given.

    All four arrays are [num_reviews]. `ratings` and `times`, unix seconds, are None where the data has none.
    Where the rating levels are known from other reviews, each rating counts as the nearest of `levels`.

    Raises:
        DataError: all the ratings are equal, so that nothing can be learned from them.
    """
    when = np.zeros(len(movie_rows), dtype=np.int64) if times is None else times.astype(np.int64)
    if ratings is None:
        found, level_rows = np.zeros(0, np.float32), np.zeros(len(movie_rows), dtype=np.int8)
    else:
        found = rating_levels(ratings) if levels is None else levels
        level_rows = level_rows_of(ratings, found)
    order = np.lexsort((when, reviewer_rows))
    return Reviews(
        reviewer_rows=reviewer_rows[order].astype(np.int32),
        movie_rows=movie_rows[order].astype(np.int32),
        level_rows=level_rows[order],
        times=when[order],
        levels=found,
        num_reviewers=num_reviewers,
        num_movies=num_movies,
    )


def level_rows_of(ratings: NDArray[np.floating], levels: Floats) -> NDArray[np.int8]:
    """Finds the level nearest to each rating, the higher one of two: positions, int8 [num_ratings]."""
    middles = (levels[1:] + levels[:-1]) / 2
    return np.searchsorted(middles, ratings, side="right").astype(np.int8)


def rating_levels(ratings: NDArray[np.floating]) -> Floats:
    """Finds the different ratings, ascending, or 20 even steps where there are more than MAX_LEVELS.

    Raises:
        DataError: all ratings are equal.
    """
    levels = np.unique(ratings).astype(np.float32)
    if len(levels) == 1:
        raise DataError(
            f"All {len(ratings):,} ratings are {levels[0]:g}, so nothing tells a liked movie from another; "
            "expected at least two different ratings; give a table without its rating column to build from "
            "who reviewed what alone"
        )
    if len(levels) > MAX_LEVELS:
        logger.info("Rounding %s different ratings to 20 even steps", len(levels))
        return np.linspace(levels[0], levels[-1], 20, dtype=np.float32)
    return levels


def default_like_rating(levels: Floats) -> float:
    """Returns the lowest level at or above three quarters of the way up the scale: 4 for 1..5 stars."""
    if len(levels) == 0:
        return 0.0
    low, high = float(levels[0]), float(levels[-1])
    return float(levels[np.searchsorted(levels, low + 0.75 * (high - low) - 1e-6)])


def read_columns(
    database: duckdb.DuckDBPyConnection, columns: str, **parameters: float
) -> dict[str, NDArray[Any]]:
    """Reads columns of the prepared reviews by name, ordered by reviewer, time, file and line.

    `columns` are expressions in SQL, separated by commas, with values for their `$parameters`. Another column
    is `time`, int64 unix seconds, 0 where a review has none.
    """
    statement = (
        f"select {columns}, coalesce(unix_review_time, 0) as time from reviews "
        "order by reviewer_row, time, file, line"
    )
    found = database.execute(statement, parameters).fetchnumpy()
    return {name: np.ma.asarray(column) for name, column in found.items()}


def ratings_of(column: NDArray[Any]) -> Doubles | None:
    """Turns the column `rating` into float64 [num_reviews], or None if the column is empty."""
    ratings = np.ma.asarray(column, dtype=np.float64)
    return None if np.ma.getmaskarray(ratings).all() else np.asarray(ratings)


def read_reviews(database: duckdb.DuckDBPyConnection) -> Reviews:
    """Reads the prepared reviews out of the work database.

    Raises:
        DataError: all the ratings are equal.
    """
    columns = read_columns(database, "reviewer_row, movie_row, rating")
    return make_reviews(
        np.asarray(columns["reviewer_row"]),
        np.asarray(columns["movie_row"]),
        ratings_of(columns["rating"]),
        np.asarray(columns["time"]),
        num_reviewers=count_rows(database, "reviewers"),
        num_movies=count_rows(database, "movies"),
    )


def histories_of(reviews: Reviews) -> Histories:
    """Returns the reviews as histories."""
    return Histories(reviews.offsets(), reviews.movie_rows, reviews.level_rows)
