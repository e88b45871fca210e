"""Writes the catalogue database and the movie cards to an index; answers show the texts of movie cards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engine.artifact.layout import CARD_ARRAYS, CATALOGUE_FILE
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import build_card_arrays
from engine.errors import ArtifactError
from pipelines.work.database import reason_of, run
from pipelines.work.output import plain_path

if TYPE_CHECKING:
    import duckdb

_BATCH = 10_000
"""The number of movie cards in a batch that is fetched from the database."""


def write_catalogue(database: duckdb.DuckDBPyConnection, writer: ArtifactWriter) -> None:
    """Writes the catalogue database and the movie cards to an index, from the database table `movies`.

    A movie card is a JSON object with the fields of a movie, such as title and price, that answers show.

    Raises:
        ArtifactError: the catalogue cannot be written.
    """
    with catalogue_errors(writer), plain_path(writer.path_for(CATALOGUE_FILE)) as path:
        database.execute(f"attach '{path}' as catalog")
        try:
            run(database, "tables/catalog_movies")
            database.execute("checkpoint catalog")
        finally:
            database.execute("detach catalog")
    data, offsets = build_card_arrays(_read_cards(database))
    writer.add_array(CARD_ARRAYS[0], data)
    writer.add_array(CARD_ARRAYS[1], offsets)


@contextmanager
def catalogue_errors(writer: ArtifactWriter) -> Iterator[None]:
    """Turns DuckDB's errors in the block of a `with` statement into an ArtifactError about the catalogue."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise ArtifactError(
            f"Cannot write the catalogue to {writer.directory}: {reason_of(error)}; free some space"
        ) from error


def _read_cards(database: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    result = run(database, "tables/movie_cards")
    names = [column[0] for column in result.description]
    while batch := result.fetchmany(_BATCH):
        yield from (dict(zip(names, row, strict=True)) for row in batch)
