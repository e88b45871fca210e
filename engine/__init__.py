"""Answers questions about movies and reviewers from an index; the names of `__all__` are the public API.

Each public name is imported on first access, so that a command does not wait for imports that the command
does not need.

Example:
    from engine import Engine

    engine = Engine.load("movie-index")
    engine.recommend("A1CW3NLH9MBQRY", k=10, where="price < 10")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.answers import (
        GroupRecommendation,
        LikelyReviewer,
        MappedMovie,
        MemberPrediction,
        MoviePrediction,
        MovieProfile,
        OtherVariant,
        Reason,
        Recommendation,
        ReviewedMovie,
        ReviewerProfile,
        SimilarMovie,
        SimilarReviewer,
        TitleMatch,
        TopList,
        Variety,
    )
    from engine.config import Config, load_config
    from engine.errors import (
        ArtifactError,
        ConfigError,
        DataError,
        EngineError,
        FilterError,
        IndexQualityError,
        NotPublishedError,
        TitleError,
        TrainingError,
        UnknownIdError,
    )
    from engine.model.heads import RatingPrediction
    from engine.recommender import Engine

_HOMES = {
    "Config": "engine.config",
    "load_config": "engine.config",
    "Engine": "engine.recommender",
    "RatingPrediction": "engine.model.heads",
}
"""The module of each public name that is neither in `engine.answers` nor in `engine.errors`."""

__all__ = [
    "ArtifactError",
    "Config",
    "ConfigError",
    "DataError",
    "Engine",
    "EngineError",
    "FilterError",
    "GroupRecommendation",
    "IndexQualityError",
    "LikelyReviewer",
    "MappedMovie",
    "MemberPrediction",
    "MoviePrediction",
    "MovieProfile",
    "NotPublishedError",
    "OtherVariant",
    "RatingPrediction",
    "Reason",
    "Recommendation",
    "ReviewedMovie",
    "ReviewerProfile",
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
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "engine.errors" if name.endswith("Error") else "engine.answers")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
