"""A new version of an index: what did not change is taken over from the one before."""

from __future__ import annotations

from engine.artifact.layout import REPORT_FILE, STRONGEST_FILE
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter

_OF_A_BUILD = ("format_version", "package_version", "build", "created", "files")
"""What the writer says of every build by itself."""


def _take_over(artifact: Artifact, writer: ArtifactWriter) -> None:
    """Takes over the files that new movies do not change."""
    written = {path.name for path in writer.files}
    for name in artifact.manifest["files"]:
        if name not in written and name not in (STRONGEST_FILE, REPORT_FILE):
            writer.add_file(artifact.file(name))
