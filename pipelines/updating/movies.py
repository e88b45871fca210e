"""Adds new movies to an index by their metadata, without training, as a new version of the index."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Rows
from engine.artifact import layout
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.variants import build_variant_arrays
from engine.config.sections import IngestConfig
from engine.errors import DataError
from engine.opened import OpenedIndex, settings_of
from pipelines.cold_start.catalogue import read_catalogue
from pipelines.cold_start.joining import join_cold_movies, read_cold, write_cold
from pipelines.dataset.films import film_rows
from pipelines.export.arrays import write_ids, write_model
from pipelines.export.catalogue import write_catalogue
from pipelines.export.report import write_report
from pipelines.export.rows import insert_rows, rows_beside
from pipelines.export.vector_index import build_search, write_search
from pipelines.export.versions import SEARCH_FILES, take_over_files, take_over_sections
from pipelines.ingest.rejections import require_usable_metadata
from pipelines.inputs.named import Sources, inputs_of
from pipelines.inputs.spool import Input
from pipelines.reading.columns import check_given
from pipelines.reading.formats import inspect_inputs
from pipelines.reading.links import scrape_links
from pipelines.reading.metadata import stage_metadata
from pipelines.similar.evidence import Evidence
from pipelines.similar.likeness import similar_table, similar_weights, write_similar
from pipelines.similar.traits import read_traits
from pipelines.work.database import add_functions, folder_of, run, storage_errors, work_database
from pipelines.work.extras import require_build_packages

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

_COUNTED = (layout.MOVIE_COUNTS, layout.POPULARITY)
"""The names of the arrays that hold each movie's number of reviews and popularity; a new movie gets 0 in each
array."""
_WITHOUT_TEXT = "no title, category, brand or description"
"""The reason for rejecting a line of metadata that has none of the fields by which a movie's vectors are
predicted."""


@dataclass(frozen=True, kw_only=True)
class MoviesAccount:
    """Counts the lines of the metadata by what became of each line.

    A line that is not blank adds a new movie (`added`), describes a movie that the index held before
    (`known`), describes a movie again that an earlier line describes (`repeated`), or is rejected. Therefore,
    `read = added + known + repeated + rejected`.
    """

    read: int
    """The number of lines of metadata that are not blank."""
    added: int
    """The number of lines of metadata that added a new movie to the index."""
    known: int
    """The number of lines of metadata about movies that the index held before; such a line updates the
    movie's card and catalogue entry."""
    repeated: int
    """The number of lines of metadata about a movie that an earlier line describes."""
    rejected_by: dict[str, int] = field(default_factory=dict)
    """The number of rejected lines of metadata, by the reason for rejecting the lines."""

    def __post_init__(self) -> None:
        explained = self.added + self.known + self.repeated + sum(self.rejected_by.values())
        if explained != self.read:
            raise DataError(
                f"Lines went missing: {self.read:,} read, but {explained:,} explained; please report this"
            )

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts of metadata lines as values that JSON can hold."""
        return {
            "read": self.read,
            "added": self.added,
            "known": self.known,
            "repeated": self.repeated,
            "rejected": sum(self.rejected_by.values()),
            "rejected_by": dict(self.rejected_by),
        }


def add_movies(
    metadata: Sources,
    *,
    index: Path | str,
    columns: Mapping[str, str] | None = None,
    keep: int | None = None,
) -> dict[str, Any]:
    """Adds movies to an index by writing a new version; the complete new version replaces the old version.

    New movies get vectors and neighbours by the mapping from metadata that the build learned. If the metadata
    describes a movie that the index held before, the movie's card and catalogue entry are updated.

    Args:
        metadata: movie files in any of the known formats, or tables, as in `pipelines.build_index`.
        index: the directory of the index.
        columns: maps the engine's names of columns to the names in the movie files, in addition to the names
            given at the build.
        keep: how many builds the directory keeps, the new build included; by default as many as before.

    Returns:
        The manifest of the new version, whose section `movies_added` counts the lines of metadata by outcome.

    Raises:
        ArtifactError: the directory holds no index; the index is damaged, or was built without metadata.
        DataError: no line of metadata can be used.
        SourceError: a file cannot be read.
    """
    started = time.perf_counter()
    require_build_packages("Adding movies", "matplotlib", "scipy", "sklearn")
    Artifact.open(index)
    with (
        inputs_of((), metadata) as (_, inputs),
        ArtifactWriter(Path(index), keep=keep) as writer,
        storage_errors(),
    ):
        if not inputs:
            raise DataError("No metadata file was given; name at least one.")
        # The index is opened again after the writer has locked the index, because another update may have
        # replaced the index before.
        artifact = Artifact.open(index)
        before = OpenedIndex(artifact)
        before.verify()
        start = read_cold(artifact, before.model)
        config = settings_of(artifact)
        with work_database(config.ingest) as database:
            account = _read_metadata(database, before, inputs, config.ingest, columns or {})
            catalogue = read_catalogue(database)
            traits = read_traits(database)
            write_catalogue(database, writer)
            write_ids("movie", database, writer)
            _write_films(database, artifact, catalogue.new_rows, writer)
        model, start = join_cold_movies(
            before.model,
            start,
            catalogue.words,
            catalogue.new_rows,
            config.cold,
            links=catalogue.link_matrix,
            reviewed=~before.cold_movies,
            with_doubts=False,
        )
        are_new = np.ones(len(catalogue.new_rows), dtype=bool)
        cold_rows = np.flatnonzero(insert_rows(before.cold_movies, are_new, catalogue.new_rows))
        search = build_search(model, config, writer, writer.path_for(layout.CATALOGUE_FILE))
        take_over_sections(artifact, writer)
        write_cold(start, cold_rows, model, writer)
        write_model(model, writer)
        write_search(search, writer)
        if layout.SIMILAR_SECTION in artifact.manifest:
            weights = similar_weights(artifact)
            write_similar(similar_table(Evidence(model, traits), weights), weights, writer)
        counts = artifact.manifest.get(layout.COUNTS_SECTION, {})
        writer.add_section(layout.COUNTS_SECTION, {**counts, "cold_movies": len(cold_rows)})
        writer.add_section(layout.MOVIES_ADDED_SECTION, account.to_dict())
        take_over_files(artifact, writer, leave_out=SEARCH_FILES)
        if artifact.has(layout.REPORT_FILE):
            write_report(writer, model)
    logger.info("Added %s movies in %.1f s", f"{account.added:,}", time.perf_counter() - started)
    return writer.manifest


def _read_metadata(
    database: duckdb.DuckDBPyConnection,
    before: OpenedIndex,
    metadata: Sequence[Input],
    config: IngestConfig,
    columns: Mapping[str, str],
) -> MoviesAccount:
    """Fills the table `movies` with the index's movies and the new movies, sorted by id.

    The returned account counts the lines of metadata by outcome, such as added or rejected.
    """
    _, sources = inspect_inputs((), metadata, config, folder_of(database))
    add_functions(database)
    run(database, "staging/create_staging")
    run(database, "staging/reviewed_movies")
    check_given(database, (), sources, columns)
    named = replace(config, columns={**config.columns, **columns})
    stage_metadata(database, sources, named, describe_all=True)
    require_usable_metadata(database, sources)
    run(database, "staging/described_movies")
    _read_known(database, before)
    database.execute("create or replace table wanted_movies as select movie_id from described_movies")
    scrape_links(database, threads=config.threads)
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


def _read_known(database: duckdb.DuckDBPyConnection, before: OpenedIndex) -> None:
    """Copies the index's catalogue, and the links on the movie cards, into tables of the work database."""
    before.catalogue.check()  # An unchecked catalogue could run SQL of its author once it is attached.
    before.catalogue.close()
    database.execute(f"attach '{before.artifact.handle(layout.CATALOGUE_FILE)}' as held (read_only)")
    run(database, "updating/known_movies")
    database.execute("detach held")
    cards = before.cards
    linked = {row: links for row in range(len(cards)) if (links := cards.card(row)["links"])}
    database.execute("create or replace table known_links (movie_row bigint, links varchar[])")
    database.execute(
        "insert into known_links select unnest($rows::bigint[]), "
        "unnest(from_json($links, '[[\"VARCHAR\"]]'))",
        {"rows": list(linked), "links": json.dumps(list(linked.values()))},
    )


def _write_films(
    database: duckdb.DuckDBPyConnection, artifact: Artifact, new_rows: Rows, writer: ArtifactWriter
) -> None:
    """Writes which movies are variants of one film; sets new movies' numbers of reviews and popularity to 0.

    Movies that are variants of one film in the old index stay variants of one film. A new movie becomes a
    variant of a film if the titles match.
    """
    for name in _COUNTED:
        if artifact.has(name + layout.ARRAY_ENDING):
            old = artifact.array(name)
            writer.add_array(name, insert_rows(old, np.zeros(len(new_rows), old.dtype), new_rows))
    if not all(artifact.has(name + layout.ARRAY_ENDING) for name in layout.VARIANT_ARRAYS):
        return
    titles = database.execute("select title from movies order by movie_row").fetchall()
    films = film_rows([title for (title,) in titles])
    _, offsets, movie_rows = (np.asarray(artifact.array(name)) for name in layout.VARIANT_ARRAYS)
    members = rows_beside(new_rows, len(titles) - len(new_rows))[movie_rows]
    firsts = members[np.repeat(offsets[:-1], np.diff(offsets))]
    for name, array in build_variant_arrays(_united(films, firsts, members)).items():
        writer.add_array(name, array)


def _united(films: Rows, firsts: Rows, members: Rows) -> Rows:
    """Unites the films found by title with the films of the old index; returns each movie's new film number.

    Movies with equal film numbers are variants of one film, such as a DVD and a Blu-ray. Two movies get equal
    film numbers if their titles match, or if the old index held the movies as variants of one film. The
    argument `films`, int64 [num_movies], holds the film numbers that `film_rows` found by title.

    The argument `members`, int64 [num_variants], lists all movies that were variants of a film in the old
    index. For each movie in `members`, the argument `firsts`, int64 [num_variants], holds the variant of the
    movie's film that the old index lists first. The array `members` and the array `firsts` hold rows of the
    new index.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, first_of_film, numbers = np.unique(films, return_index=True, return_inverse=True)
    rows = np.concatenate([np.arange(len(films)), firsts])
    columns = np.concatenate([first_of_film[numbers], members])
    pairs = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(films), len(films)))
    return np.asarray(connected_components(pairs, directed=False)[1], dtype=np.int64)
