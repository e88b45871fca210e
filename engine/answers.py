"""What a top list holds: values that say everything of a movie that is recommended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.lists.variety import Variety


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
