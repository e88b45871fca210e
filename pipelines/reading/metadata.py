"""Reads metadata files of every format, after turning each movie into a JSON object in Amazon's format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.sections import IngestConfig
from pipelines.reading.movie_lines import dat_movie, item_movie
from pipelines.reading.records import RecordReader, Records
from pipelines.reading.sources import Source
from pipelines.reading.staging import check_read, open_blocks, scratch_folder, stage_blocks
from pipelines.reading.tables import MOVIE_COLUMNS, match_columns, open_parquet
from pipelines.text.documents import DocumentReader
from pipelines.text.lines import Block, BlockReader, Lines, file_of, lines_of
from pipelines.text.repairs import json_lines, repaired
from pipelines.work.database import open_cursor, run

if TYPE_CHECKING:
    import duckdb

_BATCH = 10_000
"""The number of rows of a Parquet file that are in memory at the same time."""


def stage_metadata(
    database: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    config: IngestConfig,
    *,
    describe_all: bool = False,
    on_read: Callable[[int, int], object] | None = None,
) -> list[Source]:
    """Reads metadata files into the tables `metadata_lines` and `staged_metadata`.

    `metadata_lines` gets one row per line. `staged_metadata` gets the cleaned values of each line about a
    movie in the table `reviewed_movies`, or about any movie if `describe_all` is true. No transaction may be
    open in the database. If several lines describe a movie, the view `described_movies` later combines them.
    `on_read` is called with the number of bytes and the number of lines read since its last call. Returns the
    files whose gzip data ended too early.

    Raises:
        SourceError: a file is damaged, has no column with the movie's id, or ends too early although
            `config.allow_truncated` is false.
    """
    truncated: list[Source] = []
    for file, source in enumerate(sources):
        reader = open_blocks(source, config, on_read)
        with scratch_folder(database) as folder:
            stage = partial(_stage_lines, folder=folder, file=file, describe_all=describe_all)
            records = RecordReader(source, reader)
            lines = _lines(database, source, reader, records, config.columns)
            stage_blocks(database, lines, stage, threads=config.threads)
        if source.layout != "parquet":
            check_read(
                *(database, "metadata_lines", file, source, reader, config),
                num_continued=records.num_continued,
            )
        if reader.truncated:
            truncated.append(source)
    run(database, "staging/read_doubtful_prices")
    return truncated


def _stage_lines(
    cursor: duckdb.DuckDBPyConnection, items: Iterator[Lines], *, folder: Path, file: int, describe_all: bool
) -> None:
    def stage(lines: Lines) -> tuple[list[str], list[int]]:
        """Stages the lines that are JSON, and returns the texts and the numbers of all others."""
        if not len(lines.numbers):
            return [], []
        with file_of(lines, folder) as written:
            taken = run(cursor, "staging/stage_metadata_lines", file=file, **written).fetchall()
            run(cursor, "staging/stage_metadata", file=file, describe_all=describe_all, **written)
        return lines.besides(taken)

    for lines in items:
        texts, numbers = stage(lines)
        mended = list(map(repaired, texts))
        if mended != texts:
            texts, numbers = stage(_text_lines("\n".join(mended), numbers[0], numbers))
        if texts:
            run(cursor, "staging/stage_doubtful_metadata", file=file, texts=texts, lines=numbers)


def _lines(
    database: duckdb.DuckDBPyConnection,
    source: Source,
    reader: BlockReader | DocumentReader,
    records: RecordReader,
    columns: Mapping[str, str],
) -> Iterator[Lines]:
    if source.layout == "parquet":
        return _parquet_lines(database, source, columns)
    if source.layout == "json":
        return map(json_lines, reader)
    if source.header:
        return _table_lines(source, records, columns)
    return (_movielens_lines(source, some) for some in records)


def _text_lines(text: str, first_line: int, numbers: Sequence[int] | None = None) -> Lines:
    return lines_of(Block(first_line, text.encode("utf-8", errors="backslashreplace")), numbers)


def _movielens_lines(source: Source, records: Records) -> Lines:
    to_movie = item_movie if source.delimiter == "|" else dat_movie
    lines, texts = [], []
    for line, fields in records.fields():
        lines.append(line)
        texts.append(json.dumps(to_movie(fields) or source.delimiter.join(fields)))
    return _text_lines("\n".join(texts), records.first_line, lines)


def _table_lines(source: Source, records: RecordReader, columns: Mapping[str, str]) -> Iterator[Lines]:
    places = _find_columns(source, source.header, columns)
    for some in records:
        lines, texts = zip(
            *((line, _row_to_json(fields, places, source)) for line, fields in some.fields()), strict=True
        )
        yield _text_lines("\n".join(texts), some.first_line, lines)


def _parquet_lines(
    database: duckdb.DuckDBPyConnection, source: Source, columns: Mapping[str, str]
) -> Iterator[Lines]:
    # Other statements run between two batches of rows, so a separate cursor reads the Parquet file.
    reader = open_cursor(database)
    places = _find_columns(source, open_parquet(reader, source.file).columns, columns)
    reader.execute("select * from read_parquet($path)", {"path": str(source.file)})
    first = 1
    while rows := reader.fetchmany(_BATCH):
        texts = [_to_json({name: row[place] for name, place in places.items()}) for row in rows]
        yield _text_lines("\n".join(texts), first)
        first += len(rows)


def _find_columns(source: Source, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    given = {"movie": columns["movie"]} if columns.get("movie") in header else {}
    return match_columns(source.path, header, given, MOVIE_COLUMNS, required=("movie",))


def _row_to_json(fields: Sequence[str], places: Mapping[str, int], source: Source) -> str:
    """Returns a table row as a JSON object, or as a JSON string, to be rejected, if fields are missing."""
    if len(fields) < source.num_fields or any(map(str.strip, fields[source.num_fields :])):
        return json.dumps(",".join(fields))
    return _to_json({name: fields[place] for name, place in places.items()})


def _to_json(row: Mapping[str, object]) -> str:
    movie = {("asin" if name == "movie" else name): value for name, value in row.items()}
    category = movie.get("category")
    if isinstance(category, str):
        parts = (part.strip() for part in category.split("|"))
        movie["category"] = [part for part in parts if part and part != "(no genres listed)"]
    if isinstance(movie.get("links"), str):
        movie["links"] = [part.strip() for part in str(movie["links"]).split("|") if part.strip()]
    return json.dumps(movie, default=str)
