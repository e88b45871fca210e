"""Reads metadata files of every format: each line becomes the JSON object that Amazon would have written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from engine.config import IngestConfig
from engine.errors import SourceError
from pipelines.blocks import Block, BlockReader, decode_lines
from pipelines.columns import MOVIE_COLUMNS, match_columns
from pipelines.database import run
from pipelines.literals import literals_to_json
from pipelines.movielens import dat_movie, item_movie
from pipelines.rejections import require_complete
from pipelines.reviews import FileRead, Records, parquet_relation
from pipelines.sources import Source
from pipelines.staging import stage_blocks

if TYPE_CHECKING:
    import duckdb

_BATCH = 10_000


def stage_metadata(
    database: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    config: IngestConfig,
    *,
    describe_all: bool = False,
    on_read: Callable[[int, int], object] | None = None,
) -> list[FileRead]:
    """Notes every line in `metadata_lines`, and those of reviewed movies, cleaned, in `staged_metadata`.

    Args:
        database: holds the staged reviews; outside of a transaction.
        sources: the files; of several lines about one movie, the first that has a value counts.
        config: which column of a table is the movie, and whether a truncated file will do.
        describe_all: clean the lines of movies too that nobody reviewed.
        on_read: told how many more bytes have been read, and how many lines.

    Raises:
        SourceError: a file is damaged, has no column with the movie's id, or ends too early.
    """
    run(database, "reviewed_movies")
    read = []
    for file, source in enumerate(sources):
        reader = BlockReader(
            source.path, compressed=source.compressed, quoted=bool(source.header), on_read=on_read
        )
        stage_blocks(
            database,
            _records(database, source, reader, config.columns),
            partial(_stage_records, file=file, describe_all=describe_all),
            threads=config.threads,
        )
        if reader.truncated:
            [(num_rows,)] = database.execute(
                "select count(*) from metadata_lines where file = $file", {"file": file}
            ).fetchall()
            require_complete(source, num_rows, allow_truncated=config.allow_truncated)
        read.append(FileRead(source.path, truncated=reader.truncated))
    run(database, "described_movies")
    return read


def _stage_records(
    cursor: duckdb.DuckDBPyConnection, blocks: Iterator[Records], *, file: int, describe_all: bool
) -> None:
    for records in blocks:
        parameters = {
            "file": file,
            # What follows the last line feed has the number of the next block's first line.
            "text": records.text.removesuffix("\n"),
            "first_line": records.first_line,
            "lines": records.lines,
        }
        run(cursor, "stage_metadata_lines", **parameters)
        run(cursor, "stage_metadata", **parameters, describe_all=describe_all)


def _records(
    database: duckdb.DuckDBPyConnection, source: Source, reader: BlockReader, columns: Mapping[str, str]
) -> Iterator[Records]:
    if source.layout == "parquet":
        return _parquet_records(database, source, columns)
    if source.layout == "json":
        return (_json_records(block) for block in reader)
    if source.header:
        return _table_records(source, reader, columns)
    return (_movielens_records(source, block) for block in reader)


def _json_records(block: Block) -> Records:
    text = decode_lines(block.data)
    if "{'" in text:
        text = literals_to_json(text)
    return Records(text, block.first_line)


def _movielens_records(source: Source, block: Block) -> Records:
    to_movie = item_movie if source.delimiter == "|" else dat_movie
    texts = []
    for line in decode_legacy(block.data).split("\n"):
        movie = to_movie(line.split(source.delimiter)) if line.strip() else None
        texts.append(line if movie is None else json.dumps(movie))
    return Records("\n".join(texts), block.first_line)


def _table_records(source: Source, reader: BlockReader, columns: Mapping[str, str]) -> Iterator[Records]:
    places = _find_columns(source, source.header, columns)
    for block in reader:
        table = csv.reader(decode_legacy(block.data).splitlines(keepends=True), delimiter=source.delimiter)
        texts, lines, line = [], [], block.first_line
        try:
            for fields in table:
                if fields and line > source.header_line:
                    texts.append(_row_to_json(fields, places, source))
                    lines.append(line)
                line = block.first_line + table.line_num
        except csv.Error as error:
            raise SourceError(
                f"Line {line:,} of {source.path} is not CSV: {error}; a quoted field may have no end.",
                path=source.path,
                line=line,
            ) from error
        if texts:
            yield Records("\n".join(texts), block.first_line, lines)


def _parquet_records(
    database: duckdb.DuckDBPyConnection, source: Source, columns: Mapping[str, str]
) -> Iterator[Records]:
    # A cursor of its own: the statements that take the records run meanwhile.
    reader = database.cursor()
    places = _find_columns(source, parquet_relation(reader, source).columns, columns)
    reader.execute("select * from read_parquet($path)", {"path": str(source.path)})
    first = 1
    while rows := reader.fetchmany(_BATCH):
        texts = [_to_json({name: row[place] for name, place in places.items()}) for row in rows]
        yield Records("\n".join(texts), first)
        first += len(rows)


def decode_legacy(data: bytes) -> str:
    """Decodes a block of a file that may come from before UTF-8 was usual, as MovieLens' movie files do."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _find_columns(source: Source, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    given = {"movie": columns["movie"]} if columns.get("movie") in header else {}
    return match_columns(source.path, header, given, MOVIE_COLUMNS, required=("movie",))


def _row_to_json(fields: Sequence[str], places: Mapping[str, int], source: Source) -> str:
    """A row of a table as JSON; one with too few or too many fields as text, which is rejected later."""
    if len(fields) != source.num_fields:
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
