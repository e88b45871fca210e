"""Defines the feedback that requests may send, the allowed range of every value, and the answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

MOST_REVIEWS = 1_000
"""The largest number of reviews in one request."""
LATEST_TIME = 253_402_300_799
"""The latest time of a review: the last second of the year 9999, in unix seconds."""
_NO_IDS = {"", "nan", "NaN", "NAN", "null", "NULL", "None", "<NA>", "N/A", "#N/A", "\\N", "NaT"}
"""The words for a missing value, which review files may hold in place of an id."""


def _id_of(text: str) -> str:
    """Strips whitespace from an id, and refuses words that mean a missing value."""
    text = text.strip(" \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\ufeff\xa0")
    if text in _NO_IDS:
        raise PydanticCustomError("no_id", "must be an id, not a word for a missing value")
    return text


GivenId = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_id_of)]
EventId = Annotated[str, Field(min_length=1, max_length=200)]


class NewReview(BaseModel):
    """Says what a reviewer did with a movie."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"reviewer_id": "A3ROS56ZKFSSN", "movie_id": "B000000016", "rating": 5},
                {"reviewer_id": "A3ROS56ZKFSSN", "movie_id": "B000000017", "kind": "click"},
            ]
        },
    )

    reviewer_id: GivenId
    movie_id: GivenId
    kind: Annotated[
        Literal["rating", "click", "purchase", "dislike", "hidden", "shown"],
        Field(
            description="A rating, a click, a purchase or a dislike; hidden keeps the movie out of the lists "
            "of this reviewer, and shown takes that back."
        ),
    ] = "rating"
    rating: Annotated[
        float | None,
        Field(allow_inf_nan=False, description="The stars of a rating; absent for every other kind."),
    ] = None
    time: Annotated[
        int | None, Field(ge=1, le=LATEST_TIME, description="The unix seconds; by default now.")
    ] = None
    id: Annotated[
        EventId | None,
        Field(description="An id of the shop's; feedback with a known id is not counted again."),
    ] = None
    recommendation_id: Annotated[
        EventId | None,
        Field(description="The header Recommendation-Id of the list from which the reviewer came."),
    ] = None


class NewReviews(BaseModel):
    """Holds several reviews; if one of the reviews is refused, none of the reviews is written."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "reviews": [
                        {"reviewer_id": "A3ROS56ZKFSSN", "movie_id": "B000000016", "kind": "purchase"},
                        {"reviewer_id": "A3ROS56ZKFSSN", "movie_id": "B000000017", "kind": "hidden"},
                    ]
                }
            ]
        },
    )

    reviews: Annotated[list[NewReview], Field(min_length=1, max_length=MOST_REVIEWS)]


def _kind_of(value: Any) -> str:
    is_batch = isinstance(value, NewReviews) or (isinstance(value, dict) and "reviews" in value)
    return "batch" if is_batch else "review"


OneOrSeveral = Annotated[
    Annotated[NewReview, Tag("review")] | Annotated[NewReviews, Tag("batch")], Discriminator(_kind_of)
]
"""The body of a request that sends feedback: one review, or several reviews."""


class TakenAnswer(BaseModel):
    """Says that feedback was written to the journal of the index, and is on disk."""

    accepted: int
    """The number of reviews in the request that were new, and were written."""
    repeated: int
    """The number of reviews in the request that were not written, because reviews with the same ids were
    written before."""
    ids: list[str]
    """The id of each review, in the order of the request."""
    unknown_movies: list[str]
    """The ids of the movies that the index does not hold yet; a later build that holds the movies uses their
    reviews."""


class HiddenAnswer(BaseModel):
    """Says whether a movie is hidden from all lists."""

    movie_id: str
    hidden: bool


class HiddenMoviesAnswer(BaseModel):
    """Names the movies that are hidden from all lists."""

    movies: list[str]
