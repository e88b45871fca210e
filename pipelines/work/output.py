"""Writes files whole or not at all, and checks their place before the work starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError, DataError

if TYPE_CHECKING:
    import duckdb

TABLE_SUFFIXES = (".parquet", ".csv")
"""The endings of a table, which name its format."""
PAGE_SUFFIXES = (".html", ".htm")
"""The endings of a web page."""
RECIPE_SUFFIXES = (".toml",)
"""The ending of a recipe."""


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Checks that a file can be written, before any work is done.

    Raises:
        ConfigError: the file has none of the endings, its folder does not exist or is read-only, or it is a
            directory.
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
    """Yields a path beside `path` to write to, and moves the file to `path` if the block raises no error.

    Raises:
        DataError: the file cannot be written; an older file at `path` then stays.
    """
    import duckdb

    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    except (duckdb.IOException, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise DataError(f"Cannot write {path}: {reason}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def write_table(rows: duckdb.DuckDBPyRelation, path: Path) -> None:
    """Writes a relation as Parquet or CSV, as its ending says; raises as `check_output` and `whole_file`."""
    check_output(path, TABLE_SUFFIXES)
    with whole_file(path) as unfinished:
        if path.suffix.lower() == ".csv":
            rows.write_csv(str(unfinished), header=True)
        else:
            rows.write_parquet(str(unfinished), compression="zstd")


def write_text(text: str, path: Path) -> None:
    """Writes text as UTF-8, lone surrogates as question marks; raises DataError as `whole_file` does."""
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="replace")
