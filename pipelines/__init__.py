"""Builds indexes from files of reviews and metadata, updates indexes, and evaluates models.

Example:
    from pipelines import build_index

    build_index(["Movies_and_TV.json.gz"], metadata=["meta_Movies_and_TV.json.gz"], output="movie-index")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "BuildResult": "pipelines.building.build",
    "Evaluation": "pipelines.evaluation.results",
    "UpdateResult": "pipelines.updating.reviews",
    "add_movies": "pipelines.updating.movies",
    "add_reviews": "pipelines.updating.reviews",
    "build_index": "pipelines.building.build",
    "evaluate": "pipelines.evaluation.evaluate",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Imports a module when one of its public names is first used, because importing all modules is slow."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelines' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
