"""Which of the reviews that were read are kept: filters, one per pair, a condition in SQL, and the k-core."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.catalogue.filters import check_filter, filter_failed, require_condition
from engine.config.sections import ColdConfig, IngestConfig
from engine.errors import DataError
from pipelines.reading.links import scrape_links
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

PREPARED_COLUMNS = (
    "rating",
    "review_time",
    "reviewer_id",
    "movie_id",
    "style",
    "reviewer_name",
    "review_text",
    "summary",
    "unix_review_time",
    "vote",
    "verified",
    "category",
    "title",
    "main_cat",
    "description",
    "brand",
    "price",
    "links",
    "reviewer_count",
    "movie_count",
    "average_rating",
)
"""The columns of the prepared table, in their order."""

WHERE_COLUMNS = (*PREPARED_COLUMNS, "rank", "year", "date")
"""The columns that a condition may name."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How many rows each step took."""

    duplicate: int
    filtered_by: dict[str, int]


def columns_of_condition(database: duckdb.DuckDBPyConnection, condition: str | None) -> frozenset[str]:
    """Checks a condition before anything is read, and says which columns it needs.

    Raises:
        FilterError: it is no filter over `WHERE_COLUMNS`.
    """
    return frozenset() if condition is None else check_filter(database, condition, WHERE_COLUMNS)


def select_reviews(
    database: duckdb.DuckDBPyConnection,
    config: IngestConfig,
    condition_columns: Collection[str],
    *,
    few: bool = False,
) -> Selection:
    """Leaves in `core_reviews` the reviews that are kept.

    First `since`, `until` and `verified_only`, so that a reviewer's latest review within the time counts;
    then one review per reviewer and movie; then the condition, over rows as the prepared table has them,
    whose counts and averages are therefore those before the condition; last the k-core, which therefore holds
    in the end.

    Args:
        database: holds the staged reviews and the described movies.
        config: the filters.
        condition_columns: the columns that the condition names.
        few: whether a single reviewer or movie will do.

    Raises:
        DataError: nothing is left, or a single reviewer or movie where that will not do.
        FilterError: the condition fails on the data.
    """
    run(database, "tables/numbered_ids")
    run(
        database,
        "tables/usable_reviews",
        since=config.since,
        until=config.until,
        verified_only=config.verified_only,
    )
    filtered_by = {"since-until": 0, "unverified": 0, "where": 0, "k-core": 0}
    rows = database.execute("select filtered, count(*) from usable_reviews group by filtered").fetchall()
    remaining = sum(count for reason, count in rows if reason is None)
    filtered_by.update({reason: count for reason, count in rows if reason is not None})
    run(database, "tables/latest_reviews")
    latest = _count(database, "latest_reviews")
    duplicate = remaining - latest

    chosen = _apply_condition(database, config, condition_columns)
    filtered_by["where"] = latest - chosen
    kept = _shrink_to_core(database, config)
    filtered_by["k-core"] = chosen - kept
    _require_enough(database, config, kept, filtered_by, few=few)
    return Selection(duplicate=duplicate, filtered_by=filtered_by)


def _apply_condition(
    database: duckdb.DuckDBPyConnection, config: IngestConfig, condition_columns: Collection[str]
) -> int:
    import duckdb

    if config.where is None:
        database.execute("create or replace table core_reviews as select * from latest_reviews")
        return _count(database, "core_reviews")
    if "links" in condition_columns:
        run(database, "staging/wanted_movies")
        scrape_links(database, threads=config.threads)
    run(database, "tables/candidate_rows")
    try:
        require_condition(database, config.where, "candidate_rows")
        # The one text from outside: it was parsed, and proved to be an expression over known columns.
        database.execute(
            "create or replace table core_reviews as select * from latest_reviews where review_number in "
            f"(select review_number from candidate_rows where ({config.where}\n))"
        )
    except (duckdb.OutOfMemoryException, duckdb.IOException):
        raise
    except duckdb.Error as error:
        raise filter_failed(config.where, error) from error
    return _count(database, "core_reviews")


def _shrink_to_core(database: duckdb.DuckDBPyConnection, config: IngestConfig) -> int:
    """Drops reviewers and movies with too few reviews until no more go; gives the number of reviews left."""
    count = _count(database, "core_reviews")
    if config.min_reviews_per_reviewer <= 1 and config.min_reviews_per_movie <= 1:
        return count
    while True:
        run(
            database,
            "tables/core_step",
            min_reviews_per_reviewer=config.min_reviews_per_reviewer,
            min_reviews_per_movie=config.min_reviews_per_movie,
        )
        before, count = count, _count(database, "core_reviews")
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
    """What to change about the filter that took most."""
    most = max(filtered_by, key=lambda reason: filtered_by[reason])
    return {
        "since-until": "widen --since and --until (reviews without a time fall outside)",
        "unverified": "leave out --verified-only (a review that does not say so counts as unverified)",
        "where": "loosen --where",
        "k-core": f"lower --min-reviews-per-reviewer (now {config.min_reviews_per_reviewer}) or "
        f"--min-reviews-per-movie (now {config.min_reviews_per_movie})",
    }[most]


def _count(database: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(database.table(table).count("*").fetchall()[0][0])


def choose_cold_movies(
    database: duckdb.DuckDBPyConnection,
    config: IngestConfig,
    cold: ColdConfig,
) -> None:
    """Fills `cold_movies` with movies that are described but not kept, and `cold_reviews` with their reviews.

    A condition must be true of them too, where all that only a review has is unknown.

    Args:
        database: holds the staging tables, and the kept `reviewers` and `movies`.
        config: holds the condition.
        cold: how many reviews they may have.

    Raises:
        FilterError: the condition fails on the data.
    """
    import duckdb

    run(database, "cold_start/candidates", max_reviews=cold.max_reviews)
    run(database, "cold_start/unscraped_cold_movies")
    scrape_links(database, threads=config.threads)
    run(database, "cold_start/movies")
    if config.where is not None:
        run(database, "cold_start/rows")
        try:
            # Proved to be an expression over known columns when the reviews were chosen by it.
            database.execute(
                "delete from cold_movies where movie_id not in "
                f"(select movie_id from cold_rows where ({config.where}\n))"
            )
        except (duckdb.OutOfMemoryException, duckdb.IOException):
            raise
        except duckdb.Error as error:
            raise filter_failed(config.where, error) from error
    run(database, "cold_start/reviews")
