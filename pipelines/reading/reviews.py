"""Reads review files of every format into one staging table, without losing a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.sections import IngestConfig
from engine.errors import ConfigError
from pipelines.reading.records import RecordReader, Records
from pipelines.reading.sources import Source
from pipelines.reading.staging import check_read, open_blocks, scratch_folder, stage_blocks
from pipelines.reading.tables import REVIEW_COLUMNS, damaged_parquet, match_columns, open_parquet
from pipelines.text.lines import Block, file_of
from pipelines.text.repairs import json_lines, repaired
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

MIN_TEXT_LENGTH = 20
"""The least length of a text that may count as a copy; short texts ("Great movie!") repeat by chance."""

_NO_HEADER: Mapping[str, int] = {"reviewer": 0, "movie": 1, "rating": 2, "time": 3}
"""The position of each column, counted from 0, in MovieLens' rating files, which have no header line."""
_DOUBTFUL_AT_ONCE = 5_000
"""The number of lines left out by the fast SQL statement that a thread collects for the slower statement."""


def stage_reviews(
    database: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    config: IngestConfig,
    *,
    with_text: bool,
    with_numbers: bool = False,
    on_read: Callable[[int, int], object] | None = None,
) -> list[Source]:
    """Appends every row of the review files to `staged_reviews`, with a reason if the row cannot be used.

    The database must hold the empty staging tables, and no transaction may be open in the database.
    `with_text` keeps the texts of the reviews, which are most of the bytes. `with_numbers` keeps a hash of
    each review's text, so that copied reviews can be found, and 0 otherwise. `on_read` is called with the
    number of bytes and the number of lines read since its last call. Returns the files whose gzip data ended
    too early.

    Raises:
        SourceError: a file is damaged, or ends too early although `config.allow_truncated` is false.
        ConfigError: `config.columns` names a column that a file does not have.
        DataError: no file can be written to the folder of the database.
    """
    # The columns of every file are checked first, because reading a single file may take minutes.
    places = [_find_columns(database, source, config.columns) for source in sources]
    min_text_length = MIN_TEXT_LENGTH if with_numbers else None
    truncated: list[Source] = []
    for file, (source, place) in enumerate(zip(sources, places, strict=True)):
        parameters = {
            "file": file,
            "time_pattern": config.time_pattern,
            "with_text": with_text,
            "min_text_length": min_text_length,
        }
        if source.layout == "parquet":
            _stage_parquet(database, source, place, parameters)
            continue
        reader = open_blocks(source, config, on_read)
        records = RecordReader(source, reader)
        if source.layout == "json":
            with scratch_folder(database) as folder:
                stage = partial(stage_json_reviews, folder=folder, parameters=parameters)
                stage_blocks(database, iter(reader), stage, threads=config.threads)
        else:
            fields = {f"{name}_field": place.get(name, -1) + 1 for name in REVIEW_COLUMNS}
            parameters |= {**fields, "num_fields": source.num_fields}
            stage_records = partial(_stage_records, parameters=parameters)
            stage_blocks(database, iter(records), stage_records, threads=config.threads)
        check_read(database, "staged_reviews", file, source, reader, config, records.num_continued)
        if reader.truncated:
            truncated.append(source)
    run(database, "staging/read_comma_ratings")
    return truncated


def stage_json_reviews(
    cursor: duckdb.DuckDBPyConnection, blocks: Iterator[Block], folder: Path, parameters: Mapping[str, object]
) -> None:
    """Appends each JSON line that is not blank to `staged_reviews`, with a reason if the line is unusable.

    Each block is written to the folder as a file, so that DuckDB can read the block quickly. The caller must
    have called `add_functions` with the cursor. The parameters are file, time_pattern, with_text and
    min_text_length.
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
        run(cursor, "staging/stage_delimited_reviews", **records._asdict(), **parameters)


def _find_columns(
    database: duckdb.DuckDBPyConnection, source: Source, columns: Mapping[str, str]
) -> dict[str, int]:
    if source.layout == "json" or (source.layout == "delimited" and not source.header):
        if columns:
            what = "holds JSON lines" if source.layout == "json" else "has no header line"
            raise ConfigError(
                f"--columns names the columns of a table, but {source.path} {what}; leave it out."
            )
        return {name: place for name, place in _NO_HEADER.items() if place < source.num_fields}
    header = source.header or tuple(open_parquet(database, source.file).columns)
    return match_columns(source.path, header, columns, REVIEW_COLUMNS, required=("reviewer", "movie"))


def _stage_parquet(
    database: duckdb.DuckDBPyConnection,
    source: Source,
    place: Mapping[str, int],
    parameters: Mapping[str, object],
) -> None:
    import duckdb

    relation = open_parquet(database, source.file, file_row_number=True)
    text = duckdb.sqltype("VARCHAR")
    chosen = [(duckdb.ColumnExpression("file_row_number") + duckdb.ConstantExpression(1)).alias("line")]
    for name in REVIEW_COLUMNS:
        column: duckdb.Expression = (
            duckdb.ColumnExpression(relation.columns[place[name]])
            if name in place
            else duckdb.ConstantExpression(None)
        )
        renamed = f"{name}_id" if name in ("reviewer", "movie") else name
        chosen.append(column.cast(text).alias(renamed))
    relation.select(*chosen).create_view("source_rows", replace=True)
    try:
        run(database, "staging/stage_table_reviews", **parameters)
    except duckdb.Error as error:
        raise damaged_parquet(source.path, error) from error
    database.execute("drop view source_rows")
