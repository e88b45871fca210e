"""Turns the sources of reviews and metadata that users name into inputs: local or remote files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, cast

from engine.artifact.locks import temporary_folder
from engine.errors import ConfigError, shown
from pipelines.inputs.frames import ArrowTable, is_table, write_table
from pipelines.inputs.lake import lake_table_at, write_lake_table
from pipelines.inputs.listing import inputs_at
from pipelines.inputs.spool import Given, Input

Source = Path | str | ArrowTable
"""A source of reviews or metadata: the path of a file or folder, a pattern such as `reviews-*.json.gz`, the
address of remote storage such as `s3://bucket/reviews`, or a table in memory."""
Sources = Source | Sequence[Source]
"""One source of reviews or metadata, or several sources."""

_EXPECTED = "a path, a table of pandas, Arrow or Polars, or a list of paths and tables"


@contextmanager
def inputs_of(reviews: Sources, metadata: Sources = ()) -> Iterator[tuple[list[Input], list[Input]]]:
    """Yields the inputs of reviews and metadata; tables in memory become Parquet files.

    The Parquet files are temporary, and are deleted when the `with` block ends.

    A folder, a pattern or the address of a folder gives one input for each file. A Delta or Iceberg table is
    one input.

    Raises:
        ConfigError: a source is neither a path nor a table; or a Python package for an address is not
            installed.
        SourceError: a pattern or a folder gives no file; an address cannot be read; a Delta or Iceberg table
            cannot be read; or a table in memory has no columns or unreadable values.
        DataError: no temporary folder can be created.
    """
    groups = {"reviews": _several(reviews, "reviews"), "movies": _several(metadata, "metadata")}
    with ExitStack() as stack:

        @cache
        def folder() -> Path:
            return stack.enter_context(temporary_folder())

        found: dict[str, list[Input]] = {what: [] for what in groups}
        for what, sources in groups.items():
            num_tables = sum(map(is_table, sources))
            number = 0
            for source in sources:
                if not is_table(source):
                    path = cast("Path | str", source)
                    if (table := lake_table_at(path)) is not None:
                        file = folder() / f"{what}-table-{len(found[what])}.parquet"
                        write_lake_table(table, file)
                        found[what].append(Given(table.name, file))
                    else:
                        found[what] += inputs_at(path)
                    continue
                number += 1
                of_several = f" {number}" if num_tables > 1 else ""
                name = Path(f"{type(source).__name__}{of_several} of {what}")
                file = folder() / f"{what}-{number}.parquet"
                write_table(source, name, file)
                found[what].append(Given(name, file))
        yield found["reviews"], found["movies"]


def _several(given: Any, argument: str) -> list[Source]:
    if isinstance(given, str | PathLike) or is_table(given):
        given = [given]
    if not isinstance(given, Sequence) or isinstance(given, bytes):
        raise ConfigError(f"The argument {argument} must be {_EXPECTED}, but is {_described(given)}")
    for source in given:
        if not (isinstance(source, str | PathLike) or is_table(source)):
            raise ConfigError(
                f"Each item of {argument} must be a path or a table, but one is {_described(source)}"
            )
    return list(given)


def _described(given: object) -> str:
    return f"of the type {type(given).__name__}: {' '.join(shown(given).split())}"
