"""Writes the movie vectors to a vector database, with the columns that `--where` conditions may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.artifact import layout
from engine.artifact.databases import BESIDE, alias_of, new_collection
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.database import NO_EXTENSIONS
from engine.catalogue.filters import CATALOGUE_COLUMNS
from engine.config.sections import IndexConfig
from engine.errors import ConfigError
from engine.model.scorer import Model
from indexes.base import VectorDatabaseError
from indexes.database import Column, Database, check_installed
from indexes.milvus_index import MilvusIndex

KIND = "milvus"
"""The value of the setting `index.kind` that asks for a vector database, in place of a file of vectors."""
_LEFT_OUT = ("description",)
"""The columns of the catalogue that are not written to a vector database, because their texts would take more
space than the vectors."""
_KINDS = {"VARCHAR": "text", "INTEGER": "whole", "DOUBLE": "number"}
"""Maps DuckDB's types to the kinds of columns in a collection of a vector database."""
_LONGEST = 10_000
"""The largest number of characters of a text in a vector database; a column with a longer text is not written
to the vector database."""


def check_database(config: IndexConfig, directory: Path) -> None:
    """Checks, before long work begins, that the vector database in the settings can be used, if there is one.

    Raises:
        ConfigError: a package is not installed; the server cannot be reached; another process uses the
            embedded database; or the folder of the embedded database does not exist.
    """
    if config.kind != KIND:
        return
    place = config.uri or str(directory / layout.EMBEDDED)
    try:
        check_installed()
        if "://" in place or Path(place).exists():
            Database(place)
    except VectorDatabaseError as error:
        raise ConfigError(str(error)) from error
    if "://" not in config.uri and config.uri and not Path(config.uri).absolute().parent.is_dir():
        raise ConfigError(
            f"The folder of the vector database {config.uri} does not exist; make the folder, or name "
            "another path with index.uri"
        )


def build_collection(
    model: Model, config: IndexConfig, writer: ArtifactWriter, catalogue: Path
) -> tuple[MilvusIndex, dict[str, Any]]:
    """Writes the movie vectors to a new collection of the vector database that the settings name.

    Args:
        model: the model whose movie vectors are written.
        config: the settings of the index, which name the vector database.
        writer: the writer of the build; the name of the collection holds the name of the build.
        catalogue: the path of the catalogue database of the model's movies.

    Returns:
        The vector index, and the entries about the vector index for the section `search` of the manifest.

    Raises:
        VectorIndexError: the vector database cannot be reached, or refuses the vectors.
    """
    uri = config.uri or BESIDE
    if config.uri and "://" not in config.uri:
        uri = str(Path(config.uri).absolute())
    collection = new_collection(writer.directory, writer.build_directory.name, uri)
    index = MilvusIndex.build(
        model.relevance.movie_vectors,
        _read_columns(catalogue),
        uri=uri,
        collection=collection,
        folder=writer.build_directory.absolute(),
    )
    report = {
        "why": "asked for",
        "kind": KIND,
        "recall": 1.0,
        "num_vectors": index.num_vectors,
        "dim": index.dim,
        "uri": uri,
        "collection": collection,
        "alias": alias_of(writer.directory),
    }
    return index, report


def _read_columns(catalogue: Path) -> dict[str, Column]:
    """Reads the columns of a catalogue that a vector database can hold.

    Columns with infinite numbers or with texts longer than _LONGEST, empty columns, and the columns in
    _LEFT_OUT are not read.
    """
    import duckdb

    columns = {}
    with duckdb.connect(config=NO_EXTENSIONS) as connection:
        quoted = str(catalogue).replace("'", "''")
        connection.execute(f"attach '{quoted}' as catalogue (read_only)")
        connection.execute("set enable_external_access = false")
        for name in CATALOGUE_COLUMNS:
            if name in _LEFT_OUT:
                continue
            found = connection.execute(f"select {name} from catalogue.movies order by movie_row")
            kind = _KINDS[str(found.description[0][1])]
            values = [value for (value,) in found.fetchall()]
            if kind == "number":
                is_usable = all(value is None or abs(value) < float("inf") for value in values)
            else:
                is_usable = all(len(value) <= _LONGEST for value in values if isinstance(value, str))
            if is_usable and any(value is not None for value in values):
                columns[name] = Column(kind, values)
    return columns
