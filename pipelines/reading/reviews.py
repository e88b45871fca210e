"""Reads review files of every format into one staging table, losing no row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.config.sections import IngestConfig
from engine.errors import ConfigError, SourceError
from pipelines.reading.json_lines import file_of, lines_of
from pipelines.reading.lines import Block, BlockReader, decode_lines
from pipelines.reading.sources import Source, require_complete
from pipelines.reading.staging import block_size_for, scratch_folder, stage_blocks
from pipelines.reading.tables import REVIEW_COLUMNS, match_columns
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

FIELD_END = "\x1f"
"""Stands between the fields of records whose quotes have been taken off; made for this very purpose."""

RECORD_END = "\x1e"
"""Stands between such records, which may hold line breaks."""

_NO_HEADER: Mapping[str, int] = {"reviewer": 0, "movie": 1, "rating": 2, "time": 3}
"""The columns of MovieLens' files without a header."""


MIN_TEXT_LENGTH = 20
"""Shorter texts ("Great movie!") are written about many movies on one day and make no copies."""


_DOUBTFUL_AT_ONCE = 5_000


class Records(NamedTuple):
    """A block of text as the staging statements take it."""

    text: str
    first_line: int
    lines: list[int] | None = None
    """The line that each record begins on, where they do not simply follow each other."""
    delimiter: str = ""
    record_end: str = "\n"


@dataclass(frozen=True)
class FileRead:
    """What became of one file."""

    path: Path
    truncated: bool


def stage_reviews(
    database: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    config: IngestConfig,
    *,
    with_text: bool,
    with_numbers: bool = False,
    on_read: Callable[[int, int], object] | None = None,
) -> list[FileRead]:
    """Appends every row of the files to `staged_reviews`; those that cannot be used carry a reason.

    Args:
        database: holds the empty staging tables; outside of a transaction.
        sources: the files, in the order that later breaks ties.
        config: which columns of a table are which of ours, and whether a truncated file will do.
        with_text: keep the words of the reviews, which are most of the bytes.
        with_numbers: keep a number for the words of each review, which tells copies; it is 0 otherwise.
        on_read: told how many more bytes have been read, and how many lines.

    Raises:
        SourceError: a file is damaged, or ends too early where that is not allowed.
        ConfigError: the columns do not fit a table.
        DataError: the work database's folder cannot be written to.
    """
    # Every table is looked at before the first one is read, which may take minutes.
    places = [_find_columns(database, source, config.columns) for source in sources]
    words = {"with_text": with_text, "with_numbers": with_numbers, "min_text_length": MIN_TEXT_LENGTH}
    read = []
    for file, (source, place) in enumerate(zip(sources, places, strict=True)):
        parameters = {"file": file, **words}
        if source.layout == "parquet":
            _stage_parquet(database, source, place, parameters)
            read.append(FileRead(source.path, truncated=False))
            continue
        reader = BlockReader(
            source.path,
            compressed=source.compressed,
            quoted=bool(source.header),
            on_read=on_read,
            block_size=block_size_for(config),
        )
        if source.layout == "json":
            _stage_json(database, reader, parameters, threads=config.threads)
        else:
            _stage_delimited(database, source, reader, place, parameters, threads=config.threads)
        if reader.truncated:
            [(num_rows,)] = database.execute(
                "select count(*) from staged_reviews where file = $file", {"file": file}
            ).fetchall()
            require_complete(source, num_rows, allow_truncated=config.allow_truncated)
        read.append(FileRead(source.path, truncated=reader.truncated))
    return read


def split_quoted(path: Path, block: Block, text: str, delimiter: str) -> Records:
    """Takes the quotes off a block of CSV, keeping the line that each record begins on.

    Raises:
        SourceError: a quoted field does not end.
    """
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    records: list[str] = []
    lines: list[int] = []
    line = block.first_line
    try:
        for record in reader:
            if record:
                records.append(FIELD_END.join(record))
                lines.append(line)
            line = block.first_line + reader.line_num
    except csv.Error as error:
        raise SourceError(
            f"Line {line:,} of {path} is not CSV: {error}; a quoted field may have no end.",
            path=path,
            line=line,
        ) from error
    return Records(RECORD_END.join(records), block.first_line, lines, FIELD_END, RECORD_END)


def _stage_json(
    database: duckdb.DuckDBPyConnection,
    reader: BlockReader,
    parameters: Mapping[str, object],
    *,
    threads: int,
) -> None:
    with scratch_folder(database) as folder:

        def stage(cursor: duckdb.DuckDBPyConnection, blocks: Iterator[Block]) -> None:
            stage_json_reviews(cursor, blocks, folder, parameters)

        stage_blocks(database, iter(reader), stage, threads=threads)


def _stage_delimited(
    database: duckdb.DuckDBPyConnection,
    source: Source,
    reader: BlockReader,
    place: Mapping[str, int],
    parameters: Mapping[str, object],
    *,
    threads: int,
) -> None:
    fields = {f"{name}_field": place.get(name, -1) + 1 for name in REVIEW_COLUMNS}
    header = {"header_line": source.header_line, "num_fields": source.num_fields}

    def stage(cursor: duckdb.DuckDBPyConnection, blocks: Iterator[Records]) -> None:
        for records in blocks:
            run(
                cursor,
                "staging/stage_delimited_reviews",
                **records._asdict(),
                **fields,
                **header,
                **parameters,
            )

    stage_blocks(database, _records(source, reader), stage, threads=threads)


def _records(source: Source, reader: BlockReader) -> Iterator[Records]:
    for block in reader:
        text = decode_lines(block.data)
        if source.header and b'"' in block.data:
            yield split_quoted(source.path, block, text, source.delimiter)
        else:
            yield Records(text, block.first_line, None, source.delimiter)


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
    header = source.header or tuple(parquet_relation(database, source).columns)
    return match_columns(source.path, header, columns, REVIEW_COLUMNS, required=("reviewer", "movie"))


def parquet_relation(database: duckdb.DuckDBPyConnection, source: Source) -> duckdb.DuckDBPyRelation:
    """A Parquet file as a relation.

    Raises:
        SourceError: it is damaged.
    """
    import duckdb

    try:
        return database.read_parquet(str(source.path))
    except duckdb.Error as error:
        raise _damaged(source, error) from error


def _damaged(source: Source, error: Exception) -> SourceError:
    reason = str(error).split("\n", 1)[0]
    return SourceError(f"{source.path} is not a Parquet file that can be read: {reason}", path=source.path)


def _stage_parquet(
    database: duckdb.DuckDBPyConnection,
    source: Source,
    place: Mapping[str, int],
    parameters: Mapping[str, object],
) -> None:
    import duckdb

    relation = database.read_parquet(str(source.path), file_row_number=True)
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
        raise _damaged(source, error) from error
    database.execute("drop view source_rows")


def stage_json_reviews(
    cursor: duckdb.DuckDBPyConnection,
    blocks: Iterator[Block],
    folder: Path,
    parameters: Mapping[str, object],
) -> None:
    """Appends every line that is not blank to `staged_reviews`; those that cannot be used carry a reason.

    Args:
        cursor: a connection with the functions of `add_functions`.
        blocks: of one file.
        folder: where to put a block while it is read.
        parameters: of both statements: file, with_text, with_numbers and min_text_length.
    """
    texts: list[str] = []
    numbers: list[int] = []
    for block in blocks:
        lines = lines_of(block)
        if not len(lines.numbers):
            continue
        with file_of(lines, folder) as written:
            taken = run(cursor, "staging/stage_amazon_reviews", **written, **parameters).fetchall()
        doubtful_texts, doubtful_numbers = lines.besides(taken)
        texts += doubtful_texts
        numbers += doubtful_numbers
        if len(texts) >= _DOUBTFUL_AT_ONCE:
            run(cursor, "staging/stage_doubtful_reviews", texts=texts, lines=numbers, **parameters)
            texts, numbers = [], []
    if texts:
        run(cursor, "staging/stage_doubtful_reviews", texts=texts, lines=numbers, **parameters)
