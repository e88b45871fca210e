"""Tables written out as one file, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError, DataError

if TYPE_CHECKING:
    import duckdb

SUFFIXES = (".parquet", ".csv")
"""The endings that say which format a table is written in."""


def check_output(path: Path) -> None:
    """Refuses a file that a table cannot be written to, before any work is done.

    Raises:
        ConfigError: its ending names no format, its folder does not exist, or it is a directory itself.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"Cannot tell the format of {path}; let it end with {' or '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise ConfigError(f"There is no directory {path.parent} to write {path.name} to; create it first.")
    if path.is_dir():
        raise ConfigError(f"{path} is a directory; name a file to write to.")


def write_table(rows: duckdb.DuckDBPyRelation, path: Path) -> None:
    """Writes a relation as Parquet or CSV, by the file's ending, and puts it in place when it is whole.

    Raises:
        ConfigError: the ending names no format, or there is no such folder.
        DataError: it cannot be written, because the disk is full or the folder is read-only; what stood
            there before still does.
    """
    import duckdb

    check_output(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        if path.suffix == ".csv":
            rows.write_csv(str(unfinished), header=True)
        else:
            rows.write_parquet(str(unfinished), compression="zstd")
        unfinished.replace(path)
    except (duckdb.IOException, OSError) as error:
        reason = str(error).split("\n", 1)[0]
        raise DataError(f"Cannot write {path}: {reason}") from error
    finally:
        unfinished.unlink(missing_ok=True)
