"""Reads review files of every format into one staging table, without losing a row of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engine.config.sections import IngestConfig
from pipelines.reading.columns import Columns, log_places, review_columns, say_columns
from pipelines.reading.names import DESCRIBING, REVIEW_COLUMNS, field_paths, pointer_to
from pipelines.reading.parquet import parquet_errors, text_relation
from pipelines.reading.records import RecordReader, Records
from pipelines.reading.sources import Source, on_disk
from pipelines.reading.staging import (
    MEMORY_PER_BYTE,
    check_read,
    open_blocks,
    read_whole_ids,
    scratch_folder,
    stage_blocks,
)
from pipelines.reading.workers import FileToStage, Staged, may_stage_apart, stage_apart, stage_here
from pipelines.text.lines import Block, file_of
from pipelines.text.repairs import json_lines, repaired
from pipelines.work.database import folder_of, literal_path, run
from pipelines.work.runners import HERE, Runner

if TYPE_CHECKING:
    import duckdb

MIN_TEXT_LENGTH = 20
"""The least number of characters in the text of a review that may count as a copy of another review; shorter
texts, such as "Great movie!", repeat by chance."""

_AMAZON_FIELDS = {
    *("reviewerID", "user_id", "asin", "parent_asin", "overall", "rating", "unixReviewTime", "timestamp"),
    *("reviewTime", "verified", "verified_purchase", "style", "reviewerName", "vote", "helpful_vote"),
    *("helpful", "reviewText", "text", "summary", "title"),
}
"""The fields of Amazon's JSON reviews; a file that uses no other fields is read by a faster SQL statement."""
_MEMORY_PER_BYTE = 20
"""The number of bytes of memory that are planned for each byte of a block of Amazon's reviews; in
measurements, at most 6 bytes were needed."""
_WITH_DECIMAL_IDS = """
    select distinct file from staged_reviews
    where reason is null and (ends_with(reviewer_id, '.0') or ends_with(movie_id, '.0'))
"""
_DOUBTFUL_AT_ONCE = 5_000
"""The number of lines in one call of the slower SQL statement, which reads the lines that the fast SQL
statement cannot read."""


def stage_reviews(
    database: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    config: IngestConfig,
    *,
    with_text: bool,
    with_numbers: bool = False,
    on_read: Callable[[int, int], object] | None = None,
    runner: Runner = HERE,
) -> list[Source]:
    """Appends every row of the review files to `staged_reviews`, with a reason if the row cannot be used.

    Args:
        database: a database with the empty staging tables and without an open transaction.
        sources: the review files.
        config: the settings of reading.
        with_text: whether the texts of the reviews, which are most of the bytes, are kept.
        with_numbers: whether a hash of each review's text is kept, so that copied reviews can be found.
        on_read: a function that is called with the numbers of bytes and lines read since the previous call.
        runner: the runner that reads several files, perhaps in workers.

    Returns:
        The files whose compressed data ended too early.

    Raises:
        SourceError: a file is damaged, or ends too early although `config.allow_truncated` is false.
        ConfigError: `config.columns` names a column that a file does not have.
        DataError: no file can be written to the folder of the database.
    """
    # The columns of every file are found first, so that an error in the last file is reported before the
    # minutes that reading the first file may take.
    found = [
        None if source.layout == "journal" else _find_columns(database, source, config.columns)
        for source in sources
    ]
    _say_columns_of([columns for columns in found if columns is not None], config.columns)
    parameters = {
        "time_pattern": config.time_pattern,
        "with_text": with_text,
        "min_text_length": MIN_TEXT_LENGTH if with_numbers else None,
    }
    files = [FileToStage(*file) for file in zip(range(len(sources)), sources, found, strict=True)]
    apart, here = may_stage_apart(files, runner)
    truncated = _stage_files(database, here, config, parameters, on_read)
    if apart:
        truncated += stage_apart(database, runner, stage_in_worker, (config, parameters), apart, on_read)
    for (file,) in database.execute(_WITH_DECIMAL_IDS).fetchall():
        read_whole_ids(database, "staged_reviews", file, ("reviewer_id", "movie_id"))
    run(database, "staging/read_comma_ratings")
    return [sources[number] for number in sorted(truncated)]


def stage_in_worker(settings: tuple[IngestConfig, Mapping[str, Any]], files: Sequence[FileToStage]) -> Staged:
    """Reads review files in a worker, and returns the rows of the worker's staging table.

    `settings` holds the configuration, and the parameters that the SQL statements for all files have in
    common.
    """
    config, parameters = settings
    return stage_here(
        files,
        config,
        ("staged_reviews",),
        lambda database, config: _stage_files(database, files, config, parameters, None),
    )


def _stage_files(
    database: duckdb.DuckDBPyConnection,
    files: Sequence[FileToStage],
    config: IngestConfig,
    parameters: Mapping[str, Any],
    on_read: Callable[[int, int], object] | None,
) -> list[int]:
    """Appends the rows of files to the staging tables; returns the file numbers of the truncated files."""
    truncated = []
    for number, source, columns in files:
        if source.layout == "journal":
            _stage_journal(database, source, number)
            continue
        with on_disk(source, folder_of(database)) as whole:
            if _stage_file(database, whole, columns, config, {**parameters, "file": number}, on_read):
                truncated.append(number)
    return truncated


def _stage_file(
    database: duckdb.DuckDBPyConnection,
    source: Source,
    columns: Columns | None,
    config: IngestConfig,
    parameters: Mapping[str, Any],
    on_read: Callable[[int, int], object] | None,
) -> bool:
    """Appends the rows of a file to the staging table; returns whether the file's data ended too early."""
    if source.layout == "parquet" and columns is not None:
        _stage_parquet(database, source, columns, parameters)
        return False
    are_amazon = columns is None or (source.layout == "json" and _are_amazon(columns))
    memory_per_byte = _MEMORY_PER_BYTE if are_amazon else MEMORY_PER_BYTE
    reader = open_blocks(source, config, on_read, memory_per_byte=memory_per_byte)
    records = RecordReader(source, reader)
    if columns is None or are_amazon:
        with scratch_folder(database) as folder:
            stage = partial(stage_json_reviews, folder=folder, parameters=parameters)
            stage_blocks(database, iter(reader), stage, threads=config.threads)
    else:
        stage_records = partial(_stage_records, parameters={**parameters, **_fields(source, columns)})
        of_json = map(_json_records, reader) if source.layout == "json" else iter(records)
        stage_blocks(database, of_json, stage_records, threads=config.threads)
    check_read(
        *(database, "staged_reviews", parameters["file"], source, reader, config), records.num_continued
    )
    return reader.truncated


def _stage_journal(database: duckdb.DuckDBPyConnection, source: Source, file: int) -> None:
    """Appends the reviews in the JSON lines of a feedback journal to the table `staged_reviews`."""
    run(database, "staging/journal_lines", path=literal_path(source.file))
    run(database, "staging/stage_journal", file=file)
    implicit = "select $1, line, kind from journal_lines where kind is not null"
    database.execute(f"insert into implicit_reviews {implicit}", [file])
    database.execute("drop table journal_lines")


def stage_json_reviews(
    cursor: duckdb.DuckDBPyConnection, blocks: Iterator[Block], folder: Path, parameters: Mapping[str, object]
) -> None:
    """Appends each JSON line that is not blank to `staged_reviews`, with a reason if the line is unusable.

    Each block is written as a file to `folder`, because DuckDB reads JSON faster from a file than from a
    parameter. The caller must have called `add_functions` with the database. The dictionary `parameters` has
    the entries file, time_pattern, with_text and min_text_length.
    """
    texts: list[str] = []
    numbers: list[int] = []
    for block in blocks:
        lines = json_lines(block)
        if not len(lines.numbers):
            continue
        with file_of(lines, folder) as written:
            taken = run(cursor, "staging/stage_amazon_reviews", **written, **parameters).fetchall()
        doubtful_texts, doubtful_numbers = lines.besides(taken)
        texts += map(repaired, doubtful_texts)
        numbers += doubtful_numbers
        if len(texts) >= _DOUBTFUL_AT_ONCE:
            run(cursor, "staging/stage_doubtful_reviews", texts=texts, lines=numbers, **parameters)
            texts, numbers = [], []
    if texts:
        run(cursor, "staging/stage_doubtful_reviews", texts=texts, lines=numbers, **parameters)


def _stage_records(
    cursor: duckdb.DuckDBPyConnection, blocks: Iterator[Records], parameters: Mapping[str, object]
) -> None:
    for records in blocks:
        run(cursor, "staging/stage_records", **records._asdict(), **parameters)


def _json_records(block: Block) -> Records:
    """Returns the lines of a block of JSON as records, and repairs the lines that are nearly JSON."""
    texts, numbers = json_lines(block).besides([])
    return Records("\n".join(map(repaired, texts)), block.first_line, numbers, record_end="\n")


def _find_columns(
    database: duckdb.DuckDBPyConnection, source: Source, given: Mapping[str, str]
) -> Columns | None:
    """Finds the columns of a review file; returns None if the first lines of a JSON file hold no fields."""
    if source.layout == "json" and not any(source.sample):
        return None
    return review_columns(database, source, given)


def _say_columns_of(found: Sequence[Columns], given: Mapping[str, str]) -> None:
    """Logs the meanings of the columns of review files, once for all files with the same columns."""
    alike: dict[tuple[str, ...], list[Columns]] = {}
    for columns in found:
        alike.setdefault((str(columns), *columns.names), []).append(columns)
    for first, *others in alike.values():
        name = f"{first.path.name} and {len(others)} more" if others else first.path.name
        say_columns(replace(first, path=first.path.with_name(name)), given)


def _are_amazon(columns: Columns) -> bool:
    """Tells whether the fast SQL statement for Amazon's reviews can read all used columns of a JSON file."""
    taken = {columns.names[place] for place in columns.places.values()}
    describes = any(name in columns.places for name in DESCRIBING)
    own = columns.names[: columns.num_own]
    return taken <= _AMAZON_FIELDS and not describes and columns.places == log_places(own, {})


def _fields(source: Source, columns: Columns) -> dict[str, object]:
    """Returns the parameters that tell the SQL statement `stage_records` the position of each column."""
    describing = [columns.places.get(name, -1) + 1 for name in DESCRIBING]
    objects = cast("Sequence[Mapping[str, object]]", source.sample if source.layout == "json" else ())
    paths = [pointer_to(path) for path in field_paths(objects).values()]
    return {
        **{f"{name}_field": columns.places.get(name, -1) + 1 for name in REVIEW_COLUMNS},
        "movie_fields": describing if any(describing) else None,
        "paths": paths if source.layout == "json" else None,
        "num_fields": source.num_fields,
        "num_own": columns.num_own,
        "partition": [value for _, value in source.partition] or None,
    }


def _stage_parquet(
    database: duckdb.DuckDBPyConnection, source: Source, columns: Columns, parameters: Mapping[str, object]
) -> None:
    names = {name: name for name in (*REVIEW_COLUMNS, *DESCRIBING)}
    names |= {"reviewer": "reviewer_id", "movie": "movie_id"}
    describes = any(name in columns.places for name in DESCRIBING)
    rows = text_relation(database, source, columns.places, names)
    with parquet_errors(source.path):
        rows.create_view("source_rows", replace=True)
        run(database, "staging/stage_table_reviews", describes_movies=describes, **parameters)
        database.execute("drop view source_rows")
