"""Query time: loads an artifact and answers. These names are the public API.

Each is imported when it is first asked for, so that a command or a question waits for nothing that it does
not need.

Example:
    from engine import Engine

    engine = Engine.load("movie-index")
    engine.recommend("A1CW3NLH9MBQRY", k=10, where="price < 10")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.answers import OtherVariant, Reason, Recommendation, TopList
    from engine.config import Config, load_config
    from engine.direction_answers import LikelyReviewer, MoviePrediction, SimilarReviewer
    from engine.diversity import Variety
    from engine.errors import (
        ArtifactError,
        ConfigError,
        DataError,
        EngineError,
        FilterError,
        IndexQualityError,
        TitleError,
        TrainingError,
        UnknownIdError,
    )
    from engine.rating_head import RatingPrediction
    from engine.recommender import Engine
    from engine.similarity import SimilarMovie
    from engine.title_search import TitleMatch

_HOMES = {
    "engine.answers": ("OtherVariant", "Reason", "Recommendation", "TopList"),
    "engine.config": ("Config", "load_config"),
    "engine.direction_answers": ("LikelyReviewer", "MoviePrediction", "SimilarReviewer"),
    "engine.diversity": ("Variety",),
    "engine.errors": (
        "ArtifactError",
        "ConfigError",
        "DataError",
        "EngineError",
        "FilterError",
        "IndexQualityError",
        "TitleError",
        "TrainingError",
        "UnknownIdError",
    ),
    "engine.rating_head": ("RatingPrediction",),
    "engine.recommender": ("Engine",),
    "engine.similarity": ("SimilarMovie",),
    "engine.title_search": ("TitleMatch",),
}
"""Where the public names lie."""

__all__ = [
    "ArtifactError",
    "Config",
    "ConfigError",
    "DataError",
    "Engine",
    "EngineError",
    "FilterError",
    "IndexQualityError",
    "LikelyReviewer",
    "MoviePrediction",
    "OtherVariant",
    "RatingPrediction",
    "Reason",
    "Recommendation",
    "SimilarMovie",
    "SimilarReviewer",
    "TitleError",
    "TitleMatch",
    "TopList",
    "TrainingError",
    "UnknownIdError",
    "Variety",
    "load_config",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
