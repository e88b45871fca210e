"""Query time: loads an artifact and answers. These names are the public API.

Example:
    from engine import Engine

    engine = Engine.load("movie-index")
    engine.recommend("A1CW3NLH9MBQRY", k=10, where="price < 10")
"""

from typing import TYPE_CHECKING, Any

from engine.answers import (
    LikelyReviewer,
    MoviePrediction,
    OtherVariant,
    Reason,
    Recommendation,
    SimilarMovie,
    SimilarReviewer,
    TopList,
)
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

if TYPE_CHECKING:
    from engine.config import Config, load_config
    from engine.title_search import TitleMatch

_LAZY = {
    "Config": "engine.config",
    "load_config": "engine.config",
    "TitleMatch": "engine.title_search",
}
"""Where the names lie that few questions need, so that the others do not wait for them."""

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
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
