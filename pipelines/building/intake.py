"""The first half of a build: files to the catalogue and ids of an artifact, and to arrays to learn from."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config
from pipelines.cold_start.catalogue import ColdCatalogue, read_cold_catalogue
from pipelines.dataset.reviews import Reviews, read_reviews
from pipelines.dataset.sentiment import describe_sentiment, read_sentiment
from pipelines.dataset.words import read_words
from pipelines.export.arrays import write_ids, write_variants
from pipelines.export.catalogue import write_catalog
from pipelines.ingest.accounting import write_rejected
from pipelines.ingest.ingest import ingest
from pipelines.neighbours.content import content_features
from pipelines.reading.lines import GZIP_MAGIC
from pipelines.work.checkpoints import Checkpoints, Saved
from pipelines.work.database import open_database

_STEP = "tables"
_COLD_STEP = "cold"
_FEATURES_STEP = "features"
_LEAST_SPACE = 16 << 20
_PER_COMPRESSED_BYTE = 6


class Intake(NamedTuple):
    """What is learned from."""

    reviews: Reviews
    """Those that are kept, by the rows of the movies that have any."""
    catalogue: ColdCatalogue | None
    """All movies, also those without enough reviews; None where none of these are taken in."""
    features: Floats | None
    """What metadata says of the movies that are learned from, as `content_features` gives it."""


def take_in(
    writer: ArtifactWriter,
    reviews: Sequence[Path],
    metadata: Sequence[Path],
    config: Config,
    checkpoints: Checkpoints,
) -> Intake:
    """Reads the files, and writes all of the artifact that is known before anything is learned.

    The work database lies in the writer's work directory and goes when everything is out of it; where that
    was reached before, it is taken from the checkpoint.

    Args:
        writer: the build; gets files, and the sections `accounting` and `counts`.
        reviews: review files in any of the known formats.
        metadata: movie files.
        config: settings.
        checkpoints: where the outcome is kept.

    Raises:
        EngineError: a file or a setting is not usable, or too few reviews are left.
    """
    saved = checkpoints.load(_STEP)
    if saved is not None:
        return Intake(
            _restore(writer, saved), _restore_catalogue(checkpoints), _restore_features(checkpoints)
        )
    limits = config.ingest
    scratch = writer.work_directory / "ingest"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    with open_database(
        scratch / "work.duckdb", memory_limit=limits.memory_limit, threads=limits.threads
    ) as database:
        accounting = ingest(
            database,
            reviews,
            metadata,
            limits,
            keep_text=config.sentiment.use,
            compare_text=True,
            cold=config.cold,
        )
        write_rejected(database, writer.path_for("rejected.parquet"))
        prepared = read_reviews(database)
        if config.sentiment.use:
            prepared = replace(prepared, sentiment=read_sentiment(database, threads=limits.threads))
            writer.add_section("sentiment", describe_sentiment(prepared))
        catalogue = read_cold_catalogue(database) if config.cold.enabled else None
        features = None
        if config.neighbours.num_content_neighbours:
            words = read_words(database) if catalogue is None else catalogue.learned_words
            features = content_features(words, config.cold)
        write_catalog(database, writer)
        write_ids(database, writer)
        write_variants(database, writer)
    shutil.rmtree(scratch)
    writer.add_section("accounting", accounting.to_dict())
    writer.add_section(
        "counts",
        {
            "reviews": len(prepared),
            "reviewers": prepared.num_reviewers,
            "movies": prepared.num_movies,
            "cold_movies": 0 if catalogue is None else len(catalogue.new_rows),
        },
    )
    if catalogue is not None:
        checkpoints.save(_COLD_STEP, vars(catalogue), {})
    if features is not None:
        checkpoints.save(_FEATURES_STEP, {"features": features}, {})
    arrays, sizes = _taken_apart(prepared)
    facts = {"sizes": sizes, "sections": dict(writer.sections)}
    checkpoints.save(_STEP, arrays, facts, writer.files)
    return Intake(prepared, catalogue, features)


def space_needed(files: Iterable[Path | str]) -> int:
    """About how many bytes of disk a build of these files takes: its work, checkpoints and artifact."""
    total = 0
    for path in map(Path, files):
        if path.is_file():
            with path.open("rb") as file:
                compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            total += path.stat().st_size * (_PER_COMPRESSED_BYTE if compressed else 1)
    return _LEAST_SPACE + total


def _restore(writer: ArtifactWriter, saved: Saved) -> Reviews:
    for path in saved.files:
        writer.add_file(path)
    for name, values in saved.facts["sections"].items():
        writer.add_section(name, values)
    return Reviews(**{**saved.arrays, **saved.facts["sizes"]})


def _restore_catalogue(checkpoints: Checkpoints) -> ColdCatalogue | None:
    saved = checkpoints.load(_COLD_STEP)
    return None if saved is None else ColdCatalogue(**saved.arrays)


def _restore_features(checkpoints: Checkpoints) -> Floats | None:
    saved = checkpoints.load(_FEATURES_STEP)
    return None if saved is None else saved.arrays["features"]


def _taken_apart(reviews: Reviews) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The fields that are arrays, and the others."""
    values = {field.name: getattr(reviews, field.name) for field in fields(reviews)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return arrays, {name: value for name, value in values.items() if name not in arrays}
