"""Takes new movies into an index by their metadata alone: a new version of it, without training."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact.ids import build_id_arrays
from engine.artifact.layout import (
    CATALOG_FILE,
    MOVIE_COUNTS,
    POPULARITY,
    REPORT_FILE,
    VARIANT_ARRAYS,
)
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants, build_variant_arrays
from engine.config.sections import Config
from engine.errors import DataError
from engine.model.storage import load_model
from engine.opened import cold_movies
from pipelines.cold_start.catalogue import read_catalogue
from pipelines.cold_start.joining import join_cold_movies, read_cold, write_cold
from pipelines.dataset.films import film_rows
from pipelines.export.arrays import write_model
from pipelines.export.catalogue import write_catalog
from pipelines.export.report import write_report
from pipelines.export.rows import insert_rows, rows_beside
from pipelines.export.vector_index import build_search, write_search
from pipelines.export.versions import _OF_A_BUILD, _take_over
from pipelines.ingest.accounting import require_usable_metadata
from pipelines.reading.links import scrape_links
from pipelines.reading.metadata import stage_metadata
from pipelines.reading.sources import inspect_source
from pipelines.work.database import add_functions, open_database, run, storage_errors

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

_COUNTED = (MOVIE_COUNTS, POPULARITY)
"""Arrays of reviews a movie, of which new movies have none."""
_WITHOUT_TEXT = "no title, category, brand or description"


@dataclass(frozen=True, kw_only=True)
class MoviesAccount:
    """What became of every line of the metadata: `read = added + known + repeated + rejected`."""

    read: int
    """Lines that are not blank."""
    added: int
    """Lines about movies that joined."""
    known: int
    """Lines about movies that were there; what is shown of these is what the lines say."""
    repeated: int
    """Lines about a movie that an earlier line was about."""
    rejected_by: dict[str, int] = field(default_factory=dict)
    """Lines that could not be used, by reason."""

    def __post_init__(self) -> None:
        explained = self.added + self.known + self.repeated + sum(self.rejected_by.values())
        if explained != self.read:
            raise DataError(
                f"Lines went missing: {self.read:,} read, but {explained:,} explained; please report this"
            )

    def to_dict(self) -> dict[str, Any]:
        """Gives the account as plain values."""
        rejected: dict[str, Any] = {"rejected": sum(self.rejected_by.values())}
        return {name: getattr(self, name) for name in ("read", "added", "known", "repeated")} | (
            rejected | {"rejected_by": dict(self.rejected_by)}
        )


def add_movies(metadata: Sequence[Path | str], *, index: Path | str) -> dict[str, Any]:
    """Takes movies into an index, which answers as it was until the new version is complete.

    New movies get vectors and neighbours from what the metadata says, as it was learned when the index was
    built. Of movies that are there, what is shown and filtered by becomes what the metadata says.

    Args:
        metadata: movie files in any of the known formats.
        index: the index directory.

    Returns:
        The new version's manifest; its section `movies_added` is the account of the lines.

    Raises:
        ArtifactError: there is no index, it is damaged, or it was built without metadata.
        DataError: no line can be used.
        SourceError: a file cannot be read.
    """
    started = time.perf_counter()
    if not metadata:
        raise DataError("No metadata file was given; name at least one.")
    artifact = Artifact.open(index)
    start = read_cold(artifact)
    config = Config.from_dict(artifact.manifest.get("config", {}))
    limits = config.ingest
    with (
        ArtifactWriter(artifact.directory) as writer,
        TemporaryDirectory(prefix="engine-movies-") as scratch,
        storage_errors(),
    ):
        artifact.verify()
        work = Path(scratch) / "work.duckdb"
        with open_database(work, memory_limit=limits.memory_limit, threads=limits.threads) as database:
            account = _read_metadata(database, artifact, [Path(path) for path in metadata], config)
            catalogue = read_catalogue(database)
            write_catalog(database, writer)
            _write_ids(database, writer)
            _write_films(database, artifact, catalogue.new_rows, writer)
        was_cold = cold_movies(artifact, len(artifact.array("movie_id_offsets")) - 1)
        model, start = join_cold_movies(
            load_model(artifact),
            start,
            catalogue.words,
            catalogue.new_rows,
            config.cold,
            links=catalogue.link_matrix,
            reviewed=~was_cold,
            level=False,
        )
        is_cold = insert_rows(was_cold, np.ones(len(catalogue.new_rows), dtype=bool), catalogue.new_rows)
        search = build_search(model, config)
        for name, section in artifact.manifest.items():
            if name not in _OF_A_BUILD:
                writer.add_section(name, section)
        write_cold(start, np.flatnonzero(is_cold), model.num_movies, writer)
        write_model(model, writer)
        write_search(search, writer)
        writer.add_section("audit", search.audit)
        counts = artifact.manifest.get("counts", {})
        writer.add_section("counts", {**counts, "cold_movies": int(is_cold.sum())})
        writer.add_section("movies_added", account.to_dict())
        _take_over(artifact, writer)
        if artifact.has(REPORT_FILE):
            write_report(writer, model)
    logger.info("Added %s movies in %.1f s", f"{account.added:,}", time.perf_counter() - started)
    return writer.manifest


def _read_metadata(
    database: duckdb.DuckDBPyConnection, artifact: Artifact, metadata: Sequence[Path], config: Config
) -> MoviesAccount:
    """Fills the table `movies` with those of the index and the new ones, in the order of their ids."""
    sources = [inspect_source(path) for path in metadata]
    add_functions(database)
    run(database, "staging/create_staging")
    stage_metadata(database, sources, config.ingest, describe_all=True)
    require_usable_metadata(database, sources)
    _read_known(database, artifact)
    database.execute("create or replace table wanted_movies as select movie_id from described_movies")
    scrape_links(database, threads=config.ingest.threads)
    run(database, "updating/extended_movies")
    [(read, added, known, repeated, without_text)] = run(database, "updating/new_line_counts").fetchall()
    rejected = dict(
        database.execute(
            "select reason, count(*) from metadata_lines where reason is not null "
            "group by reason order by 2 desc, 1"
        ).fetchall()
    )
    if without_text:
        rejected[_WITHOUT_TEXT] = without_text
    return MoviesAccount(read=read, added=added, known=known, repeated=repeated, rejected_by=rejected)


def _read_known(database: duckdb.DuckDBPyConnection, artifact: Artifact) -> None:
    """Copies the catalogue of the index, and the links on its cards, which the catalogue leaves out."""
    path = str(artifact.file(CATALOG_FILE)).replace("'", "''")
    database.execute(f"attach '{path}' as held (read_only)")
    run(database, "updating/known_movies")
    database.execute("detach held")
    cards = MovieCards(artifact.array("movie_cards"), artifact.array("movie_card_offsets"))
    linked = [(row, links) for row, links in _links(cards) if links]
    database.execute("create or replace table known_links (movie_row bigint, links varchar[])")
    database.execute(
        "insert into known_links select unnest($rows::bigint[]), "
        "unnest(from_json($links, '[[\"VARCHAR\"]]'))",
        {"rows": [row for row, _ in linked], "links": json.dumps([links for _, links in linked])},
    )


def _links(cards: MovieCards) -> Iterator[tuple[int, list[str] | None]]:
    return ((row, cards.card(row)["links"]) for row in range(len(cards)))


def _write_ids(database: duckdb.DuckDBPyConnection, writer: ArtifactWriter) -> None:
    rows = database.execute("select movie_id from movies order by movie_row").fetchall()
    data, offsets = build_id_arrays(movie_id for (movie_id,) in rows)
    writer.add_array("movie_ids", data)
    writer.add_array("movie_id_offsets", offsets)


def _write_films(
    database: duckdb.DuckDBPyConnection,
    artifact: Artifact,
    new_rows: NDArray[np.int64],
    writer: ArtifactWriter,
) -> None:
    """Finds the new movies' films by their titles, and gives them no reviews where these are counted."""
    for name in _COUNTED:
        if artifact.has(f"{name}.npy"):
            old = artifact.array(name)
            writer.add_array(name, insert_rows(old, np.zeros(len(new_rows), old.dtype), new_rows))
    if not all(artifact.has(f"{name}.npy") for name in VARIANT_ARRAYS):
        return
    titles = database.execute("select title from movies order by movie_row").fetchall()
    films = film_rows([title for (title,) in titles])
    groups, offsets, movie_rows = (np.asarray(artifact.array(name)) for name in VARIANT_ARRAYS)
    Variants(groups, offsets, movie_rows)
    old_rows = rows_beside(new_rows, len(titles) - len(new_rows))
    members = old_rows[movie_rows]
    firsts = members[np.repeat(offsets[:-1], np.diff(offsets))]
    for name, array in build_variant_arrays(_united(films, firsts, members)).items():
        writer.add_array(name, array)


def _united(
    films: NDArray[np.int64], firsts: NDArray[np.int64], members: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Numbers the films where further pairs of movies are one, int64 [num_movies]."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, first_of_film, numbers = np.unique(films, return_index=True, return_inverse=True)
    rows = np.concatenate([np.arange(len(films)), firsts])
    columns = np.concatenate([first_of_film[numbers], members])
    pairs = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(films), len(films)))
    return np.asarray(connected_components(pairs, directed=False)[1], dtype=np.int64)
