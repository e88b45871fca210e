"""Reads the files of a build into arrays for training; writes the catalogue and the ids of the index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np

from engine.arrays import Floats
from engine.artifact.layout import ACCOUNTING_SECTION, COUNTS_SECTION, REJECTED_FILE, SENTIMENT_SECTION
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config
from pipelines.cold_start.catalogue import ColdCatalogue, read_cold_catalogue
from pipelines.dataset.reviews import Reviews, read_reviews
from pipelines.dataset.sentiment import describe_sentiment, read_sentiment
from pipelines.dataset.words import read_words
from pipelines.export.arrays import write_ids, write_variants
from pipelines.export.catalogue import write_catalogue
from pipelines.ingest.accounting import write_rejected
from pipelines.ingest.ingest import ingest
from pipelines.ingest.journal import divided, own_first, read_journal, write_hidden, write_position
from pipelines.inputs.spool import Input, file_of_input, num_bytes_of
from pipelines.neighbours.content import content_features
from pipelines.similar.traits import Traits, read_traits
from pipelines.text.kinds import is_packed
from pipelines.work.checkpoints import Checkpoints
from pipelines.work.database import folder_of, work_database
from pipelines.work.runners import HERE, Runner

_STEP = "tables"
_COLD_STEP = "cold"
_FEATURES_STEP = "features"
_TRAITS_STEP = "traits"
_LEAST_SPACE = 16 << 20
"""The number of bytes of disk space that a build needs even for the smallest files."""
_COMPRESSED = (".gz", ".bz2", ".xz", ".zip")
"""The endings of names of compressed files, by which compressed remote files are recognised without being
opened."""
_PER_COMPRESSED_BYTE = 6
"""The number of bytes of disk space that a build needs for each byte of a compressed file."""


class Intake(NamedTuple):
    """Holds the reviews and the metadata on which a build trains."""

    reviews: Reviews
    """The reviews that remain after unusable reviews, repeated reviews, and reviews that filters exclude are
    dropped. Only movies with a review in `reviews` have a movie row in `reviews`; cold movies (movies without
    reviews to train on) have no row."""
    catalogue: ColdCatalogue | None
    """The metadata of all movies, with or without reviews; None if the build adds no movies without
    reviews."""
    features: Floats | None
    """The vectors that `content_features` computes from the metadata of the movies with reviews; None if the
    settings ask for no neighbours by metadata."""
    traits: Traits
    """The metadata by which similar movies are compared, for all movies of the index."""

    @property
    def learned_traits(self) -> Traits:
        """Returns the metadata of the movies with reviews; the build trains only on movies with reviews."""
        return self.traits if self.catalogue is None else self.traits.take(self.catalogue.learned_rows)


def take_in(
    writer: ArtifactWriter,
    reviews: Sequence[Input],
    metadata: Sequence[Input],
    config: Config,
    checkpoints: Checkpoints,
    runner: Runner = HERE,
) -> Intake:
    """Reads the files of a build, and writes the files of the index that need no training.

    If an interrupted build has saved the result of reading as a checkpoint, the saved result is restored and
    no file is read. If no result was saved, `runner` reads the files, perhaps in workers, and the result is
    saved as a checkpoint.

    Raises:
        EngineError: a file or a setting is not usable; too few reviews are left.
    """
    intake = _restore(writer, checkpoints)
    if intake is None:
        intake = _read(writer, reviews, metadata, config, runner)
        _keep(intake, writer, checkpoints)
    return intake


def space_needed(files: Iterable[Input]) -> int:
    """Estimates how many bytes of disk space a build needs for temporary files and for the index."""
    total = 0
    for given in files:
        path = file_of_input(given)
        compressed = path.suffix in _COMPRESSED
        if path.is_file():
            with path.open("rb") as file:
                compressed = is_packed(file.read(16))
        total += num_bytes_of(given) * (_PER_COMPRESSED_BYTE if compressed else 1)
    return _LEAST_SPACE + total


def _read(
    writer: ArtifactWriter,
    reviews: Sequence[Input],
    metadata: Sequence[Input],
    config: Config,
    runner: Runner,
) -> Intake:
    limits = config.ingest
    reviews, given = divided(reviews)
    with work_database(limits, writer.work_directory) as database:
        parts = [read_journal(one, folder_of(database)) for one in own_first(writer.directory, given)]
        accounting = ingest(
            database,
            reviews,
            metadata,
            limits,
            keep_text=config.sentiment.use,
            compare_text=True,
            cold=config.cold,
            feedback=parts,
            runner=runner,
        )
        write_hidden(parts, writer)
        write_position(parts, writer)
        write_rejected(database, writer.path_for(REJECTED_FILE))
        prepared = read_reviews(database, config)
        if config.sentiment.use:
            prepared = replace(prepared, sentiment=read_sentiment(database, threads=limits.threads))
            writer.add_section(SENTIMENT_SECTION, describe_sentiment(prepared))
        catalogue = read_cold_catalogue(database) if config.cold.enabled else None
        features = None
        if config.neighbours.num_content_neighbours:
            words = read_words(database) if catalogue is None else catalogue.learned_words
            features = content_features(words)
        traits = read_traits(database)
        write_catalogue(database, writer)
        write_ids("reviewer", database, writer)
        write_ids("movie", database, writer)
        write_variants(database, writer)
    writer.add_section(ACCOUNTING_SECTION, accounting.to_dict())
    counts = {
        "reviews": len(prepared),
        "reviewers": prepared.num_reviewers,
        "movies": prepared.num_movies,
        "cold_movies": 0 if catalogue is None else len(catalogue.new_rows),
    }
    writer.add_section(COUNTS_SECTION, counts)
    return Intake(prepared, catalogue, features, traits)


def _keep(intake: Intake, writer: ArtifactWriter, checkpoints: Checkpoints) -> None:
    """Saves the reviews, the metadata and the written files of the index as checkpoints.

    The checkpoint of the reviews is written last; its existence tells `_restore` that all other checkpoints
    are complete.
    """
    if intake.catalogue is not None:
        checkpoints.save(_COLD_STEP, vars(intake.catalogue), {})
    if intake.features is not None:
        checkpoints.save(_FEATURES_STEP, {"features": intake.features}, {})
    traits = {field.name: getattr(intake.traits, field.name) for field in fields(Traits)}
    checkpoints.save(_TRAITS_STEP, traits, {})
    values = {field.name: getattr(intake.reviews, field.name) for field in fields(Reviews)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    others = {name: value for name, value in values.items() if name not in arrays}
    checkpoints.save(_STEP, arrays, {"others": others, "sections": dict(writer.sections)}, writer.files)


def _restore(writer: ArtifactWriter, checkpoints: Checkpoints) -> Intake | None:
    """Restores the reviews, metadata and files that `_keep` saved; returns None if nothing was saved."""
    saved = checkpoints.load(_STEP)
    if saved is None:
        return None
    for path in saved.files:
        writer.add_file(path)
    for name, section in saved.facts["sections"].items():
        writer.add_section(name, section)
    cold, features = checkpoints.load(_COLD_STEP), checkpoints.load(_FEATURES_STEP)
    traits = checkpoints.load(_TRAITS_STEP)
    if traits is None:
        return None
    return Intake(
        Reviews(**{**saved.arrays, **saved.facts["others"]}),
        None if cold is None else ColdCatalogue(**cold.arrays),
        None if features is None else features.arrays["features"],
        Traits(**traits.arrays),
    )
