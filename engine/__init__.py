"""Answers questions about movies and reviewers from an index; the names in `__all__` are the public API.

Each public name is imported at its first use, because importing all public names at the start would slow down
every command.

Example:
    from engine import Engine

    engine = Engine.load("movie-index")
    engine.recommend("A1CW3NLH9MBQRY", k=10, where="price < 10")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.answers import (
        Answer,
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
        ArtifactCorruptError,
        ArtifactError,
        ArtifactNotFoundError,
        ArtifactVersionError,
        CheckFailedError,
        ConfigError,
        DataError,
        EngineError,
        FilterError,
        IndexQualityError,
        NotPublishedError,
        SourceError,
        TitleError,
        TrainingError,
        UnknownIdError,
    )
    from engine.likeness import Likeness
    from engine.lists.columns import ListColumns
    from engine.model.heads import RatingPrediction
    from engine.opened import OpenedIndex
    from engine.questions.arguments import ListArguments, ListOptions, MovieIds, SimilarArguments
    from engine.questions.ratings import Ratings
    from engine.recommender import Engine
    from engine.tables.answer import MovieAnswer
    from engine.tables.facts import Facts
    from engine.tables.lists import AnswerList, ListsOfReviewers

_HOMES = {
    "Config": "engine.config",
    "load_config": "engine.config",
    "ListColumns": "engine.lists.columns",
    "Likeness": "engine.likeness",
    "RatingPrediction": "engine.model.heads",
    "OpenedIndex": "engine.opened",
    "ListArguments": "engine.questions.arguments",
    "ListOptions": "engine.questions.arguments",
    "SimilarArguments": "engine.questions.arguments",
    "MovieIds": "engine.questions.arguments",
    "Ratings": "engine.questions.ratings",
    "Engine": "engine.recommender",
    "MovieAnswer": "engine.tables.answer",
    "AnswerList": "engine.tables.lists",
    "ListsOfReviewers": "engine.tables.lists",
    "Facts": "engine.tables.facts",
}
"""The module that defines each public name, except names from `engine.answers` and `engine.errors`."""

__all__ = [
    "Answer",
    "AnswerList",
    "ArtifactCorruptError",
    "ArtifactError",
    "ArtifactNotFoundError",
    "ArtifactVersionError",
    "CheckFailedError",
    "Config",
    "ConfigError",
    "DataError",
    "Engine",
    "EngineError",
    "Facts",
    "FilterError",
    "GroupRecommendation",
    "IndexQualityError",
    "LikelyReviewer",
    "Likeness",
    "ListArguments",
    "ListColumns",
    "ListOptions",
    "ListsOfReviewers",
    "MappedMovie",
    "MemberPrediction",
    "MovieAnswer",
    "MovieIds",
    "MoviePrediction",
    "MovieProfile",
    "NotPublishedError",
    "OpenedIndex",
    "OtherVariant",
    "RatingPrediction",
    "Ratings",
    "Reason",
    "Recommendation",
    "ReviewedMovie",
    "ReviewerProfile",
    "SimilarArguments",
    "SimilarMovie",
    "SimilarReviewer",
    "SourceError",
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
