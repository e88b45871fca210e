"""Rebuilds the vector index of a trained index, with another kind or another recall, without training."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.artifact import layout
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.errors import IndexQualityError
from engine.opened import OpenedIndex, settings_of
from pipelines.export.collection import check_database
from pipelines.export.report import write_report
from pipelines.export.vector_index import build_search, write_search
from pipelines.export.versions import SEARCH_FILES, take_over_files, take_over_sections
from pipelines.work.extras import require_build_packages

logger = logging.getLogger(__name__)


def rebuild_index(
    directory: Path | str,
    *,
    kind: str | None = None,
    uri: str | None = None,
    recall: float | None = None,
    keep: int | None = None,
) -> dict[str, Any]:
    """Rebuilds the vector index, measures the recall of the two-stage search again, and returns the manifest.

    `kind` is a value of the setting `index.kind`, and `uri` of the setting `index.uri`. `recall`, 0 to 1,
    is the least share of the exhaustive top lists that the search must find. By default `kind`, `uri` and
    `recall` are the settings of the build. The seed of the build is used again, so equal arguments give
    equal vector indexes. All other files are taken from the previous version, after their checksums were
    checked. The previous version stays in use until the new version is complete. The directory keeps `keep`
    builds, by default as many as before.

    Raises:
        ArtifactError: there is no index, it is damaged, or another build is writing to it.
        ConfigError: the kind is unknown, the recall is not between 0 and 1, or there are too few movies.
        IndexQualityError: the recall cannot be reached.
    """
    require_build_packages("A new vector index", "matplotlib")
    started = time.perf_counter()
    Artifact.open(directory)
    with ArtifactWriter(Path(directory), keep=keep) as writer:
        # The index is opened after the writer has locked it, so that no other update comes in between.
        artifact = Artifact.open(directory)
        before = OpenedIndex(artifact)
        before.verify()
        config = settings_of(artifact)
        kind = config.index.kind if kind is None else kind
        recall = config.index.recall_floor if recall is None else recall
        uri = config.index.uri if uri is None else uri
        config = replace(config, index=replace(config.index, kind=kind, uri=uri, recall_floor=recall))
        check_database(config.index, Path(directory))
        model = before.model
        try:
            search = build_search(model, config, writer, artifact.file(layout.CATALOGUE_FILE))
        except IndexQualityError as error:
            raise IndexQualityError(
                error.got, error.wanted, "ask for --kind flat, or for a lower --recall"
            ) from error
        take_over_sections(artifact, writer)
        write_search(search, writer)
        take_over_files(artifact, writer, leave_out=SEARCH_FILES)
        writer.add_section(layout.CONFIG_SECTION, config.to_dict())
        writer.add_section(layout.REBUILT_SECTION, artifact.build_directory.name)
        if artifact.has(layout.REPORT_FILE):
            write_report(writer, model)
    logger.info("Built the index of %s again in %.1f s", directory, time.perf_counter() - started)
    return writer.manifest
