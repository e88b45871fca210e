"""What an artifact keeps so that movies without reviews can be told, and more of them added later."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.cold import COLD_MOVIES
from engine.errors import ArtifactError
from pipelines.cold_start.joining import ColdStart
from pipelines.cold_start.mapping import ColdMapping

SECTION = "cold"
_NAMES = tuple(field.name for field in fields(ColdMapping))


def write_cold(
    start: ColdStart, new_rows: NDArray[np.integer], num_movies: int, writer: ArtifactWriter
) -> None:
    """Adds which movies have no reviews, the mapping's arrays, and the manifest's section `cold`."""
    is_cold = np.zeros(num_movies, dtype=bool)
    is_cold[new_rows] = True
    writer.add_array(COLD_MOVIES, is_cold)
    for name in _NAMES:
        writer.add_array(f"cold_{name}", getattr(start.mapping, name))
    writer.add_section(SECTION, {"movies": len(new_rows), "slopes": start.slopes})


def read_cold(artifact: Artifact) -> ColdStart:
    """Reads what `write_cold` wrote.

    Raises:
        ArtifactError: the artifact was built without metadata, or without taking in movies without reviews.
    """
    if SECTION not in artifact.manifest:
        raise ArtifactError(
            f"The index at {artifact.directory} cannot take in movies without reviews: it was built without "
            "metadata that describes the movies reviewed; build it again with --metadata FILE"
        )
    mapping = ColdMapping(**{name: np.asarray(artifact.array(f"cold_{name}")) for name in _NAMES})
    return ColdStart(mapping=mapping, slopes=dict(artifact.manifest[SECTION]["slopes"]))
