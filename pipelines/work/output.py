"""Writes output files completely or not at all, and checks output paths before the work starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.artifact.files import flush, is_plain
from engine.artifact.locks import temporary_folder
from engine.errors import ConfigError, DataError
from pipelines.work.database import reason_of

if TYPE_CHECKING:
    import duckdb

TABLE_SUFFIXES = (".parquet", ".csv")
"""The endings of file names to which a table can be written; the ending decides the format."""
PAGE_SUFFIXES = (".html", ".htm")
"""The endings of file names to which a web page can be written."""
RECIPE_SUFFIXES = (".toml",)
"""The ending of file names to which a recipe (a TOML file of settings) can be written."""


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Checks that a file can be written to a path; for use before the long work that produces the file.

    Raises:
        ConfigError: the path has none of the endings in `suffixes`; the path is a directory; the folder of
            the path does not exist or is read-only.
    """
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"{path} does not end with {' or '.join(suffixes)}; name a file that does")
    if not path.parent.is_dir():
        raise ConfigError(f"There is no directory {path.parent} to write {path.name} to; create it first")
    if path.is_dir():
        raise ConfigError(f"{path} is a directory; name a file to write to")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"Nothing may be written to {path.parent}; name a file in another directory")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields a path for a new file in a temporary folder; moves the file to `path` unless an error is raised.

    The temporary folder is beside `path`, and is deleted when the `with` statement ends.

    Raises:
        DataError: the file cannot be written; an older file at `path` is then unchanged.
    """
    import duckdb

    try:
        with temporary_folder(path.absolute().parent) as folder:
            unfinished = folder / path.name
            yield unfinished
            flush(unfinished)
            unfinished.replace(path)
    except (duckdb.IOException, OSError) as error:
        raise DataError(
            f"Cannot write {path}: {reason_of(error)}; free some space, or name another file"
        ) from error


@contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """Yields a path at which DuckDB and FAISS can write a file, and moves the file to `path` afterwards.

    The yielded path is `path` itself if DuckDB and FAISS can write to `path`, or else a path in a temporary
    folder.
    """
    absolute = path.absolute()
    if is_plain(path):
        yield absolute
        return
    with temporary_folder() as folder:
        plain = folder / absolute.name
        yield plain
        shutil.move(plain, absolute)


def write_table(rows: duckdb.DuckDBPyRelation, path: Path) -> None:
    """Writes a DuckDB relation to a file as Parquet or CSV, depending on the ending .parquet or .csv.

    Raises:
        ConfigError: `check_output` refuses the path.
        DataError: the file cannot be written.
    """
    check_output(path, TABLE_SUFFIXES)
    with whole_file(path) as unfinished, plain_path(unfinished) as plain:
        if path.suffix.lower() == ".csv":
            rows.write_csv(str(plain), header=True)
        else:
            rows.write_parquet(str(plain), compression="zstd")


def write_text(text: str, path: Path) -> None:
    """Writes text to a file as UTF-8; replaces unpaired surrogates by question marks.

    Raises:
        DataError: the file cannot be written; an older file at `path` is then unchanged.
    """
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="replace")
