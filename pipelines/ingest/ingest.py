"""Reads, cleans and filters review and metadata files into tables of reviews, reviewers and movies."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.catalogue.filters import check_filter
from engine.config.sections import ColdConfig, IngestConfig
from engine.errors import DataError
from pipelines.ingest.accounting import Accounting, FileAccount, MetadataAccount
from pipelines.ingest.journal import JournalPart, divided, read_journal
from pipelines.ingest.meeting import warn_if_ids_differ
from pipelines.ingest.ratings import judge_ratings, warn_of_zeros
from pipelines.ingest.rejections import blaming_rejections, require_usable, require_usable_metadata
from pipelines.ingest.selection import (
    WHERE_COLUMNS,
    choose_cold_movies,
    scrape_wanted_links,
    select_reviews,
)
from pipelines.ingest.times import read_times
from pipelines.inputs.spool import Input, file_of_input
from pipelines.reading.columns import check_given
from pipelines.reading.formats import inspect_inputs
from pipelines.reading.metadata import stage_metadata
from pipelines.reading.reviews import stage_reviews
from pipelines.reading.sources import Source, movie_file_beside
from pipelines.reading.staging import limited_memory, memory_for_reading
from pipelines.work.database import add_functions, count_rows, folder_of, run, run_checks, storage_errors
from pipelines.work.progress import progress_of_files
from pipelines.work.runners import HERE, Runner

if TYPE_CHECKING:
    import duckdb

CHECKS = (
    "checks/one_review_per_pair",
    "checks/rows_follow_ids",
    "checks/counts_agree",
    "checks/core_holds",
    "checks/ratings_all_or_none",
)
"""The SQL files that check the finished tables; each SQL file selects the rows that break a rule, so a
selected row is an error."""

_TEXT_COLUMNS = frozenset({"review_text", "summary"})

_log = logging.getLogger(__name__)


@storage_errors()
def ingest(
    database: duckdb.DuckDBPyConnection,
    reviews: Sequence[Input],
    metadata: Sequence[Input],
    config: IngestConfig,
    *,
    keep_text: bool = False,
    compare_text: bool = False,
    cold: ColdConfig | None = None,
    few: bool = False,
    feedback: Sequence[JournalPart] = (),
    runner: Runner = HERE,
) -> Accounting:
    """Reads review and metadata files into a database, and returns the counts of kept and dropped rows.

    The function makes the tables `reviews` (one row for each pair of reviewer and movie), `reviewers`,
    `movies`, `rejected` and `rejected_metadata`, and the view `prepared`, which joins reviews with movies.
    The rows of the tables `reviewers` and `movies` are numbered in the order of the ids' bytes. The staging
    tables are dropped at the end.

    A cold movie is a movie that metadata describes, and that has no review or too few reviews for training.
    If `cold` enables cold movies, the function also makes the tables `cold_movies` and `cold_reviews`. The
    table `cold_reviews` holds the reviews that reviewers in the table `reviewers` wrote of movies with too
    few reviews for training. The tables `reviews`, `reviewers` and `movies` hold nothing about cold movies.
    In the returned counts, reviews of movies with too few reviews for training count as dropped rows.

    Args:
        database: an empty database that `work_database` opened.
        reviews: review files of any formats, and folders of feedback journals. If several reviews of a movie
            by a reviewer have the latest time, the last such review in the last file is kept.
        metadata: metadata files. If several lines describe a movie, each column takes the first value that is
            not null. If `metadata` is empty, the function reads the MovieLens movie file in the folder of the
            review files, if such a file exists.
        config: the settings of ingestion: the formats of the files, and the filters.
        keep_text: True to keep the texts of reviews, which take most of the space.
        compare_text: True to keep a hash of each review's text, so that copied reviews can be found; False to
            keep 0 as the hash.
        cold: the settings of cold movies, such as the largest number of reviews of a cold movie; None for no
            cold movies.
        few: True if a single reviewer or movie is enough, because an existing index holds further reviewers
            and movies; False to require two reviewers and two movies.
        feedback: reviews that were read from feedback journals, and are added to the reviews of the files.
        runner: the runner that reads several files, in this process or in workers; every runner makes the
            same tables and counts.

    Raises:
        SourceError: a file cannot be read; or a file ends too early.
        ConfigError: the setting `columns` names a column that a file does not have.
        FilterError: the setting `where` is not a valid SQL condition; or the SQL condition fails on the data.
        DataError: no row can be used; or too few reviewers or movies are kept.
    """
    started = time.perf_counter()
    reviews, journals = divided(reviews)
    folder = folder_of(database)
    parts = [*(read_journal(journal, folder) for journal in journals), *feedback]
    journal_sources = [part.source for part in parts if part.source is not None]
    if not reviews and not journal_sources:
        raise DataError("No review file was given; name at least one.")
    condition_columns: frozenset[str] = frozenset()
    if config.where is not None:
        condition_columns = check_filter(database, config.where, WHERE_COLUMNS)
    metadata = _metadata_files(reviews, metadata)
    review_sources, metadata_sources = inspect_inputs(reviews, metadata, config, folder)
    config = replace(config, memory_limit=memory_for_reading([*review_sources, *metadata_sources], config))
    with limited_memory(database, config.memory_limit):
        add_functions(database)
        check_given(database, review_sources, metadata_sources, config.columns)
        run(database, "staging/create_staging")
        review_sources += journal_sources
        _note_files(database, review_sources, metadata_sources)
        truncated = _stage_files(
            database,
            review_sources,
            metadata_sources,
            config,
            with_text=keep_text or bool(_TEXT_COLUMNS & condition_columns),
            with_numbers=keep_text or compare_text,
            describe_all=cold is not None and cold.enabled,
            runner=runner,
        )
        if "rating" not in condition_columns:
            warn_of_zeros(database)
        times_lost_by = read_times(database, review_sources, config.time_format)
        with blaming_rejections(database, review_sources):
            duplicate, filtered_by = select_reviews(database, config, condition_columns, few=few)
        if "links" not in condition_columns:
            scrape_wanted_links(database, "staging/kept_movies", config)
        _fill_tables(database, config, keep_text=keep_text)
        accounting = Accounting(
            read=count_rows(database, "staged_reviews"),
            kept=count_rows(database, "reviews"),
            duplicate=duplicate,
            filtered_by=filtered_by,
            rejected_by=dict(
                database.execute(
                    "select reason, count(*) from rejected group by reason order by 2 desc, 1"
                ).fetchall()
            ),
            times_lost_by=times_lost_by,
            files=_file_accounts(database, review_sources, truncated),
            metadata=_metadata_account(
                database, [source for source in metadata_sources if source in truncated]
            ),
        )
        if cold is not None and cold.enabled:
            choose_cold_movies(database, config, cold)
        run(database, "staging/drop_staging")
    _log.info("%s, in %.1f s", accounting, time.perf_counter() - started)
    return accounting


def _metadata_files(reviews: Sequence[Input], metadata: Sequence[Input]) -> Sequence[Input]:
    if metadata:
        return metadata
    beside = dict.fromkeys(filter(None, map(movie_file_beside, map(file_of_input, reviews))))
    for path in beside:
        _log.info("Taking the movies from %s, which lies beside the ratings", path)
    return list(beside)


def _note_files(
    database: duckdb.DuckDBPyConnection, reviews: Sequence[Source], metadata: Sequence[Source]
) -> None:
    database.execute("create or replace table source_files (kind varchar, file integer, path varchar)")
    for kind, sources in (("review", reviews), ("metadata", metadata)):
        paths = [str(source.path) for source in sources]
        database.execute(
            "insert into source_files select $1, unnest(range(len($2::varchar[]))), unnest($2::varchar[])",
            [kind, paths],
        )


def _stage_files(
    database: duckdb.DuckDBPyConnection,
    reviews: Sequence[Source],
    metadata: Sequence[Source],
    config: IngestConfig,
    *,
    with_text: bool,
    with_numbers: bool,
    describe_all: bool,
    runner: Runner,
) -> list[Source]:
    """Reads all files into staging tables; returns the files whose gzip data ends too early."""
    started = time.perf_counter()
    with progress_of_files("Reading", sum(source.size for source in (*reviews, *metadata))) as on_read:
        truncated = stage_reviews(
            *(database, reviews, config),
            with_text=with_text,
            with_numbers=with_numbers,
            on_read=on_read,
            runner=runner,
        )
        first_journal = sum(source.layout != "journal" for source in reviews)
        run(database, "staging/unrated_journal", first_journal=first_journal)
        run(database, "staging/reject_missing_ratings")
        judge_ratings(database, config.ratings)
        require_usable(database, reviews)
        _log.info("Read %d review files in %.1f s", len(reviews), time.perf_counter() - started)
        run(database, "staging/reviewed_movies")
        truncated += stage_metadata(
            database, metadata, config, describe_all=describe_all, on_read=on_read, runner=runner
        )
        require_usable_metadata(database, metadata)
        warn_if_ids_differ(database)
        run(database, "staging/described_movies")
    _log.info("Read %d metadata files, %.1f s so far", len(metadata), time.perf_counter() - started)
    return truncated


def _fill_tables(database: duckdb.DuckDBPyConnection, config: IngestConfig, *, keep_text: bool) -> None:
    """Makes and checks the tables of selected reviews, of reviewers, of movies and of rejected rows."""
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


def _file_accounts(
    database: duckdb.DuckDBPyConnection, sources: Sequence[Source], truncated: Sequence[Source]
) -> tuple[FileAccount, ...]:
    rows = dict(database.execute("select file, count(*) from staged_reviews group by file").fetchall())
    return tuple(
        FileAccount(path=str(source.path), rows=rows.get(file, 0), truncated=source in truncated)
        for file, source in enumerate(sources)
    )


def _metadata_account(database: duckdb.DuckDBPyConnection, truncated: Sequence[Source]) -> MetadataAccount:
    [counts] = run(database, "staging/metadata_counts").fetchall()
    lines_read, movies_described, lines_repeated, lines_rejected, reviewed_without_metadata = counts
    return MetadataAccount(
        lines_read=lines_read,
        movies_described=movies_described,
        lines_repeated=lines_repeated,
        lines_rejected=lines_rejected,
        reviewed_without_metadata=reviewed_without_metadata,
        unreadable_fields=dict(run(database, "staging/unreadable_fields").fetchall()),
        truncated=tuple(str(source.path) for source in truncated),
    )
