"""Takes over from the version before what a new version of an index does not change."""

from __future__ import annotations

from collections.abc import Collection

from engine.artifact.layout import BUILD_ENTRIES, CONFIG_SECTION
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config


def settings_of(artifact: Artifact) -> Config:
    """Returns the settings of a version; the defaults in indexes that do not hold theirs."""
    return Config.from_dict(artifact.manifest.get(CONFIG_SECTION, {}))


def take_over_sections(artifact: Artifact, writer: ArtifactWriter) -> None:
    """Adds every manifest section of the version before; a section that is added later replaces it."""
    for name, section in artifact.manifest.items():
        if name not in BUILD_ENTRIES:
            writer.add_section(name, section)


def take_over_files(artifact: Artifact, writer: ArtifactWriter, *, leave_out: Collection[str] = ()) -> None:
    """Adds every file of the version before that the new version has not written itself.

    A file that is taken over is the same file on disk, so writing it again would change both versions: call
    this after the files that change have been written, or leave them out by name.
    """
    written = {path.name for path in writer.files}
    for name in artifact.files:
        if name not in written and name not in leave_out:
            writer.add_file(artifact.file(name))
