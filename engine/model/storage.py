"""The model as files of an artifact: an .npy each array, and a manifest section for single numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact.reader import Artifact
from engine.errors import ArtifactCorruptError
from engine.model.heads import RatingHead, RelevanceHead
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Blend, Model

_TABLE = ("offsets", "movie_rows", "weights")


def model_arrays(model: Model) -> dict[str, NDArray[Any]]:
    """Every array of a model by the name that its file gets."""
    relevance, histories = model.relevance, model.histories
    arrays: dict[str, NDArray[Any]] = {
        "movie_vectors": relevance.movie_vectors,
        "history_vectors": relevance.history_vectors,
        "reviewer_embeddings": relevance.reviewer_embeddings,
        "level_weights": relevance.level_weights,
        "history_offsets": histories.offsets,
        "history_movie_rows": histories.movie_rows,
        "history_level_rows": histories.level_rows,
        **_table_arrays("neighbour", model.neighbours),
    }
    if model.rating is not None:
        rating = model.rating
        arrays |= {
            "rating_levels": rating.levels,
            "rating_movie_vectors": rating.movie_vectors,
            "rating_history_vectors": rating.history_vectors,
            "rating_reviewer_biases": rating.reviewer_biases,
            "rating_baselines": rating.baselines,
            "rating_thresholds": rating.thresholds,
            "rating_dot_weights": rating.dot_weights,
        }
        for layer, (kernel, bias) in enumerate(zip(rating.kernels, rating.biases, strict=True)):
            arrays |= {f"rating_kernel_{layer}": kernel, f"rating_bias_{layer}": bias}
    if model.chosen_neighbours is not None:
        arrays |= _table_arrays("linear_neighbour", model.chosen_neighbours)
    if model.rating_neighbours is not None:
        arrays |= _table_arrays("rating_neighbour", model.rating_neighbours)
    return arrays


def model_section(model: Model) -> dict[str, Any]:
    """What the manifest keeps of a model beside its arrays."""
    return {
        "embedding_dim": model.relevance.embedding_dim,
        "recency_power": model.relevance.recency_power,
        "max_history": model.relevance.max_history,
        "rating_levels": [] if model.rating is None else [float(level) for level in model.rating.levels],
        "num_rating_layers": 0 if model.rating is None else len(model.rating.kernels),
        "has_linear_neighbours": model.chosen_neighbours is not None,
        "blend": asdict(model.blend),
    }


def load_model(artifact: Artifact) -> Model:
    """Maps the arrays of an artifact.

    Raises:
        ArtifactError: a file is missing or damaged, or the manifest does not describe a model.
    """
    section = artifact.manifest.get("model")
    try:
        return _load(artifact, dict(section or {}))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactCorruptError(
            f"The manifest of {artifact.directory} does not describe a model ({error}); build the index again"
        ) from error


def _load(artifact: Artifact, section: dict[str, Any]) -> Model:
    relevance = RelevanceHead(
        movie_vectors=artifact.array("movie_vectors"),
        history_vectors=artifact.array("history_vectors"),
        reviewer_embeddings=artifact.array("reviewer_embeddings"),
        level_weights=artifact.array("level_weights"),
        recency_power=float(section["recency_power"]),
        max_history=int(section["max_history"]),
    )
    rated = bool(section["rating_levels"])
    return Model(
        relevance=relevance,
        rating=_load_rating(artifact, int(section["num_rating_layers"])) if rated else None,
        neighbours=_load_table(artifact, "neighbour"),
        chosen_neighbours=_load_table(artifact, "linear_neighbour")
        if section["has_linear_neighbours"]
        else None,
        rating_neighbours=_load_table(artifact, "rating_neighbour") if rated else None,
        histories=Histories(
            artifact.array("history_offsets"),
            artifact.array("history_movie_rows"),
            artifact.array("history_level_rows"),
        ),
        blend=Blend(**section["blend"]),
    )


def _load_rating(artifact: Artifact, num_layers: int) -> RatingHead:
    return RatingHead(
        levels=np.asarray(artifact.array("rating_levels")),
        movie_vectors=artifact.array("rating_movie_vectors"),
        history_vectors=artifact.array("rating_history_vectors"),
        reviewer_biases=artifact.array("rating_reviewer_biases"),
        baselines=artifact.array("rating_baselines"),
        thresholds=np.asarray(artifact.array("rating_thresholds")),
        dot_weights=np.asarray(artifact.array("rating_dot_weights")),
        kernels=[np.asarray(artifact.array(f"rating_kernel_{layer}")) for layer in range(num_layers)],
        biases=[np.asarray(artifact.array(f"rating_bias_{layer}")) for layer in range(num_layers)],
    )


def _table_arrays(name: str, table: NeighbourTable) -> dict[str, NDArray[Any]]:
    return {f"{name}_{part}": getattr(table, part) for part in _TABLE}


def _load_table(artifact: Artifact, name: str) -> NeighbourTable:
    return NeighbourTable(*(artifact.array(f"{name}_{part}") for part in _TABLE))
