"""Writes what is known of the movies into an artifact: a database to filter by and cards to show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.artifact.layout import CATALOG_FILE
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import build_card_arrays
from engine.errors import ArtifactError
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb

_BATCH = 10_000


def write_catalog(connection: duckdb.DuckDBPyConnection, writer: ArtifactWriter) -> None:
    """Writes `catalog.duckdb`, and the arrays `movie_cards` and `movie_card_offsets`.

    Args:
        connection: holds the table `movies`, one row per movie with its movie_row.
        writer: the build that they become part of.

    Raises:
        ArtifactError: they cannot be written.
    """
    _write_database(connection, writer)
    data, offsets = build_card_arrays(_cards(connection))
    writer.add_array("movie_cards", data)
    writer.add_array("movie_card_offsets", offsets)


def _write_database(connection: duckdb.DuckDBPyConnection, writer: ArtifactWriter) -> None:
    import duckdb

    path = str(writer.path_for(CATALOG_FILE)).replace("'", "''")
    try:
        connection.execute(f"attach '{path}' as catalog")
        try:
            run(connection, "tables/catalog_movies")
            connection.execute("checkpoint catalog")
        finally:
            connection.execute("detach catalog")
    except (duckdb.IOException, duckdb.FatalException) as error:
        reason = str(error).partition("\n")[0]
        raise ArtifactError(f"Cannot write the catalogue to {writer.directory}: {reason}") from error


def _cards(connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    result = run(connection, "tables/movie_cards")
    names = [column[0] for column in result.description]
    while batch := result.fetchmany(_BATCH):
        yield from (dict(zip(names, row, strict=True)) for row in batch)
