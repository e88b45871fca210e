"""What a top list holds: values that say everything of a movie that is recommended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A movie of the history that a recommendation leans on.

    Attributes:
        movie_id: the outside id.
        title: as the catalogue has it, or None.
        rating: what the reviewer gave it; None where the data has no ratings.
        contribution: the recommendation's score less what it would be without this review.
    """

    movie_id: str
    title: str | None
    rating: float | None
    contribution: float


@dataclass(frozen=True, kw_only=True)
class OtherVariant:
    """Another movie that is the same film.

    Attributes:
        movie_id: the outside id.
        title: as the catalogue has it, or None.
        format: what it is sold on, as far as the title or the category says.
    """

    movie_id: str
    title: str | None
    format: str | None


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """One movie of a reviewer's top list.

    Attributes:
        rank: its place, counted from 1.
        movie_id: the outside id.
        title: as the catalogue has it, or None.
        score: higher is better; what the list is ordered by, unless novelty leans it.
        relevance: how likely the reviewer is to come to the movie; a log chance but for a constant.
        predicted_rating: expected rating, in stars; None, like the next three, where the data has no ratings.
        median_rating: middle rating, one of the levels.
        like_probability: chance of a like, 0 to 1.
        rating_probabilities: chance of each level, by the level as text.
        card: what the catalogue says of the movie: category, price, link, average_rating and so on.
        because: the movies of the history that add most to the score, the strongest first, three at most;
            None where nobody asked.
        variants: the other movies that are the same film, those with most reviews first; None where nobody
            asked.
        cold: whether the movie has no reviews to learn from and is known by its metadata alone.
    """

    rank: int
    movie_id: str
    title: str | None
    score: float
    relevance: float
    predicted_rating: float | None
    median_rating: float | None
    like_probability: float | None
    rating_probabilities: Mapping[str, float] | None
    card: Mapping[str, Any]
    because: tuple[Reason, ...] | None = None
    variants: tuple[OtherVariant, ...] | None = None
    cold: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All fields and the card's, flat, as JSON shows them."""
        reasons = None if self.because is None else [asdict(reason) for reason in self.because]
        fields = flat(self, self.card) | {"because": reasons}
        if self.variants is None:
            del fields["variants"]
            return fields
        return fields | {"variants": [asdict(variant) for variant in self.variants]}


class TopList(list[Recommendation]):
    """A reviewer's top list, best first; it compares and behaves as a plain list does.

    Attributes:
        variety: what diversity and novelty did to it; None where neither was asked for.
        fallback: "popular" where it was made for someone whom the index does not know; otherwise None.
        why_empty: which condition left no movie, in one sentence; None where the list holds some.
    """

    def __init__(
        self,
        items: Iterable[Recommendation] = (),
        *,
        variety: Variety | None = None,
        why_empty: str | None = None,
    ) -> None:
        super().__init__(items)
        self.variety = variety
        self.fallback: str | None = None
        self.why_empty = why_empty


def flat(answer: Any, card: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an answer about a movie, and those of the movie's card that it does not have itself."""
    own = {name: value for name, value in vars(answer).items() if name != "card"}
    return own | {name: value for name, value in card.items() if name not in own}


@dataclass(frozen=True, kw_only=True)
class SimilarMovie:
    """One movie that is like another.

    Attributes:
        rank: its place, counted from 1.
        movie_id: the outside id.
        title: as the catalogue has it, or None.
        similarity: higher is more alike; 1 at most.
        card: what the catalogue says of the movie.
        cold: whether the movie has no reviews to learn from and is known by its metadata alone.
    """

    rank: int
    movie_id: str
    title: str | None
    similarity: float
    card: Mapping[str, Any]
    cold: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All fields and the card's, flat, as JSON shows them."""
        return flat(self, self.card)


@dataclass(frozen=True, kw_only=True)
class TitleMatch:
    """A movie that a piece of a title may mean.

    Attributes:
        movie_id: the outside id.
        title: as the catalogue has it.
        match: how it matches, one of `KINDS`.
        year: as the catalogue has it, or None.
        movie_count: its reviews.
    """

    movie_id: str
    title: str
    match: str
    year: int | None
    movie_count: int | None


@dataclass(frozen=True, kw_only=True)
class Variety:
    """What variety did to a list.

    Attributes:
        diversity: the setting, 0 to 1.
        novelty: the setting, 0 to 1.
        score_loss: how much lower the mean score is than that of the list without variety; at least 0.
        list_diversity: the mean over all pairs of movies of 1 less the cosine of their vectors, 0 to 2; 0 for
            lists of fewer than two movies.
        plain_diversity: the same of the list without variety.
    """

    diversity: float
    novelty: float
    score_loss: float
    list_diversity: float
    plain_diversity: float


@dataclass(frozen=True, kw_only=True)
class MemberPrediction:
    """What one member of a group would make of a movie.

    Attributes:
        reviewer_id: the member.
        predicted_rating: expected rating, in stars; None, like the next, where the data has no ratings.
        like_probability: chance of a like, 0 to 1.
    """

    reviewer_id: str
    predicted_rating: float | None = None
    like_probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class GroupRecommendation(Recommendation):
    """One movie of a group's top list.

    The fields about ratings are the members' mean with the strategy `average`, and those of the member who
    would give it least with `least-misery`.

    Attributes:
        members: what each of them would make of it, in the order in which they were given.
    """

    members: tuple[MemberPrediction, ...]

    def to_dict(self) -> dict[str, Any]:
        """All fields and the card's, flat, as JSON shows them."""
        return super().to_dict() | {"members": [asdict(member) for member in self.members]}


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
