"""Writes recommendation lists as Parquet, CSV or JSON lines, with one line for each recommended movie."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.artifact.files import flush
from engine.catalogue.database import NO_EXTENSIONS
from engine.errors import DataError
from engine.lists.columns import ListColumns
from pipelines.work.database import literal_path, reason_of

FORMATS = ("parquet", "csv", "jsonl")
"""The file formats of recommendation lists; the name of a format is also the ending of the file name."""
_COPY_OPTIONS = {
    "parquet": "format parquet, compression zstd",
    "csv": "format csv, header true",
    "jsonl": "format json",
}


def write_lists(
    columns: ListColumns,
    reviewer_ids: Sequence[str],
    movies: Mapping[int, tuple[str, str | None]],
    path: Path,
    format: str,
) -> None:
    """Writes recommendation lists to a file, and flushes the file to disk.

    The file has one line for each movie of each list.

    Args:
        columns: the recommendation lists as arrays.
        reviewer_ids: the reviewers' ids, in the order of the lists.
        movies: the id and the title of each recommended movie, with movie rows as keys.
        path: the file to which the lists are written.
        format: the format of the file, one of FORMATS.

    Raises:
        DataError: the file cannot be written.
    """
    import duckdb

    lines = {
        "reviewer_id": np.array(reviewer_ids, dtype=object)[columns.places],
        "rank": columns.ranks,
        "movie_id": np.array([movies[row][0] for row in columns.movie_rows.tolist()], dtype=object),
        "title": np.array([movies[row][1] for row in columns.movie_rows.tolist()], dtype=object),
        "score": columns.scores,
        "relevance": columns.relevance,
    }
    rated = {"predicted_rating": columns.predicted_ratings, "like_probability": columns.like_probabilities}
    lines |= {name: column for name, column in rated.items() if column is not None}
    text = ("reviewer_id", "movie_id", "title")
    names = [f"cast({name} as varchar) as {name}" if name in text else name for name in lines]
    names += [f"cast(null as float) as {name}" for name in rated if name not in lines]
    statement = f"copy (select {', '.join(names)} from lines) to '{_quoted(path)}' ({_COPY_OPTIONS[format]})"
    try:
        with duckdb.connect(config={**NO_EXTENSIONS, "threads": 1}) as database:
            database.execute(statement)
        flush(path)
    except (duckdb.IOException, OSError) as error:
        raise unwritable(path, error) from error


def unwritable(path: Path | str, error: Exception) -> DataError:
    """Returns an error that says that lists cannot be written to `path`, with the reason in `error`."""
    return DataError(
        f"Cannot write lists to {path}: {reason_of(error)}; free some space, or name another --output"
    )


def join_files(parts: Sequence[Path], path: Path, format: str) -> None:
    """Joins several files of recommendation lists, all in one format, to one file.

    Raises:
        OSError: the joined file cannot be written.
    """
    if format == "parquet":
        _join_parquet(parts, path)
    else:
        _join_lines(parts, path, has_header=format == "csv")


def _join_parquet(parts: Sequence[Path], path: Path) -> None:
    import duckdb

    statement = f"copy (select * from read_parquet($parts)) to '{_quoted(path)}' ({_COPY_OPTIONS['parquet']})"
    with duckdb.connect(config={**NO_EXTENSIONS, "threads": 1, "memory_limit": "1GB"}) as database:
        try:
            database.execute(statement, {"parts": [literal_path(part) for part in parts]})
        except duckdb.IOException as error:
            raise OSError(reason_of(error)) from error


def _join_lines(parts: Sequence[Path], path: Path, *, has_header: bool) -> None:
    with path.open("wb") as whole:
        for number, part in enumerate(parts):
            with part.open("rb") as file:
                if has_header and number:
                    file.readline()
                shutil.copyfileobj(file, whole, 1 << 20)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
