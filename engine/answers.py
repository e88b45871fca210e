"""Defines the classes of all answers: recommended movies, similar movies, reviewers and predicted ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.likeness import Likeness
from engine.tables.answer import Answer as Answer
from engine.tables.answer import MovieAnswer
from engine.tables.lists import AnswerList


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Holds a review from a reviewer's history, as a reason why a movie was recommended to the reviewer.

    Attributes:
        movie_id: the id of the reviewed movie.
        title: the title of the reviewed movie, or None if the catalogue has no title.
        rating: the reviewer's rating of the reviewed movie, in stars; None if the data has no ratings.
        contribution: the score of the recommended movie minus the score that the movie would have without
            this review.
    """

    movie_id: str
    title: str | None
    rating: float | None
    contribution: float


@dataclass(frozen=True, kw_only=True)
class OtherVariant:
    """Holds a movie that is another variant of a listed movie, such as the DVD if the list names the Blu-ray.

    Attributes:
        movie_id: the id of the other variant.
        title: the title of the other variant, or None if the catalogue has no title.
        format: the disc or tape that carries the variant, such as "Blu-ray"; None if the title and the
            category name no format.
    """

    movie_id: str
    title: str | None
    format: str | None


@dataclass(frozen=True, kw_only=True)
class Recommendation(MovieAnswer):
    """Holds one movie of a reviewer's top list.

    Attributes:
        rank: the movie's rank in the list, counted from 1.
        movie_id: the movie's id.
        title: the movie's title, or None if the catalogue has no title.
        score: the relevance plus a weight times the logarithm of the chance that the reviewer likes the
            movie; the list is in descending order of this score, unless the options ask for novelty.
        relevance: the logarithm of the chance that the reviewer reviews the movie, up to an additive
            constant.
        predicted_rating: the mean of the predicted distribution of the rating, in stars; None if the data has
            no ratings.
        median_rating: the median of the predicted distribution of the rating, one of the rating levels; None
            if the data has no ratings.
        like_probability: the chance that the reviewer likes the movie, 0 to 1; None if the data has no
            ratings.
        rating_probabilities: the chance of each rating level; the keys are the levels as text; None if the
            data has no ratings.
        card: the catalogue's entries for the movie, such as category, price, link and average_rating. If the
            metadata has no title, the entry title_source of the card names the metadata field from which the
            title was made: "description", "brand" or "category".
        because: the reviewer's reviews that add most to the score, at most three, largest contribution first;
            None if the options did not ask for reasons.
        variants: the other movies that are variants of the same film, most reviewed first; None if the
            options did not ask for variants.
        cold: whether the movie had no reviews in training, so that only its metadata is known.
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


class TopList(AnswerList[Recommendation]):
    """Holds recommended movies, best movie first; a TopList works like a Python list, also in comparisons.

    A notebook shows a TopList as a table, and `to_frame` returns the list as a pandas DataFrame.

    Attributes:
        variety: how the options diversity and novelty changed the list; None if both options are 0.
        fallback: "popular" if the index does not hold the reviewer, so that the list holds popular movies;
            else None.
        why_empty: one sentence that explains why the list holds no movie; None if the list holds movies.
    """

    _usual_kind: ClassVar[type[Any] | None] = Recommendation

    variety: Variety | None = None
    fallback: str | None = None
    why_empty: str | None = None


@dataclass(frozen=True, kw_only=True)
class SimilarMovie(MovieAnswer):
    """Holds one movie that is similar to a given movie.

    Attributes:
        rank: the movie's rank among the similar movies, counted from 1.
        movie_id: the movie's id.
        title: the movie's title, or None if the catalogue has no title.
        similarity: the similarity to the given movie, at most 1; higher is more similar.
        card: the catalogue's entries for the movie, such as category and price.
        because: the reasons why the movie is similar to the given movie; None if the options did not ask for
            reasons.
        variants: the other movies that are variants of the same film, most reviewed first; None if the
            options did not ask for variants.
        cold: whether the movie had no reviews in training, so that only its metadata is known.
    """

    rank: int
    movie_id: str
    title: str | None
    similarity: float
    card: Mapping[str, Any]
    because: Likeness | None = None
    variants: tuple[OtherVariant, ...] | None = None
    cold: bool = False


@dataclass(frozen=True, kw_only=True)
class TitleMatch(Answer):
    """Holds a movie whose title matches a searched piece of a title.

    Attributes:
        movie_id: the movie's id.
        title: the movie's whole title.
        match: the way in which the title matches the searched piece of a title: "exact", "prefix", "word",
            "substring" or "fuzzy".
        year: the movie's year, or None if the catalogue has no year.
        movie_count: the number of the movie's reviews, or None if the catalogue does not hold the number.
    """

    movie_id: str
    title: str
    match: str
    year: int | None
    movie_count: int | None


@dataclass(frozen=True, kw_only=True)
class Variety:
    """Describes how the options diversity and novelty changed a top list.

    Attributes:
        diversity: the value of the option diversity, 0 to 1: how strongly movies that differ from each other
            are preferred to movies of higher score.
        novelty: the value of the option novelty, 0 to 1: how strongly a movie's number of reviews lowers the
            movie's score.
        score_loss: the mean score of the list that would be made without diversity and novelty, minus the
            mean score of this list; at least 0.
        list_diversity: the mean of `1 - cosine` over all pairs of vectors of listed movies, 0 to 2; 0 for
            lists of fewer than two movies.
        plain_diversity: the `list_diversity` of the list that would be made without diversity and novelty.
    """

    diversity: float
    novelty: float
    score_loss: float
    list_diversity: float
    plain_diversity: float


@dataclass(frozen=True, kw_only=True)
class MemberPrediction:
    """Holds the predicted rating, and the predicted chance of a like, of one movie by one member of a group.

    Attributes:
        reviewer_id: the member's id.
        predicted_rating: the mean of the predicted distribution of the member's rating, in stars; None if the
            data has no ratings.
        like_probability: the chance that the member likes the movie, 0 to 1; None if the data has no ratings.
    """

    reviewer_id: str
    predicted_rating: float | None = None
    like_probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class GroupRecommendation(Recommendation):
    """Holds one movie of a group's top list.

    With the strategy "average", the members' chances of each rating level are averaged, and the predicted
    ratings of the movie are computed from the averages. With the strategy "least-misery", the predicted
    ratings are copied from one member: the member whose predicted rating of the movie is lowest.

    Attributes:
        members: the prediction of each member's rating of the movie, in the order in which the members were
            given.
    """

    members: tuple[MemberPrediction, ...]


@dataclass(frozen=True, kw_only=True)
class LikelyReviewer(Answer):
    """Holds one reviewer who is likely to review and like a given movie.

    Attributes:
        rank: the reviewer's rank among the likely reviewers, counted from 1.
        reviewer_id: the reviewer's id.
        score: the score of the movie in the reviewer's own top list; the likely reviewers are in descending
            order of this score.
        relevance: the logarithm of the chance that the reviewer reviews the movie, up to an additive
            constant.
        predicted_rating: the mean of the predicted distribution of the rating, in stars; None if the data has
            no ratings.
        median_rating: the median of the predicted distribution of the rating, one of the rating levels; None
            if the data has no ratings.
        like_probability: the chance that the reviewer likes the movie, 0 to 1; None if the data has no
            ratings.
        rating_probabilities: the chance of each rating level; the keys are the levels as text; None if the
            data has no ratings.
        because: the reviewer's reviews that add most to the score; None if the options did not ask for
            reasons.
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
    """Holds one reviewer who is similar to a given reviewer.

    Attributes:
        rank: the reviewer's rank among the similar reviewers, counted from 1.
        reviewer_id: the reviewer's id.
        similarity: the similarity to the given reviewer, at most 1; higher is more similar.
        num_shared: the number of movies that this reviewer and the given reviewer have both reviewed.
        num_reviews: the number of movies that this reviewer has reviewed.
    """

    rank: int
    reviewer_id: str
    similarity: float
    num_shared: int
    num_reviews: int


@dataclass(frozen=True, kw_only=True)
class MoviePrediction(Answer):
    """Holds the predicted distribution of a reviewer's rating of one movie.

    Attributes:
        movie_id: the movie's id.
        title: the movie's title, or None if the catalogue has no title.
        predicted_rating: the mean of the predicted distribution, in stars; the mean has the least expected
            squared error.
        median_rating: the median of the predicted distribution, one of the rating levels; the median has the
            least expected absolute error.
        like_probability: the chance that the reviewer likes the movie, 0 to 1.
        interval: the lowest and the highest rating level of the central 80 per cent of the predicted
            distribution; the rating is below the interval with a chance of at most 10 per cent, and above the
            interval with a chance of at most 10 per cent.
        rating_probabilities: the chance of each rating level; the keys are the levels as text.
    """

    movie_id: str
    title: str | None
    predicted_rating: float
    median_rating: float
    like_probability: float
    interval: tuple[float, float]
    rating_probabilities: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Returns the prediction as a dictionary for JSON; `interval` becomes {"low": ..., "high": ...}."""
        return super().to_dict() | {"interval": dict(zip(("low", "high"), self.interval, strict=True))}


@dataclass(frozen=True, kw_only=True)
class ReviewedMovie(MovieAnswer):
    """Holds one review in a reviewer's history.

    Attributes:
        movie_id: the id of the reviewed movie.
        title: the title of the reviewed movie, or None if the catalogue has no title.
        rating: the reviewer's rating, in stars; None if the data has no ratings.
        day: the day of the review in UTC, such as "2018-05-31"; None if the data has no times.
        card: the catalogue's entries for the movie, such as category and price.
    """

    movie_id: str
    title: str | None
    rating: float | None
    day: str | None
    card: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ReviewerProfile(Answer):
    """Describes a reviewer by the reviews that the index holds.

    Attributes:
        reviewer_id: the reviewer's id.
        num_reviews: the number of movies that the reviewer has reviewed.
        mean_rating: the mean of the reviewer's ratings, in stars; None if the data has no ratings.
        rating_counts: the number of the reviewer's reviews of each rating level; the keys are the levels as
            text; None if the data has no ratings.
        reviews_by_year: the number of the reviewer's reviews in each year; empty if the data has no times.
        history: the reviewer's latest reviews, the latest first.
        similar: the reviewers who are most similar to the reviewer, most similar first.
    """

    reviewer_id: str
    num_reviews: int
    mean_rating: float | None
    rating_counts: Mapping[str, int] | None
    reviews_by_year: Mapping[str, int]
    history: tuple[ReviewedMovie, ...]
    similar: tuple[SimilarReviewer, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the profile as a dictionary for JSON; each review includes the movie's card."""
        return super().to_dict() | {"history": [review.to_dict() for review in self.history]}


@dataclass(frozen=True, kw_only=True)
class MovieProfile(MovieAnswer):
    """Describes a movie by the catalogue and by the reviews that the index holds.

    Attributes:
        movie_id: the movie's id.
        title: the movie's title, or None if the catalogue has no title.
        num_reviews: the number of the movie's reviews in the index.
        mean_rating: the mean of the movie's ratings, in stars; None if nobody has rated the movie.
        rating_counts: the number of the movie's reviews of each rating level; the keys are the levels as
            text; None if the data has no ratings.
        reviews_by_year: the number of the movie's reviews in each year; empty if the data has no times.
        variants: the other movies that are variants of the same film, most reviewed first.
        cold: whether the movie had no reviews in training, so that only its metadata is known.
        card: the catalogue's entries for the movie, such as category, price and link.
        similar: the movies that are most similar to the movie, most similar first.
    """

    movie_id: str
    title: str | None
    num_reviews: int
    mean_rating: float | None
    rating_counts: Mapping[str, int] | None
    reviews_by_year: Mapping[str, int]
    variants: tuple[OtherVariant, ...]
    cold: bool
    card: Mapping[str, Any]
    similar: tuple[SimilarMovie, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the profile as a dictionary for JSON; each similar movie includes that movie's card."""
        return super().to_dict() | {"similar": [movie.to_dict() for movie in self.similar]}


@dataclass(frozen=True, kw_only=True)
class MappedMovie(Answer):
    """Holds one movie's position on a map, where movies with similar vectors are near each other.

    Attributes:
        movie_id: the movie's id.
        title: the movie's title, or None if the catalogue has no title.
        category: the movie's main category; "other" if few movies on the map have this category.
        x: the position of the movie from left to right, -1 to 1.
        y: the position of the movie from bottom to top, -1 to 1.
        num_reviews: the number of the movie's reviews.
    """

    movie_id: str
    title: str | None
    category: str
    x: float
    y: float
    num_reviews: int
