"""Reads metadata files of every format by turning each movie into a JSON object in Amazon's format."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.config.sections import IngestConfig
from pipelines.reading.columns import Columns, movie_columns, say_movie_columns
from pipelines.reading.names import (
    DESCRIBING,
    NUM_ITEM_FIELDS,
    dat_movie,
    field_paths,
    field_text,
    item_movie,
)
from pipelines.reading.parquet import parquet_errors, text_relation
from pipelines.reading.records import RecordReader, Records
from pipelines.reading.sources import Source, on_disk
from pipelines.reading.staging import check_read, open_blocks, read_whole_ids, scratch_folder, stage_blocks
from pipelines.reading.workers import (
    FileToStage,
    Staged,
    insert_parquet,
    may_stage_apart,
    stage_apart,
    stage_here,
    table_as_parquet,
)
from pipelines.text.documents import DocumentReader
from pipelines.text.lines import Block, BlockReader, Lines, file_of, lines_of
from pipelines.text.repairs import json_lines, parse, repaired
from pipelines.work.database import count_rows, open_cursor, run
from pipelines.work.runners import HERE, Runner

if TYPE_CHECKING:
    import duckdb

_BATCH = 10_000
"""The number of movies that are held in memory at once while a Parquet file, or the descriptions of movies in
review files, are read."""
_AMAZON_IDS = ("asin", "parent_asin")
"""The fields of Amazon's JSON metadata that hold the movie's id."""
_AMAZON_FIELDS = (
    *("categories", "main_category", "store", "salesRank", "details"),
    *("also_buy", "also_view", "bought_together", "related"),
)
"""The fields of Amazon's JSON metadata that are always read, in addition to the fields that --columns can
name."""


def stage_metadata(
    database: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    config: IngestConfig,
    *,
    describe_all: bool = False,
    on_read: Callable[[int, int], object] | None = None,
    runner: Runner = HERE,
) -> list[Source]:
    """Reads metadata files into the tables `metadata_lines` and `staged_metadata`.

    The table `metadata_lines` gets one row for each line of the metadata files. The table `staged_metadata`
    gets the cleaned values of a metadata line if the table `reviewed_movies` has the line's movie. If several
    lines describe a movie, the view `described_movies` later combines the lines.

    Args:
        database: a database with the empty staging tables and without an open transaction.
        sources: the metadata files.
        config: the settings of reading.
        describe_all: whether `staged_metadata` also gets the lines about movies without reviews.
        on_read: a function that is called with the numbers of bytes and lines read since the previous call.
        runner: the runner that reads several files, perhaps in workers.

    Returns:
        The files whose compressed data ended too early.

    Raises:
        SourceError: a file is damaged, has no column with the movies' ids, or ends too early although
            `config.allow_truncated` is false.
    """
    files = [FileToStage(*file) for file in enumerate(sources)]
    apart, here = may_stage_apart(files, runner)
    truncated = _stage_files(database, here, config, on_read, describe_all=describe_all)
    if apart:
        reviewed = None if describe_all else table_as_parquet(database, "reviewed_movies")
        settings = (config, reviewed)
        truncated += stage_apart(database, runner, stage_in_worker, settings, apart, on_read)
    if count_rows(database, "(from staged_reviews where movie_fields is not null limit 1)"):
        # Descriptions of movies in review files are staged last, because values in metadata files win.
        with scratch_folder(database) as folder:
            stage = partial(_stage_lines, folder=folder, file=len(sources), describe_all=True, counted=False)
            stage_blocks(database, _lines_of_reviews(database), stage, threads=config.threads)
    run(database, "staging/read_prices")
    return [sources[number] for number in sorted(truncated)]


def stage_in_worker(settings: tuple[IngestConfig, bytes | None], files: Sequence[FileToStage]) -> Staged:
    """Reads metadata files in a worker, and returns the rows of the worker's staging tables.

    `settings` holds the configuration, and a Parquet file of the movies whose lines are wanted, or None if
    the lines about all movies are wanted.
    """
    config, reviewed = settings

    def stage(database: duckdb.DuckDBPyConnection, config: IngestConfig) -> list[int]:
        run(database, "staging/reviewed_movies")
        if reviewed is not None:
            insert_parquet(database, "reviewed_movies", reviewed)
        return _stage_files(database, files, config, None, describe_all=reviewed is None)

    return stage_here(files, config, ("metadata_lines", "staged_metadata"), stage)


def _stage_files(
    database: duckdb.DuckDBPyConnection,
    files: Sequence[FileToStage],
    config: IngestConfig,
    on_read: Callable[[int, int], object] | None,
    *,
    describe_all: bool,
) -> list[int]:
    """Appends the lines of files to the staging tables; returns the file numbers of the truncated files."""
    truncated = []
    for file, source, _ in files:
        with scratch_folder(database) as folder, on_disk(source, folder) as whole:
            reader = open_blocks(whole, config, on_read)
            stage = partial(_stage_lines, folder=folder, file=file, describe_all=describe_all)
            records = RecordReader(whole, reader)
            lines = _lines(database, whole, reader, records, config.columns)
            stage_blocks(database, lines, stage, threads=config.threads)
        if source.layout != "parquet":
            check_read(
                *(database, "metadata_lines", file, source, reader, config),
                num_continued=records.num_continued,
            )
        if read_whole_ids(database, "metadata_lines", file, ("movie_id",)):
            database.execute(
                "update staged_metadata set movie_id = left(movie_id, -2) "
                f"where file = {file} and ends_with(movie_id, '.0')"
            )
        if reader.truncated:
            truncated.append(file)
    return truncated


def _stage_lines(
    cursor: duckdb.DuckDBPyConnection,
    items: Iterator[Lines],
    *,
    folder: Path,
    file: int,
    describe_all: bool,
    counted: bool = True,
) -> None:
    def stage(lines: Lines) -> tuple[list[str], list[int]]:
        """Stages the lines that are JSON; returns the texts and line numbers of all other lines."""
        if not len(lines.numbers):
            return [], []
        with file_of(lines, folder) as written:
            described = run(cursor, "staging/stage_metadata", file=file, describe_all=describe_all, **written)
            if not counted:
                return [], []
            if describe_all:
                return lines.besides(described.fetchall())
            return lines.besides(run(cursor, "staging/stage_metadata_lines", file=file, **written).fetchall())

    for lines in items:
        texts, numbers = stage(lines)
        mended = list(map(repaired, texts))
        if mended != texts:
            texts, numbers = stage(_text_lines("\n".join(mended), numbers[0], numbers))
        if texts:
            run(cursor, "staging/stage_doubtful_metadata", file=file, texts=texts, lines=numbers)
    if counted and describe_all:
        run(cursor, "staging/stage_described_lines", file=file)


def _lines(
    database: duckdb.DuckDBPyConnection,
    source: Source,
    reader: BlockReader | DocumentReader,
    records: RecordReader,
    given: Mapping[str, str],
) -> Iterator[Lines]:
    if source.layout == "json" and not any(source.sample):
        return map(json_lines, reader)
    if source.layout == "delimited" and _are_movielens(source):
        return (_movielens_lines(source, some) for some in records)
    columns = movie_columns(database, source, given)
    say_movie_columns(columns)
    if source.layout == "parquet":
        return _parquet_lines(database, source, columns)
    if source.layout == "delimited":
        return _table_lines(source, records, columns)
    is_own = max(columns.places.values()) < columns.num_own
    if (
        is_own
        and columns.names[columns.places["movie"]] in _AMAZON_IDS
        and not any(name in given for name in DESCRIBING)
    ):
        return map(json_lines, reader)
    return _renamed_lines(source, reader, columns)


def _are_movielens(source: Source) -> bool:
    """Tells whether a file seems to be u.item or movies.dat, the MovieLens files without a header line."""
    return not source.header and (source.delimiter == "::" or source.num_fields == NUM_ITEM_FIELDS)


def _renamed_lines(source: Source, reader: BlockReader | DocumentReader, columns: Columns) -> Iterator[Lines]:
    """Yields each movie as a line of JSON, with the field names that `stage_metadata.sql` expects."""
    paths = field_paths(cast("Sequence[Mapping[str, object]]", source.sample))
    of_folders = {
        name: source.partition[place - columns.num_own][1]
        for name, place in columns.places.items()
        if place >= columns.num_own
    }
    taken = {
        name: paths[columns.names[place]] for name, place in columns.places.items() if name not in of_folders
    }
    for block in reader:
        texts, numbers = json_lines(block).besides([])
        for place, text in enumerate(texts):
            item = parse(text)
            if isinstance(item, dict):
                movie = {name: item[name] for name in _AMAZON_FIELDS if name in item}
                values = {name: field_text(item, path) for name, path in taken.items()}
                texts[place] = _to_json(movie | values | of_folders)
        if texts:
            yield _text_lines("\n".join(texts), numbers[0], numbers)


def _text_lines(text: str, first_line: int, numbers: Sequence[int] | None = None) -> Lines:
    return lines_of(Block(first_line, text.encode("utf-8", errors="backslashreplace")), numbers)


def _movielens_lines(source: Source, records: Records) -> Lines:
    to_movie = item_movie if source.delimiter == "|" else dat_movie
    lines, texts = [], []
    for line, fields in records.fields():
        lines.append(line)
        texts.append(json.dumps(to_movie(fields) or source.delimiter.join(fields)))
    return _text_lines("\n".join(texts), records.first_line, lines)


def _table_lines(source: Source, records: RecordReader, columns: Columns) -> Iterator[Lines]:
    for some in records:
        found = [(line, _row_to_json(fields, columns.places, source)) for line, fields in some.fields()]
        lines, texts = zip(*found, strict=True)
        yield _text_lines("\n".join(texts), some.first_line, lines)


def _parquet_lines(database: duckdb.DuckDBPyConnection, source: Source, columns: Columns) -> Iterator[Lines]:
    # A separate cursor reads the Parquet file, because other statements run between two batches of rows.
    reader = open_cursor(database)
    names = {name: name for name in columns.places}
    rows = text_relation(reader, source, columns.places, names, numbered=False)
    with parquet_errors(source.path):
        yield from _lines_of_rows(reader.execute(rows.sql_query()), tuple(names))


def _lines_of_reviews(database: duckdb.DuckDBPyConnection) -> Iterator[Lines]:
    """Yields the metadata that review files hold, such as titles, as one line of JSON for each movie."""
    rows = run(open_cursor(database), "staging/movies_of_reviews")
    yield from _lines_of_rows(rows, ("movie", *DESCRIBING))


def _lines_of_rows(rows: duckdb.DuckDBPyConnection, names: Sequence[str]) -> Iterator[Lines]:
    first = 1
    while batch := rows.fetchmany(_BATCH):
        texts = [_to_json(dict(zip(names, row, strict=True))) for row in batch]
        yield _text_lines("\n".join(texts), first)
        first += len(batch)


def _row_to_json(fields: Sequence[str], places: Mapping[str, int], source: Source) -> str:
    """Converts the fields of a record of a delimited file to a JSON object.

    A record with a wrong number of fields becomes a JSON string, which is rejected later.
    """
    if len(fields) < source.num_fields or any(map(str.strip, fields[source.num_fields :])):
        return json.dumps(",".join(fields))
    values = [*fields[: source.num_fields], *(value for _, value in source.partition)]
    return _to_json({name: values[place] for name, place in places.items()})


def _to_json(row: Mapping[str, object]) -> str:
    movie = {("asin" if name == "movie" else name): value for name, value in row.items()}
    for name in ("category", "description", "links"):
        text = movie.get(name)
        if isinstance(text, str):
            parts = [text] if name == "description" else text.split("|")
            names = (part.strip() for part in _names_listed(text) or parts)
            movie[name] = [part for part in names if part and part != "(no genres listed)"]
    return json.dumps(movie)


def _names_listed(text: str) -> list[str]:
    """Parses a list of names in JSON or Python syntax; returns an empty list for any other text.

    Example:
        >>> _names_listed("['Drama', 'War']"), _names_listed('[{"id": 18, "name": "Drama"}]')
        (['Drama', 'War'], ['Drama'])
    """
    if not text.lstrip().startswith("["):
        return []
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        try:
            items = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return []
    flat = [part for item in items for part in (item if isinstance(item, list) else [item])]
    texts = [item.get("name") if isinstance(item, dict) else item for item in flat]
    return [str(text) for text in texts if text is not None]
