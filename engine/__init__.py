"""Query time: loads an artifact and answers. These names are the public API.

Example:
    from engine import Engine

    engine = Engine.load("movie-index")
    engine.recommend("A1CW3NLH9MBQRY", k=10, where="price < 10")
"""

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
from engine.config import Config, load_config
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
from engine.title_search import TitleMatch

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
