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
    from engine.catalogue.title_search import TitleMatch
    from engine.config.sections import Config, load_config
    from engine.direction_answers import LikelyReviewer, MoviePrediction, SimilarReviewer
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
    from engine.lists.variety import Variety
    from engine.model.rating_head import RatingPrediction
    from engine.recommender import Engine
    from engine.relations.similar_movies import SimilarMovie

_HOMES = {
    "engine.answers": ("OtherVariant", "Reason", "Recommendation", "TopList"),
    "engine.config.sections": ("Config", "load_config"),
    "engine.direction_answers": ("LikelyReviewer", "MoviePrediction", "SimilarReviewer"),
    "engine.lists.variety": ("Variety",),
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
    "engine.model.rating_head": ("RatingPrediction",),
    "engine.recommender": ("Engine",),
    "engine.relations.similar_movies": ("SimilarMovie",),
    "engine.catalogue.title_search": ("TitleMatch",),
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
