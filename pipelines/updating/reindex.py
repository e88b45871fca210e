"""Builds the index of an artifact again, of another kind or for another recall, without training anything."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.artifact.layout import INDEX_FILE, REPORT_FILE, STRONGEST_FILE
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config
from engine.errors import IndexQualityError
from engine.model.storage import load_model
from pipelines.export.report import write_report
from pipelines.export.vector_index import build_search, write_search

logger = logging.getLogger(__name__)

_OF_A_BUILD = ("format_version", "package_version", "build", "created", "files")
"""What the writer says of every build by itself."""


def rebuild_index(
    directory: Path | str, *, kind: str | None = None, recall: float | None = None
) -> dict[str, Any]:
    """Replaces the index over the movie vectors, and audits the two-stage search again.

    The same build, kind and recall give the same index again, as the seed is the build's own.
    The other files are taken over as they are, after their checksums have been compared. The build that was
    live until now answers until the new one is complete, and stays for those who have it open.

    Args:
        directory: where the index lives.
        kind: one of `engine.config.INDEX_KINDS`; by default what the build was asked for.
        recall: the part of the exhaustive top lists that must be found, 0 to 1; by default likewise.

    Returns:
        The new build's manifest.

    Raises:
        ArtifactError: there is no index, it is damaged, or another build is writing to it.
        ConfigError: the kind is unknown, the recall is not between 0 and 1, or there are too few movies.
        IndexQualityError: the recall cannot be reached.
    """
    started = time.perf_counter()
    artifact = Artifact.open(directory)
    config = _changed(Config.from_dict(artifact.manifest.get("config", {})), kind, recall)
    with ArtifactWriter(artifact.directory) as writer:
        artifact.verify()
        model = load_model(artifact)
        try:
            search = build_search(model, config)
        except IndexQualityError as error:
            raise IndexQualityError(
                error.got, error.wanted, "ask for --kind flat, or for a lower --recall"
            ) from error
        for name in artifact.manifest["files"]:
            if name not in (INDEX_FILE, STRONGEST_FILE, REPORT_FILE):
                writer.add_file(artifact.file(name))
        write_search(search, writer)
        for name, section in artifact.manifest.items():
            if name not in _OF_A_BUILD:
                writer.add_section(name, section)
        writer.add_section("config", config.to_dict())
        writer.add_section("search", search.section)
        writer.add_section("audit", search.audit)
        writer.add_section("index_rebuilt_from", artifact.build_directory.name)
        if artifact.has(REPORT_FILE):
            write_report(writer, model)
    logger.info("Built the index of %s again in %.1f s", directory, time.perf_counter() - started)
    return writer.manifest


def _changed(config: Config, kind: str | None, recall: float | None) -> Config:
    index = config.index
    return replace(
        config,
        index=replace(
            index,
            kind=index.kind if kind is None else kind,
            recall_floor=index.recall_floor if recall is None else recall,
        ),
    )
