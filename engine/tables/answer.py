"""Defines the base classes of answers, which convert answers to dictionaries and to HTML tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

from engine.likeness import Likeness


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Is the base class of all answers, such as a recommended movie or a predicted rating."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields of the answer, and of the movie's card if any, as a dictionary for JSON.

        The dictionary has the entry `variants` only if the variants were asked for.
        """
        own: dict[str, Any] = vars(self).copy()
        card = own.pop("card", {})
        if own.get("variants", ()) is None:
            del own["variants"]
        for name, value in own.items():
            # The function `dataclasses.asdict` would take longer, because it copies each number separately.
            if isinstance(value, tuple):
                own[name] = [vars(one).copy() if is_dataclass(one) else one for one in value]
            elif isinstance(value, Likeness):
                own[name] = value.to_dict()
        merged: dict[str, Any] = own | card | own
        return merged

    def _repr_html_(self) -> str:
        """Returns the fields of the answer as an HTML table, for notebooks."""
        from engine.tables.markup import fields_of

        return fields_of(self.to_dict())


class MovieAnswer(Answer):
    """Is the base class of answers about a movie; its properties return fields of the movie's card."""

    card: Mapping[str, Any]

    @property
    def title_source(self) -> str | None:
        """Returns the metadata field from which the title was made; None if the metadata has a title."""
        return self.card.get("title_source")

    @property
    def category(self) -> str | None:
        """Returns the movie's categories as one text, or None if the catalogue has no categories."""
        return self.card.get("category")

    @property
    def main_cat(self) -> str | None:
        """Returns the movie's main category, or None if the catalogue has no main category."""
        return self.card.get("main_cat")

    @property
    def brand(self) -> str | None:
        """Returns the movie's brand, such as a studio, or None if the catalogue has no brand."""
        return self.card.get("brand")

    @property
    def description(self) -> str | None:
        """Returns the first words of the movie's description, or None if the catalogue has no description."""
        return self.card.get("description")

    @property
    def price(self) -> float | None:
        """Returns the movie's price, or None if the catalogue has no price."""
        return self.card.get("price")

    @property
    def year(self) -> int | None:
        """Returns the movie's year, or None if the catalogue has no year."""
        return self.card.get("year")

    @property
    def average_rating(self) -> float | None:
        """Returns the movie's mean rating when the index was built, or None if nobody had rated the movie."""
        return self.card.get("average_rating")

    @property
    def movie_count(self) -> int | None:
        """Returns the movie's number of reviews when the index was built, or None if it is unknown."""
        return self.card.get("movie_count")

    @property
    def link(self) -> str | None:
        """Returns the address of the movie's web page, or None if the catalogue has no address."""
        return self.card.get("link")

    @property
    def links(self) -> list[str] | None:
        """Returns all addresses of the movie's web pages, or None if the catalogue has no address."""
        return self.card.get("links")
