"""Reads metadata files of every format: each line becomes the JSON object that Amazon would have written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.sections import IngestConfig
from engine.errors import SourceError
from pipelines.reading.json_lines import Lines, file_of, lines_of
from pipelines.reading.lines import Block, BlockReader, decode_lines
from pipelines.reading.movie_lines import dat_movie, item_movie, literals_to_json
from pipelines.reading.reviews import FileRead, parquet_relation
from pipelines.reading.sources import Source, require_complete
from pipelines.reading.staging import block_size_for, scratch_folder, stage_blocks
from pipelines.reading.tables import MOVIE_COLUMNS, match_columns
from pipelines.work.database import open_cursor, run

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
    run(database, "staging/reviewed_movies")
    read = []
    for file, source in enumerate(sources):
        reader = BlockReader(
            source.path,
            compressed=source.compressed,
            quoted=bool(source.header),
            on_read=on_read,
            block_size=block_size_for(config),
        )
        with scratch_folder(database) as folder:
            stage_blocks(
                database,
                _lines(database, source, reader, config.columns),
                partial(_stage_lines, folder=folder, file=file, describe_all=describe_all),
                threads=config.threads,
            )
        if reader.truncated:
            [(num_rows,)] = database.execute(
                "select count(*) from metadata_lines where file = $file", {"file": file}
            ).fetchall()
            require_complete(source, num_rows, allow_truncated=config.allow_truncated)
        read.append(FileRead(source.path, truncated=reader.truncated))
    run(database, "staging/described_movies")
    return read


def _stage_lines(
    cursor: duckdb.DuckDBPyConnection,
    items: Iterator[Lines],
    *,
    folder: Path,
    file: int,
    describe_all: bool,
) -> None:
    for lines in items:
        if not len(lines.numbers):
            continue
        with file_of(lines, folder) as written:
            taken = run(cursor, "staging/stage_metadata_lines", file=file, **written).fetchall()
            run(cursor, "staging/stage_metadata", file=file, describe_all=describe_all, **written)
        texts, numbers = lines.besides(taken)
        if texts:
            run(cursor, "staging/stage_doubtful_metadata", file=file, texts=texts, lines=numbers)


def _lines(
    database: duckdb.DuckDBPyConnection, source: Source, reader: BlockReader, columns: Mapping[str, str]
) -> Iterator[Lines]:
    if source.layout == "parquet":
        return _parquet_lines(database, source, columns)
    if source.layout == "json":
        return (_json_lines(block) for block in reader)
    if source.header:
        return _table_lines(source, reader, columns)
    return (_movielens_lines(source, block) for block in reader)


def _json_lines(block: Block) -> Lines:
    if b"{'" in block.data:
        return _text_lines(literals_to_json(decode_lines(block.data)), block.first_line)
    return lines_of(block)


def _text_lines(text: str, first_line: int, numbers: Sequence[int] | None = None) -> Lines:
    return lines_of(Block(first_line, text.encode("utf-8", errors="backslashreplace")), numbers)


def _movielens_lines(source: Source, block: Block) -> Lines:
    to_movie = item_movie if source.delimiter == "|" else dat_movie
    texts = []
    for line in decode_legacy(block.data).split("\n"):
        movie = to_movie(line.split(source.delimiter)) if line.strip() else None
        texts.append(line if movie is None else json.dumps(movie))
    return _text_lines("\n".join(texts), block.first_line)


def _table_lines(source: Source, reader: BlockReader, columns: Mapping[str, str]) -> Iterator[Lines]:
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
            yield _text_lines("\n".join(texts), block.first_line, lines)


def _parquet_lines(
    database: duckdb.DuckDBPyConnection, source: Source, columns: Mapping[str, str]
) -> Iterator[Lines]:
    # A cursor of its own: the statements that take the records run meanwhile.
    reader = open_cursor(database)
    places = _find_columns(source, parquet_relation(reader, source).columns, columns)
    reader.execute("select * from read_parquet($path)", {"path": str(source.path)})
    first = 1
    while rows := reader.fetchmany(_BATCH):
        texts = [_to_json({name: row[place] for name, place in places.items()}) for row in rows]
        yield _text_lines("\n".join(texts), first)
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
