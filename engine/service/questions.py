"""Defines the fields of requests, with the range of each value, and the fields of answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.questions.arguments import ListArguments, SimilarArguments

MOST_K = 1_000
"""The largest number of results for which a request may ask; the command `engine recommend all` has no such
limit."""
MOST_IDS = 10_000
"""The largest number of movie ids in the option `only`, and in the option `exclude`."""
MOST_REVIEWERS = 1_000
"""The largest number of reviewers whose top lists one request may ask for."""
MOST_MEMBERS = 100
"""The largest number of reviewers in a group that gets one common top list."""
LONGEST_ID = 1_000
"""The largest length of an id, in characters."""
LONGEST_TEXT = 10_000
"""The largest length of a `where` condition or of a title, in characters."""

Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Ids = Annotated[list[Id], Field(max_length=MOST_IDS)]


class Question(BaseModel):
    """Is the base class of the models of requests; a request with an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={})

    k: Annotated[int, Field(ge=1, le=MOST_K, description="The number of answers wanted.")] = 10


class Pages(Question):
    """Holds the number of results to skip, for the later pages of a ranked list."""

    offset: Annotated[
        int, Field(ge=0, le=MOST_K, description="The number of answers to skip, for later pages of a list.")
    ] = 0


class ListBase(Question):
    """Holds the options of a top list, which are also options of the command line."""

    where: Annotated[
        str | None,
        Field(max_length=LONGEST_TEXT, description="An SQL condition, such as price < 10 and year >= 1990."),
    ] = None
    only: Annotated[Ids | None, Field(description="List only these movies.")] = None
    exclude: Annotated[Ids | None, Field(description="List none of these movies.")] = None
    include_seen: Annotated[bool, Field(description="List also what the reviewer has reviewed.")] = False
    min_rating: Annotated[
        float | None, Field(allow_inf_nan=False, description="The least predicted rating, in stars.")
    ] = None
    all_variants: Annotated[bool, Field(description="Treat variants of a film as separate films.")] = False
    format_preference: Annotated[
        str | None, Field(max_length=100, description="The variant of a film to list, such as blu-ray.")
    ] = None
    show_variants: Annotated[bool, Field(description="Name the variants of each listed film.")] = False
    diversity: Annotated[float, Field(ge=0, le=1, description="The weight of unlike movies.")] = 0.0
    novelty: Annotated[float, Field(ge=0, le=1, description="The weight of little known movies.")] = 0.0
    because: Annotated[bool, Field(description="Name the reviews that speak for each movie.")] = True
    no_cold: Annotated[bool, Field(description="Leave out movies without reviews.")] = False

    def options(self) -> ListArguments:
        """Returns the options as keyword arguments of the engine's methods that make top lists."""
        return ListArguments(
            where=self.where,
            only=self.only,
            exclude=self.exclude,
            include_seen=self.include_seen,
            min_rating=self.min_rating,
            all_variants=self.all_variants,
            format_preference=self.format_preference,
            show_variants=self.show_variants,
            diversity=self.diversity,
            novelty=self.novelty,
            because=self.because,
            no_cold=self.no_cold,
        )


class ListQuestion(ListBase, Pages):
    """Holds the options of a top list, and the number of movies to skip."""


class WithFallback(Question):
    """Holds the answer for reviewers whom the index does not hold: an error, or popular movies."""

    fallback: Annotated[
        Literal["error", "popular"],
        Field(description="Refuse an unknown reviewer, or list what is popular these days."),
    ] = "error"


class ReviewerList(ListQuestion, WithFallback):
    """Holds the options of a reviewer's top list."""


class ReviewerQuestion(ReviewerList):
    """Asks for the top list of one reviewer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reviewer_id": "A3ROS56ZKFSSN", "k": 5, "where": "year >= 1990"}]}
    )

    reviewer_id: Id


class ReviewersQuestion(ListBase, WithFallback):
    """Asks for the top lists of several reviewers in one request."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reviewer_ids": ["A3ROS56ZKFSSN"], "k": 5, "because": False}]}
    )

    reviewer_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_REVIEWERS)]


class RatingsQuestion(ListQuestion):
    """Asks for the top list of a newcomer, from the newcomer's ratings."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ratings": {"B000000016": 5}, "k": 5}]})

    ratings: Annotated[
        dict[Id, Annotated[float, Field(allow_inf_nan=False)] | None],
        Field(min_length=1, max_length=MOST_IDS, description="Ratings by movie id, the oldest first."),
    ]


class GroupQuestion(ListQuestion):
    """Asks for one common top list for a group of reviewers."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reviewer_ids": ["A3ROS56ZKFSSN"], "strategy": "least-misery"}]}
    )

    reviewer_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_MEMBERS)]
    strategy: Literal["average", "least-misery"] = "average"


class AudienceQuestion(Question):
    """Asks for the reviewers who are most likely to review and like a movie."""

    because: Annotated[bool, Field(description="Name the reviews that speak for each reviewer.")] = True


class SimilarMovieQuestion(Pages):
    """Asks for the movies that are similar to a movie; holds the options of the list of these movies."""

    where: Annotated[str | None, Field(max_length=LONGEST_TEXT, description="An SQL condition.")] = None
    only: Annotated[Ids | None, Field(description="List only these movies.")] = None
    exclude: Annotated[Ids | None, Field(description="List none of these movies.")] = None
    no_cold: Annotated[bool, Field(description="Leave out movies without reviews.")] = False
    all_variants: Annotated[bool, Field(description="Treat variants of a film as separate films.")] = False
    show_variants: Annotated[bool, Field(description="Name the variants of each listed film.")] = False
    diversity: Annotated[float, Field(ge=0, le=1, description="The weight of unlike movies.")] = 0.0
    because: Annotated[bool, Field(description="Say what each movie has in common with the movie.")] = True

    def options(self) -> SimilarArguments:
        """Returns the options as keyword arguments of `Engine.similar`."""
        return SimilarArguments(
            where=self.where,
            only=self.only,
            exclude=self.exclude,
            no_cold=self.no_cold,
            all_variants=self.all_variants,
            show_variants=self.show_variants,
            diversity=self.diversity,
            because=self.because,
        )


class PredictQuestion(BaseModel):
    """Asks for predictions of a reviewer's ratings of given movies."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reviewer_id": "A3ROS56ZKFSSN", "movie_ids": ["B000000016"]}]},
    )

    reviewer_id: Id
    movie_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_K)]


class SearchQuestion(Question):
    """Asks for the movies whose titles match a piece of a title."""

    title: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, examples=["star wars"])]


class Reasoned(BaseModel):
    """Holds a review of the reviewer, as a reason for a recommended movie."""

    movie_id: str
    title: str | None
    rating: float | None
    contribution: float


class Listed(BaseModel):
    """Holds one movie or one reviewer of a list; a movie has additional fields from the catalogue."""

    model_config = ConfigDict(extra="allow")

    rank: int


class ListedMovie(Listed):
    """Holds one movie of a top list."""

    movie_id: str
    title: str | None
    score: float
    relevance: float
    predicted_rating: float | None
    median_rating: float | None
    like_probability: float | None
    rating_probabilities: dict[str, float] | None
    because: list[Reasoned] | None
    cold: bool


class ListAnswer(BaseModel):
    """Holds a top list, and the reviewer, the ratings or the group for which the list was made."""

    model_config = ConfigDict(extra="allow")

    k: int
    recommendations: list[ListedMovie]


class NamedListAnswer(ListAnswer):
    """Holds a top list, the id of the list, and the arm of the A/B test whose index made the list."""

    recommendation_id: str
    experiment_arm: str | None = None


class ListsAnswer(BaseModel):
    """Holds the top lists of several reviewers, in the order of the request."""

    lists: list[NamedListAnswer]


class SimilarMoviesAnswer(BaseModel):
    """Holds the movies that are similar to a movie."""

    movie_id: str
    title: str | None
    similar: list[Listed]


class SimilarReviewersAnswer(BaseModel):
    """Holds the reviewers who are similar to a reviewer."""

    reviewer_id: str
    k: int
    similar: list[Listed]


class AudienceAnswer(BaseModel):
    """Holds the reviewers who are most likely to review and like a movie."""

    movie_id: str
    title: str | None
    k: int
    reviewers: list[Listed]


class PredictionsAnswer(BaseModel):
    """Holds a reviewer's predicted ratings of the movies in the request."""

    reviewer_id: str
    predictions: list[dict[str, Any]]


class MovieAnswer(BaseModel):
    """Describes a movie by its reviews and by its entries in the catalogue."""

    model_config = ConfigDict(extra="allow")

    movie_id: str
    title: str | None
    num_reviews: int
    mean_rating: float | None
    rating_counts: dict[str, int] | None
    reviews_by_year: dict[str, int]
    cold: bool
    similar: list[dict[str, Any]]


class ReviewerAnswer(BaseModel):
    """Describes a reviewer by the reviews that the index holds."""

    reviewer_id: str
    num_reviews: int
    mean_rating: float | None
    rating_counts: dict[str, int] | None
    reviews_by_year: dict[str, int]
    history: list[dict[str, Any]]
    similar: list[dict[str, Any]]


class MatchesAnswer(BaseModel):
    """Holds the movies whose titles match a piece of a title."""

    title: str
    matches: list[dict[str, Any]]


class ProblemAnswer(BaseModel):
    """Holds the reason why a request was refused, as problem details (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
