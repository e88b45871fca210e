"""Query time: loads an artifact and answers. These names are the public API.

Example:
    from engine import Engine

    engine = Engine.load("movie-index")
    engine.recommend("A1CW3NLH9MBQRY", k=10, where="price < 10")
"""

from engine.answers import Recommendation, SimilarMovie
from engine.config import Config, load_config
from engine.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    EngineError,
    FilterError,
    IndexQualityError,
    TrainingError,
    UnknownIdError,
)
from engine.rating_head import RatingPrediction
from engine.recommender import Engine

__all__ = [
    "ArtifactError",
    "Config",
    "ConfigError",
    "DataError",
    "Engine",
    "EngineError",
    "FilterError",
    "IndexQualityError",
    "RatingPrediction",
    "Recommendation",
    "SimilarMovie",
    "TrainingError",
    "UnknownIdError",
    "load_config",
]
