"""The prepared reviews as arrays: who reviewed what, in the order in which they did."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.model.histories import Histories

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

MAX_LEVELS = 40
"""Sources with more different ratings than this are rounded to even steps."""


BASELINE_DAMPING = 5.0
"""Reviews at which a movie's own mean counts half against the mean of all."""


@dataclass(frozen=True, kw_only=True)
class Reviews:
    """Reviews by reviewer, time and place in the files, so that each reviewer's history is one slice.

    Equal times are common, and ordering them by movie would make a reviewer's last reviews those of the
    movies with the highest numbers.

    Attributes:
        reviewer_rows: int32 [num_reviews], not decreasing.
        movie_rows: int32 [num_reviews].
        level_rows: int8 [num_reviews], positions in `levels`; all 0 where the data has no ratings.
        times: int64 [num_reviews], unix seconds; 0 where the data has no times.
        levels: float32 [num_levels], the ratings found in the data, ascending; empty where it has none.
        num_reviewers: how many reviewers there are, with or without reviews here.
        num_movies: how many movies there are, likewise.
        sentiment: float32 [num_reviews], from -1 to 1, of their texts, NaN where they say none; None where it
            was not asked for.
    """

    reviewer_rows: NDArray[np.int32]
    movie_rows: NDArray[np.int32]
    level_rows: NDArray[np.int8]
    times: NDArray[np.int64]
    levels: NDArray[np.float32]
    num_reviewers: int
    num_movies: int
    sentiment: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.movie_rows)

    @property
    def has_ratings(self) -> bool:
        """Whether the data says how much a movie was liked, not only that it was reviewed."""
        return len(self.levels) > 0

    @property
    def ratings(self) -> NDArray[np.float32]:
        """The ratings themselves, float32 [num_reviews].

        Raises:
            DataError: the data has none.
        """
        if not self.has_ratings:
            raise DataError("These reviews carry no ratings")
        return self.levels[self.level_rows]

    def offsets(self) -> NDArray[np.int64]:
        """Where each reviewer's slice begins, and the last one ends: int64 [num_reviewers + 1]."""
        counts = np.bincount(self.reviewer_rows, minlength=self.num_reviewers)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def likes(self, like_rating: float) -> NDArray[np.bool_]:
        """Which reviews are likes: rated at least so; all of them where there are no ratings."""
        if not self.has_ratings:
            return np.ones(len(self), dtype=bool)
        return self.ratings >= like_rating

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Reviews:
        """The reviews that are `chosen`, bool [num_reviews]; reviewers and movies keep their rows.

        Positions in another order do as well, if each reviewer's reviews stay a slice in the same place.
        """
        return Reviews(
            reviewer_rows=self.reviewer_rows[chosen],
            movie_rows=self.movie_rows[chosen],
            level_rows=self.level_rows[chosen],
            times=self.times[chosen],
            levels=self.levels,
            num_reviewers=self.num_reviewers,
            num_movies=self.num_movies,
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
    levels: NDArray[np.float32] | None = None,
) -> Reviews:
    """Sorts reviews and finds the rating levels; equally late reviews of a reviewer stay in the order given.

    Args:
        reviewer_rows: int [num_reviews].
        movie_rows: int [num_reviews].
        ratings: float [num_reviews], or None where there are none.
        times: int [num_reviews], unix seconds, or None.
        num_reviewers: how many reviewers there are.
        num_movies: how many movies there are.
        levels: the rating levels, where they are known from other reviews; ratings are then taken to
        the nearest.

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


def level_rows_of(ratings: NDArray[np.floating], levels: NDArray[np.float32]) -> NDArray[np.int8]:
    """The positions of the levels nearest to some ratings, int8 [num_ratings]."""
    middles = (levels[1:] + levels[:-1]) / 2
    return np.searchsorted(middles, ratings, side="right").astype(np.int8)


def rating_levels(ratings: NDArray[np.floating]) -> NDArray[np.float32]:
    """The different ratings, ascending; even steps over their range where there are very many.

    Raises:
        DataError: there is only one.
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


def default_like_rating(levels: NDArray[np.float32]) -> float:
    """Three quarters up the scale: 4 of 1..5 stars, and of half stars too."""
    if len(levels) == 0:
        return 0.0
    low, high = float(levels[0]), float(levels[-1])
    return float(levels[np.searchsorted(levels, low + 0.75 * (high - low) - 1e-6)])


def read_reviews(database: duckdb.DuckDBPyConnection) -> Reviews:
    """Reads the prepared reviews out of the work database.

    Raises:
        DataError: all the ratings are equal.
    """
    columns = database.execute(
        "select reviewer_row, movie_row, rating, coalesce(unix_review_time, 0) as time from reviews "
        "order by reviewer_row, time, file, line"
    ).fetchnumpy()
    num_reviewers, num_movies = (
        database.execute(f"select count(*) from {table}").fetchall()[0][0]
        for table in ("reviewers", "movies")
    )
    ratings = np.ma.asarray(columns["rating"], dtype=np.float64)
    missing = bool(np.ma.getmaskarray(ratings).all()) if len(ratings) else True
    return make_reviews(
        np.asarray(columns["reviewer_row"]),
        np.asarray(columns["movie_row"]),
        None if missing else np.asarray(ratings),
        np.asarray(columns["time"]),
        num_reviewers=num_reviewers,
        num_movies=num_movies,
    )


def histories_of(reviews: Reviews) -> Histories:
    """The reviews as histories."""
    return Histories(reviews.offsets(), reviews.movie_rows, reviews.level_rows)


def movie_baselines(reviews: Reviews) -> NDArray[np.float32]:
    """The damped mean rating of each movie, float32 [num_movies], in stars."""
    ratings = reviews.ratings.astype(np.float64)
    mean = ratings.mean() if len(ratings) else 0.0
    counts = np.bincount(reviews.movie_rows, minlength=reviews.num_movies)
    above = np.bincount(reviews.movie_rows, ratings - mean, minlength=reviews.num_movies)
    baselines: NDArray[np.float32] = (mean + above / (counts + BASELINE_DAMPING)).astype(np.float32)
    return baselines
