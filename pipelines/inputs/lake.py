"""Reads Delta and Iceberg tables with the packages deltalake and pyiceberg, and writes rows to Parquet files.

A Delta or Iceberg table is a folder that holds data files, and further files that say which data files and
rows are valid. A program that reads all rows of the data files, and ignores which rows are valid, would also
read rows that were deleted from the table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import EngineError, SourceError
from pipelines.inputs.remote import Address, is_url, names_at
from pipelines.work.database import literal_path, open_database
from pipelines.work.extras import require_lake

_DELTA_LOG = "_delta_log"
_ICEBERG_FOLDER = "metadata"
_ICEBERG_FILE = re.compile(r"(?:v?([0-9]+)(?:-.*)?)\.metadata\.json")
"""Matches the name of a file that describes a version of an Iceberg table, with the number of the version."""
_MEMORY = "1GB"
"""The memory that DuckDB may use to sort the rows of a lake table; rows that do not fit are kept on the
disk."""


class LakeTable(NamedTuple):
    """Holds the kind, the address and the name of a Delta or Iceberg table."""

    kind: str
    """The kind of table: "Delta" or "Iceberg"."""
    address: str
    """The address of the folder of a Delta table, or of the file that describes the newest version of an
    Iceberg table."""
    name: Path
    """The path or address by which the user named the table, for messages."""


def lake_table_at(source: Path | str) -> LakeTable | None:
    """Returns the Delta or Iceberg table at a path or address; None if neither kind of table is there.

    The path of an Iceberg table is the path of the table's folder, or of a file that describes one version of
    the table.

    Raises:
        ConfigError: the scheme of the address is unknown; or a Python package for the scheme is not
            installed.
        SourceError: the address cannot be read.
    """
    text = str(source).rstrip("/")
    name = Address(text) if is_url(text) else Path(text)
    if _ICEBERG_FILE.fullmatch(name.name):
        return LakeTable("Iceberg", text, name)
    names = _names_in(text)
    if _DELTA_LOG in names:
        return LakeTable("Delta", text, name)
    states = _names_in(f"{text}/{_ICEBERG_FOLDER}") if _ICEBERG_FOLDER in names else []
    found = [(int(matched[1]), state) for state in states if (matched := _ICEBERG_FILE.fullmatch(state))]
    return LakeTable("Iceberg", f"{text}/{_ICEBERG_FOLDER}/{max(found)[1]}", name) if found else None


def refuse_table_inside(folder: Path, parts: tuple[str, ...]) -> None:
    """Raises SourceError if a path below a folder shows that the folder holds a Delta or Iceberg table.

    A program that reads the data files of a Delta or Iceberg table one by one would also read rows that were
    deleted from the table.
    """
    is_iceberg = parts[-2:-1] == (_ICEBERG_FOLDER,) and _ICEBERG_FILE.fullmatch(parts[-1])
    if _DELTA_LOG in parts or is_iceberg:
        kind, above = ("Iceberg", len(parts) - 2) if is_iceberg else ("Delta", parts.index(_DELTA_LOG))
        table = folder.joinpath(*parts[:above])
        raise SourceError(f"{table} is a {kind} table among other files; name the table itself.", path=table)


def write_lake_table(table: LakeTable, file: Path) -> None:
    """Writes the valid rows of a lake table to a Parquet file, sorted, because lake tables have no order.

    Raises:
        ConfigError: the Python packages of the extra [lake] are not installed.
        SourceError: the table cannot be read.
    """
    require_lake()
    read = _delta_reader if table.kind == "Delta" else _iceberg_reader
    database = open_database(file.with_suffix(".duckdb"), memory_limit=_MEMORY)
    try:
        database.register("lake_table", _Rows(read(table.address)))
        rows = database.sql("from lake_table order by all")
        rows.write_parquet(literal_path(file))
    except EngineError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise SourceError(
            f"Cannot read the {table.kind} table {table.name}: {reason}; check the address, the credentials "
            "and the network.",
            path=table.name,
        ) from error
    finally:
        database.close()


class _Rows:
    """Holds the rows of a table; makes a new stream of the rows each time that DuckDB asks for a stream."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._read().__arrow_c_stream__(requested_schema)


def _delta_reader(address: str) -> Callable[[], Any]:
    from deltalake import DeltaTable

    return DeltaTable(address).scan  # type: ignore[no-any-return]


def _iceberg_reader(address: str) -> Callable[[], Any]:
    from pyiceberg.table import StaticTable

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    table = StaticTable.from_metadata(address, {"s3.endpoint": endpoint} if endpoint else {})
    return lambda: table.scan().to_arrow_batch_reader()


def _names_in(folder: str) -> list[str]:
    if is_url(folder):
        return names_at(folder)
    return os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208 - names may be odd.
