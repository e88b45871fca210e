"""From raw review and metadata files to the tables `reviews`, `reviewers`, `movies` and `rejected`."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.sections import ColdConfig, IngestConfig
from engine.errors import DataError
from pipelines.ingest.accounting import (
    Accounting,
    FileAccount,
    MetadataAccount,
    require_usable,
    require_usable_metadata,
)
from pipelines.ingest.selection import choose_cold_movies, columns_of_condition, select_reviews
from pipelines.reading.links import scrape_links
from pipelines.reading.metadata import stage_metadata
from pipelines.reading.reviews import FileRead, stage_reviews
from pipelines.reading.sources import Source, inspect_source, movie_file_beside
from pipelines.reading.staging import limited_memory, memory_for_reading
from pipelines.work.database import add_functions, run, run_checks, storage_errors
from pipelines.work.progress import progress_of_files

if TYPE_CHECKING:
    import duckdb

CHECKS = ("one_review_per_pair", "rows_follow_ids", "counts_agree", "core_holds", "ratings_all_or_none")
"""What must hold of the tables, whatever came in."""

_TEXT_COLUMNS = frozenset({"review_text", "summary"})

_log = logging.getLogger(__name__)


@storage_errors()
def ingest(
    database: duckdb.DuckDBPyConnection,
    reviews: Sequence[Path],
    metadata: Sequence[Path],
    config: IngestConfig,
    *,
    keep_text: bool = False,
    compare_text: bool = False,
    cold: ColdConfig | None = None,
    few: bool = False,
) -> Accounting:
    """Fills the database with the reviews that are kept, their reviewers and movies, and the rejected rows.

    Tables made: `reviews` (one row per reviewer and movie), `reviewers`, `movies` (both in the order of the
    bytes of their ids, which numbers their rows), `rejected` and `rejected_metadata`; and the view
    `prepared`. The staging tables are dropped.

    Where movies without enough reviews are wanted, they are in `cold_movies`, and what reviews of them kept
    reviewers wrote in `cold_reviews`; no other table or figure knows of them.

    Args:
        database: an empty database, as `open_database` gives it.
        reviews: review files, in any mix of formats; of equally late reviews that in the later file counts.
        metadata: movie files; of lines about one movie the first that has a value counts. Where none is
            given, MovieLens' movie file beside its ratings is taken.
        config: formats and filters.
        keep_text: keep the words of the reviews, which are most of their bytes.
        compare_text: keep a number for the words of each review, which tells copies; it is 0 otherwise.
        cold: which movies without enough reviews to take in; none by default.
        few: whether a single reviewer or movie will do, for reviews that others are already there of.

    Returns:
        What became of every row.

    Raises:
        SourceError: a file cannot be read, or ends too early.
        ConfigError: `config.columns` does not fit a table.
        FilterError: `config.where` is no filter, or fails on the data.
        DataError: no row can be used, or too few are left.
    """
    started = time.perf_counter()
    if not reviews:
        raise DataError("No review file was given; name at least one.")
    condition_columns = columns_of_condition(database, config.where)
    review_sources = [inspect_source(Path(path), config.format) for path in reviews]
    metadata_sources = [inspect_source(path) for path in _metadata_files(reviews, metadata)]
    config = replace(config, memory_limit=memory_for_reading([*review_sources, *metadata_sources], config))
    with limited_memory(database, config.memory_limit):
        accounting = _fill_tables(
            database,
            review_sources,
            metadata_sources,
            config,
            keep_text=keep_text,
            compare_text=compare_text,
            cold=cold if cold is not None and cold.enabled else None,
            few=few,
            condition_columns=condition_columns,
        )
    _log.info("%s, in %.1f s", accounting, time.perf_counter() - started)
    return accounting


def _fill_tables(
    database: duckdb.DuckDBPyConnection,
    review_sources: Sequence[Source],
    metadata_sources: Sequence[Source],
    config: IngestConfig,
    *,
    keep_text: bool,
    compare_text: bool,
    cold: ColdConfig | None,
    few: bool,
    condition_columns: frozenset[str],
) -> Accounting:
    """Does what `ingest` says, once it is clear what the files are."""
    started = time.perf_counter()
    add_functions(database)
    run(database, "staging/create_staging")
    _note_files(database, review_sources, metadata_sources)

    sources = [*review_sources, *metadata_sources]
    with progress_of_files("Reading", sum(source.size for source in sources)) as on_read:
        reviews_read = stage_reviews(
            database,
            review_sources,
            config,
            with_text=keep_text or bool(_TEXT_COLUMNS & condition_columns),
            with_numbers=keep_text or compare_text,
            on_read=on_read,
        )
        run(database, "staging/reject_missing_ratings")
        require_usable(database, review_sources)
        _log.info("Read %d review files in %.1f s", len(review_sources), time.perf_counter() - started)
        metadata_read = stage_metadata(
            database, metadata_sources, config, describe_all=cold is not None, on_read=on_read
        )
        require_usable_metadata(database, metadata_sources)
    _log.info("Read %d metadata files, %.1f s so far", len(metadata_read), time.perf_counter() - started)

    selection = select_reviews(database, config, condition_columns, few=few)
    if "links" not in condition_columns:
        run(database, "staging/kept_movies")
        scrape_links(database, threads=config.threads)
    run(database, "tables/reviewers")
    run(database, "tables/movies")
    run(database, "tables/reviews", keep_text=keep_text)
    run(database, "tables/prepared")
    run(database, "tables/rejected")
    run(database, "tables/rejected_metadata")
    run_checks(
        database,
        CHECKS,
        min_reviews_per_reviewer=config.min_reviews_per_reviewer,
        min_reviews_per_movie=config.min_reviews_per_movie,
    )
    accounting = Accounting(
        read=_count(database, "select count(*) from staged_reviews"),
        kept=_count(database, "select count(*) from reviews"),
        duplicate=selection.duplicate,
        filtered_by=selection.filtered_by,
        rejected_by=dict(
            database.execute(
                "select reason, count(*) from rejected group by reason order by 2 desc, 1"
            ).fetchall()
        ),
        files=_file_accounts(database, reviews_read),
        metadata=_metadata_account(database, metadata_read),
    )
    if cold is not None:
        choose_cold_movies(database, config, cold)
    run(database, "staging/drop_staging")
    return accounting


def _metadata_files(reviews: Sequence[Path], metadata: Sequence[Path]) -> list[Path]:
    if metadata:
        return [Path(path) for path in metadata]
    beside = dict.fromkeys(filter(None, (movie_file_beside(Path(path)) for path in reviews)))
    for path in beside:
        _log.info("Taking the movies from %s, which lies beside the ratings", path)
    return list(beside)


def _note_files(
    database: duckdb.DuckDBPyConnection, reviews: Sequence[Source], metadata: Sequence[Source]
) -> None:
    database.execute("create or replace table source_files (kind varchar, file integer, path varchar)")
    for kind, sources in (("review", reviews), ("metadata", metadata)):
        for file, source in enumerate(sources):
            database.execute("insert into source_files values (?, ?, ?)", [kind, file, str(source.path)])


def _file_accounts(database: duckdb.DuckDBPyConnection, read: Sequence[FileRead]) -> tuple[FileAccount, ...]:
    rows = dict(database.execute("select file, count(*) from staged_reviews group by file").fetchall())
    return tuple(
        FileAccount(path=str(file.path), rows=rows.get(number, 0), truncated=file.truncated)
        for number, file in enumerate(read)
    )


def _metadata_account(database: duckdb.DuckDBPyConnection, read: Sequence[FileRead]) -> MetadataAccount:
    [counts] = run(database, "staging/metadata_counts").fetchall()
    lines_read, movies_described, lines_repeated, lines_rejected, reviewed_without_metadata = counts
    num_reviewed = _count(database, "select count(*) from reviewed_movies")
    if lines_read and lines_read > lines_rejected and reviewed_without_metadata == num_reviewed:
        _log.warning("The metadata describes none of the %d movies reviewed; do their ids fit?", num_reviewed)
    return MetadataAccount(
        lines_read=lines_read,
        movies_described=movies_described,
        lines_repeated=lines_repeated,
        lines_rejected=lines_rejected,
        reviewed_without_metadata=reviewed_without_metadata,
        unreadable_fields=dict(run(database, "staging/unreadable_fields").fetchall()),
        truncated=tuple(str(file.path) for file in read if file.truncated),
    )


def _count(database: duckdb.DuckDBPyConnection, query: str) -> int:
    [(count,)] = database.execute(query).fetchall()
    return int(count)
