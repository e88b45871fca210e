"""Opens the parts of an index by name: ids, cards, catalogue, model, vector index, films."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.artifact.ids import IdTable
from engine.artifact.layout import COLD_MOVIES, MOVIE_COUNTS, STRONGEST_FILE, VARIANT_ARRAYS
from engine.artifact.reader import Artifact
from engine.catalogue.variants import Variants
from engine.errors import ArtifactCorruptError
from engine.model.scorer import Model
from engine.search.batch_candidates import BatchSource
from engine.search.candidates import CandidateSource
from indexes.base import VectorIndex, VectorIndexError
from indexes.faiss_index import FlatIndex
from indexes.strongest import StrongestIndex


def films_of(artifact: Artifact) -> tuple[Variants | None, NDArray[np.int32] | None]:
    """Which movies are one film and how many reviews each has; builds of the first releases do not say."""
    if not all(artifact.has(f"{name}.npy") for name in (*VARIANT_ARRAYS, MOVIE_COUNTS)):
        return None, None
    return Variants(*map(artifact.array, VARIANT_ARRAYS)), artifact.array(MOVIE_COUNTS)


def id_table(artifact: Artifact, kind: str) -> IdTable:
    """Opens the ids of the reviewers or of the movies; `kind` is "reviewer" or "movie"."""
    return IdTable(artifact.array(f"{kind}_ids"), artifact.array(f"{kind}_id_offsets"))


def batch_source(
    artifact: Artifact, model: Model, index: VectorIndex, num_candidates: int
) -> CandidateSource:
    """Gives what finds candidates for very many reviewers: the fastest way that an artifact has.

    Args:
        artifact: may hold the strongest vectors.
        model: scores the candidates.
        index: the artifact's own.
        num_candidates: how many are taken from each place.

    Raises:
        ArtifactCorruptError: the strongest vectors cannot be read.
    """
    if artifact.has(STRONGEST_FILE):
        try:
            strongest = StrongestIndex.load(artifact.file(STRONGEST_FILE))
        except VectorIndexError as error:
            raise ArtifactCorruptError(
                f"The strongest vectors of {artifact.directory} cannot be read ({error}); "
                "run engine index, or build the index again"
            ) from error
        return BatchSource(model, strongest, num_candidates)
    if isinstance(index, FlatIndex):
        return BatchSource(model, StrongestIndex(model.relevance.movie_vectors), num_candidates)
    return CandidateSource(model, index, num_candidates)


def cold_movies(artifact: Artifact, num_movies: int) -> NDArray[np.bool_]:
    """Which movies are cold, bool [num_movies]; none in an artifact that does not say."""
    if artifact.has(f"{COLD_MOVIES}.npy"):
        return artifact.array(COLD_MOVIES)
    return np.zeros(num_movies, dtype=bool)
