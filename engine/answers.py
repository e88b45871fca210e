"""Holds every value that an answer is made of: movies of lists, similar movies, reviewers, predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The base of the answers, which gives them their form in JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields, and the fields of the movie's card behind them, as JSON shows them."""
        own = asdict(self)
        card = own.pop("card", {})
        return own | {name: value for name, value in card.items() if name not in own}


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A review of the history that speaks for a recommendation.

    Attributes:
        movie_id: the id of the movie reviewed.
        title: the movie's title, or None where the catalogue has none.
        rating: what the reviewer gave the movie; None where the data has no ratings.
        contribution: the recommendation's score less what the score would be without this review.
    """

    movie_id: str
    title: str | None
    rating: float | None
    contribution: float


@dataclass(frozen=True, kw_only=True)
class OtherVariant:
    """Another movie that is the same film.

    Attributes:
        movie_id: the movie's id.
        title: the movie's title, or None where the catalogue has none.
        format: the disc or tape that carries the film, such as "Blu-ray"; None where neither the title nor
            the category says.
    """

    movie_id: str
    title: str | None
    format: str | None


@dataclass(frozen=True, kw_only=True)
class Recommendation(Answer):
    """One movie of a top list.

    Attributes:
        rank: the movie's place in the list, counted from 1.
        movie_id: the movie's id.
        title: the movie's title, or None where the catalogue has none.
        score: orders the list, unless novelty leans it; higher is better.
        relevance: how likely the reviewer is to come to the movie: a log chance but for a constant.
        predicted_rating: expected rating, in stars; None where the data has no ratings.
        median_rating: middle rating, one of the levels; None where the data has no ratings.
        like_probability: chance of a like, 0 to 1; None where the data has no ratings.
        rating_probabilities: chance of each level, by the level as text; None where the data has no ratings.
        card: what the catalogue knows of the movie: category, price, link, average_rating and so on.
        because: the reviews that add most to the score, strongest first, three at most; None where reasons
            were not asked for.
        variants: the other movies that are the same film, most reviewed first; None where variants were not
            asked for.
        cold: whether the movie has no reviews to learn from, and is known by its metadata alone.
    """

    rank: int
    movie_id: str
    title: str | None
    score: float
    relevance: float
    predicted_rating: float | None = None
    median_rating: float | None = None
    like_probability: float | None = None
    rating_probabilities: Mapping[str, float] | None = None
    card: Mapping[str, Any]
    because: tuple[Reason, ...] | None = None
    variants: tuple[OtherVariant, ...] | None = None
    cold: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields and the card's as JSON shows them, `variants` only where it was asked for."""
        fields = super().to_dict()
        if self.variants is None:
            del fields["variants"]
        return fields


class TopList(list[Recommendation]):
    """A top list, best first; it compares and behaves as a plain list does.

    Attributes:
        variety: what diversity and novelty did to the list; None where neither was asked for.
        fallback: "popular" where the list was made for an unknown reviewer; otherwise None.
        why_empty: which condition left no movie, in one sentence; None where the list holds movies.
    """

    variety: Variety | None = None
    fallback: str | None = None
    why_empty: str | None = None


@dataclass(frozen=True, kw_only=True)
class SimilarMovie(Answer):
    """One movie that is like another.

    Attributes:
        rank: the movie's place, counted from 1.
        movie_id: the movie's id.
        title: the movie's title, or None where the catalogue has none.
        similarity: at most 1; higher is more alike.
        card: what the catalogue knows of the movie.
        cold: whether the movie has no reviews to learn from, and is known by its metadata alone.
    """

    rank: int
    movie_id: str
    title: str | None
    similarity: float
    card: Mapping[str, Any]
    cold: bool = False


@dataclass(frozen=True, kw_only=True)
class TitleMatch:
    """A movie that a piece of a title may mean.

    Attributes:
        movie_id: the movie's id.
        title: the movie's whole title.
        match: how the title matches: "exact", "prefix", "word", "substring" or "fuzzy".
        year: the movie's year, or None where the catalogue has none.
        movie_count: the movie's reviews.
    """

    movie_id: str
    title: str
    match: str
    year: int | None
    movie_count: int | None


@dataclass(frozen=True, kw_only=True)
class Variety:
    """Says what variety did to a list.

    Attributes:
        diversity: the setting, 0 to 1.
        novelty: the setting, 0 to 1.
        score_loss: how much lower the mean score is than in the list without variety; at least 0.
        list_diversity: the mean over all pairs of movies of 1 less the cosine of their vectors, 0 to 2; 0 for
            lists of fewer than two movies.
        plain_diversity: the same mean for the list without variety.
    """

    diversity: float
    novelty: float
    score_loss: float
    list_diversity: float
    plain_diversity: float


@dataclass(frozen=True, kw_only=True)
class MemberPrediction:
    """Says what one member of a group would make of a movie.

    Attributes:
        reviewer_id: the member's id.
        predicted_rating: expected rating, in stars; None where the data has no ratings.
        like_probability: chance of a like, 0 to 1; None where the data has no ratings.
    """

    reviewer_id: str
    predicted_rating: float | None = None
    like_probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class GroupRecommendation(Recommendation):
    """One movie of a group's top list.

    The fields about ratings are the members' mean with the strategy "average", and those of the member who
    would give the movie least with "least-misery".

    Attributes:
        members: what each member would make of the movie, in the order in which the members were given.
    """

    members: tuple[MemberPrediction, ...]


@dataclass(frozen=True, kw_only=True)
class LikelyReviewer(Answer):
    """One of the reviewers to tell about a movie.

    Attributes:
        rank: the reviewer's place, counted from 1.
        reviewer_id: the reviewer's id.
        score: orders the answer: the movie's score in this reviewer's own list.
        relevance: how likely the reviewer is to come to the movie: a log chance but for a constant.
        predicted_rating: expected rating, in stars; None where the data has no ratings.
        median_rating: middle rating, one of the levels; None where the data has no ratings.
        like_probability: chance of a like, 0 to 1; None where the data has no ratings.
        rating_probabilities: chance of each level, by the level as text; None where the data has no ratings.
        because: the reviewer's reviews that add most to the score; None where reasons were not asked for.
    """

    rank: int
    reviewer_id: str
    score: float
    relevance: float
    predicted_rating: float | None = None
    median_rating: float | None = None
    like_probability: float | None = None
    rating_probabilities: Mapping[str, float] | None = None
    because: tuple[Reason, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class SimilarReviewer(Answer):
    """One reviewer whose taste is near another's.

    Attributes:
        rank: the reviewer's place, counted from 1.
        reviewer_id: the reviewer's id.
        similarity: at most 1; higher is more alike.
        num_shared: how many movies both have reviewed.
        num_reviews: how many movies this reviewer has reviewed.
    """

    rank: int
    reviewer_id: str
    similarity: float
    num_shared: int
    num_reviews: int


@dataclass(frozen=True, kw_only=True)
class MoviePrediction(Answer):
    """Predicts what a reviewer would give one movie.

    Attributes:
        movie_id: the movie's id.
        title: the movie's title, or None where the catalogue has none.
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
        """Returns all fields as JSON shows them, the interval as "low" and "high"."""
        return super().to_dict() | {"interval": dict(zip(("low", "high"), self.interval, strict=True))}
