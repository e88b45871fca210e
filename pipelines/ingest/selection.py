"""Selects reviews by day, SQL condition and number of reviews (k-core), and drops duplicate reviews."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.catalogue.filters import filter_failed, require_condition
from engine.config.sections import ColdConfig, IngestConfig
from engine.errors import DataError
from pipelines.reading.links import scrape_links
from pipelines.work.database import count_rows, run

if TYPE_CHECKING:
    import duckdb

_log = logging.getLogger(__name__)

PREPARED_COLUMNS = (
    *("rating", "review_time", "reviewer_id", "movie_id", "style", "reviewer_name", "review_text", "summary"),
    *("unix_review_time", "vote", "verified", "category", "title", "main_cat", "description", "brand"),
    *("price", "links", "reviewer_count", "movie_count", "average_rating"),
)
"""The columns of the view `prepared`, which joins reviews with movies, in the order of the view."""

WHERE_COLUMNS = (*PREPARED_COLUMNS, "rank", "year", "date")
"""The columns that the SQL condition of the option `--where` may name."""


def select_reviews(
    database: duckdb.DuckDBPyConnection,
    config: IngestConfig,
    condition_columns: Collection[str],
    *,
    few: bool = False,
) -> tuple[int, dict[str, int]]:
    """Fills the table `core_reviews` with the reviews to keep, and counts the dropped reviews.

    Returns the number of duplicate reviews, and the number of rows that each filter dropped.

    Reviews are dropped in this order:

    * The settings `since` and `until` drop reviews by day.
    * The setting `verified_only` drops reviews that are not marked as verified.
    * If a reviewer has several reviews of a movie, only the reviewer's latest review of the movie is kept.
    * The setting `where` is an SQL condition, and drops the reviews for which the SQL condition is not true.
      Counts and averages in the SQL condition are computed after duplicate reviews are dropped.
    * The k-core filter drops reviewers and movies with too few reviews. The k-core filter is repeated until
      every kept reviewer and every kept movie has enough reviews.

    Reviews outside the range of days (`since` to `until`) are dropped before duplicate reviews are dropped. A
    review inside the range of days is therefore not dropped as a duplicate if the same reviewer reviewed the
    same movie again after the range of days.

    Raises:
        DataError: no review is kept; or a single reviewer or movie is kept, and `few` is false.
        FilterError: the SQL condition fails on the data.
    """
    run(database, "tables/numbered_ids")
    run(
        database,
        "tables/usable_reviews",
        since=config.since,
        until=config.until,
        verified_only=config.verified_only,
    )
    if config.since or config.until:
        undated = count_rows(
            database, "usable_reviews where filtered = 'since-until' and unix_review_time is null"
        )
        _log.info("%s reviews have no time, and fall outside --since and --until", f"{undated:,}")
    rows = database.execute("select filtered, count(*) from usable_reviews group by filtered").fetchall()
    counts = dict(rows)
    remaining = counts.pop(None, 0)
    filtered_by = {"since-until": 0, "unverified": 0, "where": 0, "k-core": 0} | counts
    run(database, "tables/latest_reviews")
    latest = count_rows(database, "latest_reviews")
    chosen = _apply_condition(database, config, condition_columns)
    filtered_by["where"] = latest - chosen
    kept = _shrink_to_core(database, config)
    filtered_by["k-core"] = chosen - kept
    _require_enough(database, config, kept, filtered_by, few=few)
    return remaining - latest, filtered_by


def scrape_wanted_links(database: duckdb.DuckDBPyConnection, wanted: str, config: IngestConfig) -> None:
    """Reads links to other movies from the metadata of the movies that the SQL file `wanted` selects."""
    run(database, wanted)
    if count_rows(database, "(from staged_metadata where details is not null limit 1)"):
        scrape_links(database, threads=config.threads)


def _apply_condition(
    database: duckdb.DuckDBPyConnection, config: IngestConfig, condition_columns: Collection[str]
) -> int:
    """Fills the table `core_reviews` with the rows of `latest_reviews` that meet the SQL condition `where`.

    Returns the number of reviews in the table `core_reviews`.
    """
    if config.where is None:
        database.execute("create or replace table core_reviews as select * from latest_reviews")
        return count_rows(database, "core_reviews")
    if "links" in condition_columns:
        scrape_wanted_links(database, "staging/wanted_movies", config)
    run(database, "tables/candidate_rows")
    with _filter_errors(config.where):
        require_condition(database, config.where, "candidate_rows")
        # The function `check_filter` has parsed the SQL condition, and has found that it is an expression
        # over known columns.
        database.execute(
            "create or replace table core_reviews as select * from latest_reviews where review_number in "
            f"(select review_number from candidate_rows where ({config.where}\n))"
        )
    return count_rows(database, "core_reviews")


@contextmanager
def _filter_errors(condition: str) -> Iterator[None]:
    """Turns DuckDB's errors into FilterError, except errors about a lack of memory or disk space."""
    import duckdb

    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException):
        raise
    except duckdb.Error as error:
        raise filter_failed(condition, error) from error


def _shrink_to_core(database: duckdb.DuckDBPyConnection, config: IngestConfig) -> int:
    """Drops reviewers and movies with few reviews, until all remaining reviewers and movies have enough.

    Returns the number of kept reviews, which are in the table `core_reviews`.
    """
    count = count_rows(database, "core_reviews")
    if config.min_reviews_per_reviewer <= 1 and config.min_reviews_per_movie <= 1:
        return count
    while True:
        run(
            database,
            "tables/core_step",
            min_reviews_per_reviewer=config.min_reviews_per_reviewer,
            min_reviews_per_movie=config.min_reviews_per_movie,
        )
        before, count = count, count_rows(database, "core_reviews")
        if count in (before, 0):
            return count


def _require_enough(
    database: duckdb.DuckDBPyConnection,
    config: IngestConfig,
    kept: int,
    filtered_by: dict[str, int],
    *,
    few: bool,
) -> None:
    taken = ", ".join(f"{reason} took {count:,}" for reason, count in filtered_by.items() if count)
    because = f" ({taken})" if taken else ""
    if kept == 0:
        raise DataError(f"No review is left{because}; {_advice(config, filtered_by)}.")
    if few:
        return
    [(num_reviewers, num_movies)] = database.execute(
        "select count(distinct reviewer_number), count(distinct movie_number) from core_reviews"
    ).fetchall()
    for count, what, other in ((num_reviewers, "reviewer", "movie"), (num_movies, "movie", "reviewer")):
        if count == 1:
            raise DataError(
                f"Only one {what} is left, with {kept:,} reviews{because}; recommending needs at least two "
                f"reviewers and two {other if what == 'reviewer' else what}s: give more reviews"
                f"{', or ' + _advice(config, filtered_by) if taken else ''}."
            )


def _advice(config: IngestConfig, filtered_by: dict[str, int]) -> str:
    """Returns advice that ends an error message: how to change the filter that dropped the most rows."""
    most = max(filtered_by, key=lambda reason: filtered_by[reason])
    return {
        "since-until": "widen --since and --until (reviews without a time fall outside)",
        "unverified": "leave out --verified-only (a review that does not say so counts as unverified)",
        "where": "loosen --where",
        "k-core": f"lower --min-reviews-per-reviewer (now {config.min_reviews_per_reviewer}) or "
        f"--min-reviews-per-movie (now {config.min_reviews_per_movie})",
    }[most]


def choose_cold_movies(database: duckdb.DuckDBPyConnection, config: IngestConfig, cold: ColdConfig) -> None:
    """Fills the table `cold_movies` with the movies that have metadata, but too few reviews to be kept.

    A movie in the table `cold_movies` has no reviews, or at most `cold.max_reviews` reviews. The table
    `cold_reviews` is filled with the reviews of the movies in `cold_movies` that were written by reviewers in
    the table `reviewers`. A cold movie must meet the SQL condition of the setting `where`. When the SQL
    condition is applied to a cold movie, every column that describes a review, such as `rating`, is null. The
    tables `reviewers` and `movies` must be filled before the call.

    Raises:
        FilterError: the SQL condition fails on the data.
    """
    run(database, "cold_start/candidates", max_reviews=cold.max_reviews)
    scrape_wanted_links(database, "cold_start/unscraped_cold_movies", config)
    run(database, "cold_start/movies")
    if config.where is not None:
        run(database, "cold_start/rows")
        # The function `check_filter` has found that the SQL condition is an expression over known columns.
        with _filter_errors(config.where):
            database.execute(
                "delete from cold_movies where movie_id not in "
                f"(select movie_id from cold_rows where ({config.where}\n))"
            )
    run(database, "cold_start/reviews")
