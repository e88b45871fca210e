"""Rebuilds the vector index of an index, such as with another kind or for another recall; trains nothing."""

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
    """Rebuilds the vector index, measures the recall of the two-stage search again, returns the manifest.

    The seed of the build is used again, so that equal arguments give equal vector indexes. All files except
    the vector index and the report are copied from the previous version, after the checksums of the previous
    version were checked. The previous version stays in use until the new version is complete.

    Args:
        directory: the directory of the index.
        kind: the value of the setting `index.kind`; by default the value of the build.
        uri: the value of the setting `index.uri`; by default the value of the build.
        recall: the least share of the exhaustive top lists that the two-stage search must find, 0 to 1; by
            default the setting `index.recall_floor` of the build.
        keep: how many builds the directory keeps, the new build included; by default as many as before.

    Raises:
        ArtifactError: the directory holds no index; the index is damaged; another build is writing to the
            directory.
        ConfigError: the kind is unknown; the recall is not between 0 and 1; the index has too few movies.
        IndexQualityError: the two-stage search with the new vector index does not reach the required recall.
    """
    require_build_packages("A new vector index", "matplotlib")
    started = time.perf_counter()
    Artifact.open(directory)
    with ArtifactWriter(Path(directory), keep=keep) as writer:
        # The index is opened again after the writer has locked the index, because another update may have
        # replaced the index before.
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
