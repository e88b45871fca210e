"""Builds indexes from files of reviews and metadata, updates indexes, and evaluates models.

Example:
    from pipelines import build_index

    build_index(["Movies_and_TV.json.gz"], metadata=["meta_Movies_and_TV.json.gz"], output="movie-index")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.building.build import BuildResult, build_index
    from pipelines.building.plan import Plan, plan_build
    from pipelines.evaluation.evaluate import evaluate
    from pipelines.evaluation.results import Evaluation
    from pipelines.ingest.accounting import Accounting
    from pipelines.ingest.prepare import prepare
    from pipelines.inputs.frames import ArrowTable
    from pipelines.inputs.named import Source, Sources
    from pipelines.updating.movies import add_movies
    from pipelines.updating.reviews import UpdateResult, add_reviews

_HOMES = {
    "Accounting": "pipelines.ingest.accounting",
    "ArrowTable": "pipelines.inputs.frames",
    "BuildResult": "pipelines.building.build",
    "Evaluation": "pipelines.evaluation.results",
    "Plan": "pipelines.building.plan",
    "Source": "pipelines.inputs.named",
    "Sources": "pipelines.inputs.named",
    "UpdateResult": "pipelines.updating.reviews",
    "add_movies": "pipelines.updating.movies",
    "add_reviews": "pipelines.updating.reviews",
    "build_index": "pipelines.building.build",
    "evaluate": "pipelines.evaluation.evaluate",
    "plan_build": "pipelines.building.plan",
    "prepare": "pipelines.ingest.prepare",
}
__all__ = [
    "Accounting",
    "ArrowTable",
    "BuildResult",
    "Evaluation",
    "Plan",
    "Source",
    "Sources",
    "UpdateResult",
    "add_movies",
    "add_reviews",
    "build_index",
    "evaluate",
    "plan_build",
    "prepare",
]


def __getattr__(name: str) -> Any:
    """Imports a module when one of its public names is first used, because importing all modules is slow."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelines' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
