"""Reads reviews from the work database, and holds reviews as arrays, sorted by reviewer and time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows
from engine.config.sections import Config
from engine.errors import DataError
from engine.model.histories import Histories
from pipelines.work.database import count_rows

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

MAX_LEVELS = 40
"""The largest number of rating levels; if the data has more distinct ratings, the ratings are rounded to 20
evenly spaced levels."""


COUNT_LEVELS = np.array([0, 1], dtype=np.float32)
"""The rating levels of data with counts, such as numbers of plays: 1 for a count that is a like, and 0 for a
count that is too small to be a like."""
LEAST_LIKES = 0.01
"""A build or an evaluation logs a warning if the share of likes among all reviews is less than this number,
or more than 1 minus this number."""


@dataclass(frozen=True, kw_only=True)
class Reviews:
    """Holds reviews as arrays, sorted by reviewer, then by time, then by position in the review files.

    Reviews by one reviewer with equal times keep the order of the review files. Sorting reviews with equal
    times by movie row would put movies with high row numbers too often among a reviewer's last reviews.

    Attributes:
        reviewer_rows: int32 [num_reviews], the reviewer row of each review, ascending.
        movie_rows: int32 [num_reviews], the movie row of each review.
        level_rows: int8 [num_reviews], the position of each review's rating in `levels`; 0 if the data has no
            ratings.
        times: int64 [num_reviews], the time of each review in unix seconds; 0 for a review without a time.
        levels: float32 [num_levels], the distinct ratings (rating levels), ascending; empty if the data has
            no ratings.
        num_reviewers, num_movies: the number of all reviewers, and the number of all movies, including
            reviewers and movies without reviews.
        sentiment: float32 [num_reviews], the sentiment of each review's text, from -1 to 1, or NaN if the
            text expresses no sentiment; None if no sentiment was computed.
        like_count: the least count that is a like, if the data has counts (such as numbers of plays) in place
            of ratings; None if the data has no counts. If the data has counts in place of ratings, `levels`
            is COUNT_LEVELS: the level 1 stands for a count of at least `like_count`, and the level 0 for a
            smaller count.
    """

    reviewer_rows: NDArray[np.int32]
    movie_rows: NDArray[np.int32]
    level_rows: NDArray[np.int8]
    times: Rows
    levels: Floats
    num_reviewers: int
    num_movies: int
    sentiment: Floats | None = None
    like_count: float | None = None

    def __len__(self) -> int:
        return len(self.movie_rows)

    @property
    def has_ratings(self) -> bool:
        """Tells whether the data has ratings; without ratings, a review is a pair of reviewer and movie."""
        return len(self.levels) > 0

    @property
    def ratings(self) -> Floats:
        """Returns the rating of each review, float32 [num_reviews].

        Raises:
            DataError: the data has no ratings.
        """
        if not self.has_ratings:
            raise DataError("These reviews carry no ratings")
        return self.levels[self.level_rows]

    def reviewer_counts(self) -> Rows:
        """Counts the reviews of each reviewer: int64 [num_reviewers]."""
        return np.bincount(self.reviewer_rows, minlength=self.num_reviewers)

    def movie_counts(self) -> Rows:
        """Counts the reviews of each movie: int64 [num_movies]."""
        return np.bincount(self.movie_rows, minlength=self.num_movies)

    def offsets(self) -> Rows:
        """Returns the position of each reviewer's first review, and at the end the number of all reviews.

        The returned array is int64 [num_reviewers + 1], because its last entry is the number of all reviews.
        """
        return np.concatenate([[0], np.cumsum(self.reviewer_counts())]).astype(np.int64)

    def likes(self, like_rating: float) -> NDArray[np.bool_]:
        """Marks the reviews rated at least `like_rating`; without ratings, marks all reviews: bool [num]."""
        if not self.has_ratings:
            return np.ones(len(self), dtype=bool)
        return self.ratings >= like_rating

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Reviews:
        """Returns the chosen reviews; all reviewers and movies keep their row numbers.

        The argument `chosen` is a mask, bool [num_reviews], or an array of positions of reviews. Positions
        must be in ascending order of the reviews' reviewer rows; positions of reviews by one reviewer may be
        in any order.
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
    like_count: float | None = None,
) -> Reviews:
    """Makes `Reviews` from arrays with one value per review: sorts the reviews, and finds the rating levels.

    Reviews by the same reviewer at the same time keep the order of the given arrays. The argument `ratings`
    is None if the data has no ratings. The argument `times`, in unix seconds, is None if the data has no
    times. If the argument `levels` gives rating levels, each rating is rounded to the nearest level. If
    `like_count` is given, the ratings are counts, such as numbers of plays. The level of a count is 1 if the
    count is at least `like_count`, and 0 if the count is smaller.

    Raises:
        DataError: all ratings are equal, so that a model cannot learn from the ratings.
    """
    when = np.zeros(len(movie_rows), dtype=np.int64) if times is None else times.astype(np.int64)
    if ratings is None:
        found, level_rows = np.zeros(0, np.float32), np.zeros(len(movie_rows), dtype=np.int8)
    else:
        if like_count is not None:
            ratings = (ratings >= like_count).astype(np.float64)
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
        like_count=None if ratings is None else like_count,
    )


def level_rows_of(ratings: NDArray[np.floating], levels: Floats) -> NDArray[np.int8]:
    """Returns, for each rating, the position of the nearest level in `levels`: int8 [num_ratings].

    A rating halfway between two levels is rounded up.
    """
    middles = (levels[1:] + levels[:-1]) / 2
    return np.searchsorted(middles, ratings, side="right").astype(np.int8)


def rating_levels(ratings: NDArray[np.floating]) -> Floats:
    """Returns the rating levels of ratings: the distinct ratings, ascending.

    If more than MAX_LEVELS ratings are distinct, 20 evenly spaced levels from the lowest to the highest
    rating are returned.

    Raises:
        DataError: all ratings are equal.
    """
    levels = np.unique(ratings).astype(np.float32)
    if len(levels) == 1:
        raise DataError(
            f"All {len(ratings):,} ratings are {levels[0]:g}, so nothing tells a liked movie from another; "
            "expected at least two different ratings; say --columns rating= to build from who reviewed what "
            "alone"
        )
    if len(levels) > MAX_LEVELS:
        logger.info("Rounding %s different ratings to 20 even steps", len(levels))
        return np.linspace(levels[0], levels[-1], 20, dtype=np.float32)
    return levels


def like_rating_of(reviews: Reviews, config: Config) -> float:
    """Returns the lowest rating that is a like: the setting `rating.like_rating`, or a default."""
    if reviews.like_count is not None:
        return 1.0
    if config.rating.like_rating is not None:
        return config.rating.like_rating
    return default_like_rating(reviews.levels)


def say_likes(reviews: Reviews, config: Config) -> None:
    """Logs the number of likes; logs a warning if nearly no review, or nearly every review, is a like."""
    if not reviews.has_ratings:
        return
    like_rating = like_rating_of(reviews, config)
    least = like_rating if reviews.like_count is None else reviews.like_count
    num_likes = int(reviews.likes(like_rating).sum())
    share = num_likes / max(len(reviews), 1)
    counted = f"{num_likes:,} of {len(reviews):,} reviews ({share:.1%})"
    what = "rating" if reviews.like_count is None else "count"
    said = f"A like is a {what} of {least:g} or more: {counted}"
    if LEAST_LIKES <= share <= 1 - LEAST_LIKES:
        logger.info("%s", said)
    else:
        logger.warning(
            "%s. Lists are poor if nearly %s review is a like; choose another threshold with "
            '--set rating.like_rating=NUMBER, or leave out odd ratings, such as with --where "rating <= 5".',
            said,
            "no" if share < LEAST_LIKES else "every",
        )


def default_like_rating(levels: Floats) -> float:
    """Returns the lowest rating that counts as a like by default.

    The default is the lowest rating level of at least `lowest level + 0.75 * (highest level - lowest level)`.
    On a scale from 1 to 5 stars, a review of at least 4 stars counts as a like by default.
    """
    if len(levels) == 0:
        return 0.0
    low, high = float(levels[0]), float(levels[-1])
    return float(levels[np.searchsorted(levels, low + 0.75 * (high - low) - 1e-6)])


def like_count_of(
    database: duckdb.DuckDBPyConnection, ratings: Doubles | None, config: Config
) -> float | None:
    """Returns the least count, such as a number of plays, that is a like; None if the data has no counts.

    If the setting `rating.like_rating` has a value, the function returns this value. If the setting
    `rating.like_rating` is None, the function chooses the smallest count with which at most half of all
    reviews count as likes. If more than half of all reviews have the highest count of the data, the function
    returns this highest count.
    """
    [(are_counts,)] = database.execute("select are_counts from rating_kind").fetchall()
    if ratings is None or not are_counts:
        return None
    if config.rating.like_rating is not None:
        return config.rating.like_rating
    counts = np.sort(ratings)
    middle = counts[len(counts) // 2]
    above = counts[counts > middle]
    return float(middle if 2 * int((counts >= middle).sum()) <= len(counts) or not len(above) else above[0])


def read_columns(
    database: duckdb.DuckDBPyConnection, columns: str, **parameters: float
) -> dict[str, NDArray[Any]]:
    """Reads columns of the table `reviews` as arrays; the rows are sorted by reviewer, time, file and line.

    The argument `columns` lists SQL expressions, separated by commas. The arguments `parameters` are the
    values of placeholders such as `$name` in the SQL expressions. The keys of the returned dictionary are the
    names of the columns. The column `time`, int64, is always added; it holds unix seconds, or 0 for a review
    without a time.
    """
    statement = (
        f"select {columns}, coalesce(unix_review_time, 0) as time from reviews "
        "order by reviewer_row, time, file, line"
    )
    found = database.execute(statement, parameters).fetchnumpy()
    return {name: np.ma.asarray(column) for name, column in found.items()}


def ratings_of(column: NDArray[Any]) -> Doubles | None:
    """Converts the column `rating` to float64 [num_reviews]; returns None if no review has a rating."""
    ratings = np.ma.asarray(column, dtype=np.float64)
    return None if np.ma.getmaskarray(ratings).all() else np.asarray(ratings)


def read_reviews(database: duckdb.DuckDBPyConnection, config: Config) -> Reviews:
    """Reads all reviews from the table `reviews` of the work database.

    Raises:
        DataError: all ratings are equal.
    """
    columns = read_columns(database, "reviewer_row, movie_row, rating")
    ratings = ratings_of(columns["rating"])
    return make_reviews(
        np.asarray(columns["reviewer_row"]),
        np.asarray(columns["movie_row"]),
        ratings,
        np.asarray(columns["time"]),
        num_reviewers=count_rows(database, "reviewers"),
        num_movies=count_rows(database, "movies"),
        like_count=like_count_of(database, ratings, config),
    )


def histories_of(reviews: Reviews) -> Histories:
    """Converts reviews to `Histories`, which models use to score movies for reviewers."""
    return Histories(reviews.offsets(), reviews.movie_rows, reviews.level_rows)
