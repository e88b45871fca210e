"""Copies the unchanged sections and files of an index from the previous version to a new version."""

from __future__ import annotations

from collections.abc import Collection

from engine.artifact.layout import (
    ADDRESS_FILE,
    BUILD_ENTRIES,
    REPORT_FILE,
    STRONGEST_FILE,
    VECTOR_INDEX_FILE,
)
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter

SEARCH_FILES = (VECTOR_INDEX_FILE, ADDRESS_FILE, STRONGEST_FILE, REPORT_FILE)
"""The files of the vector indexes and of the report. A version with new vector indexes writes new vector
index files and a new report, in place of taking over the files of the previous version."""


def take_over_sections(artifact: Artifact, writer: ArtifactWriter) -> None:
    """Copies every manifest section of the previous version; callers may then replace copied sections.

    When the new version is complete, it is published only if the previous version is still live.
    """
    writer.based_on = artifact.build_directory.name
    for name, section in artifact.manifest.items():
        if name not in BUILD_ENTRIES:
            writer.add_section(name, section)


def take_over_files(artifact: Artifact, writer: ArtifactWriter, *, leave_out: Collection[str] = ()) -> None:
    """Adds to the new version every file of the previous version that the new version does not have.

    A file is added as a hard link if the file system allows hard links. The previous version and the new
    version share the bytes of a hard-linked file, so writing to the hard-linked file changes both versions.
    Callers must write all changed files before calling `take_over_files`, or name the changed files in
    `leave_out`.
    """
    written = {path.name for path in writer.files}
    for name in artifact.files:
        if name not in written and name not in leave_out:
            writer.add_file(artifact.file(name))
