"""What the questions about reviewers and pairs are answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.answers import Reason


@dataclass(frozen=True, kw_only=True)
class LikelyReviewer:
    """One of the reviewers to tell about a movie.

    Attributes:
        rank: their place, counted from 1.
        reviewer_id: the outside id.
        score: what the list is ordered by: the movie's score in this reviewer's own list.
        relevance: how likely they are to come to the movie; a log chance but for a constant.
        predicted_rating: expected rating, in stars; None, like the next three, where the data has no ratings.
        median_rating: middle rating, one of the levels.
        like_probability: chance of a like, 0 to 1.
        rating_probabilities: chance of each level, by the level as text.
        because: the movies of their history that add most to the score; None where nobody asked.
    """

    rank: int
    reviewer_id: str
    score: float
    relevance: float
    predicted_rating: float | None
    median_rating: float | None
    like_probability: float | None
    rating_probabilities: Mapping[str, float] | None
    because: tuple[Reason, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON shows them."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SimilarReviewer:
    """One reviewer whose taste is near another's.

    Attributes:
        rank: their place, counted from 1.
        reviewer_id: the outside id.
        similarity: higher is more alike; 1 at most.
        num_shared: movies that both have reviewed.
        num_reviews: movies that this one has reviewed.
    """

    rank: int
    reviewer_id: str
    similarity: float
    num_shared: int
    num_reviews: int

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON shows them."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class MoviePrediction:
    """What a reviewer would give one movie.

    Attributes:
        movie_id: the outside id.
        title: as the catalogue has it, or None.
        predicted_rating: expected rating, in stars, which has the least squared error.
        median_rating: middle rating, one of the levels, which has the least absolute error.
        like_probability: chance of a like, 0 to 1.
        interval: lowest and highest level of the central interval: four ratings in five fall on or between
            them, and one in ten at most on either side.
        rating_probabilities: chance of each level, by the level as text.
    """

    movie_id: str
    title: str | None
    predicted_rating: float
    median_rating: float
    like_probability: float
    interval: tuple[float, float]
    rating_probabilities: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON shows them."""
        return asdict(self) | {"interval": dict(zip(("low", "high"), self.interval, strict=True))}
