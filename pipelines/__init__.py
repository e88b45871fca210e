"""Offline: raw files to artifact, evaluation, reports.

Example:
    from pipelines import build_index

    build_index(["Movies_and_TV.json.gz"], metadata=["meta_Movies_and_TV.json.gz"], output="movie-index")
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BuildResult",
    "Evaluation",
    "UpdateResult",
    "add_movies",
    "add_reviews",
    "build_index",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is asked for: the build's modules are heavy."""
    if name in ("BuildResult", "build_index"):
        from pipelines.building import build

        return getattr(build, name)
    if name in ("Evaluation", "evaluate"):
        from pipelines.evaluation import evaluate as evaluation

        return getattr(evaluation, name)
    if name in ("UpdateResult", "add_reviews"):
        from pipelines.updating import reviews as update

        return getattr(update, name)
    if name == "add_movies":
        from pipelines.updating import movies as new_movies

        return new_movies.add_movies
    raise AttributeError(f"module 'pipelines' has no attribute {name!r}")
