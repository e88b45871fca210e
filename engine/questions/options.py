"""Holds the options of a top list: what it may hold and how it is put together, checked when given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from engine.errors import ConfigError

MovieIds = Iterable[str] | Path
"""Movies by their ids, or a file that holds one id a line."""
FALLBACKS = ("error", "popular")
"""What may be done about an unknown reviewer: raise an UnknownIdError, or list what is popular."""


class ListArguments(TypedDict, total=False):
    """Names the keyword arguments of everything that makes a list; `ListOptions` says what each means."""

    where: str | None
    include_seen: bool
    only: MovieIds | None
    exclude: MovieIds | None
    min_rating: float | None
    all_variants: bool
    format_preference: str | None
    show_variants: bool
    diversity: float
    novelty: float
    because: bool
    no_cold: bool


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """Says what a list may hold, and how it is put together.

    Attributes:
        where: an SQL condition over the catalogue's columns, such as "price < 10 and year >= 1990".
        include_seen: list also what the reviewer has reviewed, and variants of it.
        only: list none but these movies. Ids, or the path of a file with one id a line; ids that the index
            does not hold are skipped with a warning.
        exclude: list none of these movies, given in the same way as `only`.
        min_rating: list only movies whose predicted rating, the mean, is at least this.
        all_variants: treat every movie as a film of its own: list the DVD of a film beside its Blu-ray, and
            a variant of what was reviewed.
        format_preference: of the variants of a film list one of this format, such as "blu-ray"; of several,
            or where no variant has the format, the one with most reviews.
        show_variants: say of each movie which other movies are the same film.
        diversity: 0 to 1, how much it counts that the movies of a list are unlike each other; at 1 nothing
            else counts among the best candidates.
        novelty: 0 to 1, how far the list leans away from bestsellers; at 1 a movie loses as much for its many
            reviews as it wins for its score among the best candidates.
        because: say of each movie which reviews speak for it.
        no_cold: leave out movies without reviews, which are known by their metadata alone.

    Raises:
        ConfigError: an option is out of range.
    """

    where: str | None = None
    include_seen: bool = False
    only: MovieIds | None = None
    exclude: MovieIds | None = None
    min_rating: float | None = None
    all_variants: bool = False
    format_preference: str | None = None
    show_variants: bool = False
    diversity: float = 0.0
    novelty: float = 0.0
    because: bool = True
    no_cold: bool = False

    @property
    def is_varied(self) -> bool:
        """Tells whether the list is chosen for variety too, not by the scores alone."""
        return self.diversity > 0 or self.novelty > 0

    @property
    def has_conditions(self) -> bool:
        """Tells whether an option leaves movies out, whoever the list is for."""
        given = self.where, self.only, self.exclude, self.min_rating
        return self.no_cold or any(value is not None for value in given)

    def __post_init__(self) -> None:
        for name, meaning in (
            ("diversity", "how much it counts that the movies of a list are unlike each other"),
            ("novelty", "how far a list leans away from bestsellers"),
        ):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                raise ConfigError(f"{name} must be between 0 and 1 but is {value!r}; it says {meaning}")
        if self.min_rating is not None and not _is_number(self.min_rating):
            raise ConfigError(f"min_rating must be a number of stars but is {self.min_rating!r}")
        if self.format_preference is not None and not any(map(str.isalnum, self.format_preference)):
            raise ConfigError("format_preference is empty; expected a format such as 'blu-ray'")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def check_fallback(fallback: str) -> None:
    """Raises ConfigError for a fallback that is not one of `FALLBACKS`."""
    if fallback not in FALLBACKS:
        raise ConfigError(f"fallback must be one of {', '.join(FALLBACKS)} but is {fallback!r}")


def check_k(k: int, name: str = "k") -> None:
    """Raises ConfigError for a length of a list that is less than 1; the error calls the length `name`."""
    if k < 1:
        raise ConfigError(f"{name} must be at least 1 but is {k}; it says how many results are wanted")


def read_k(text: str) -> int:
    """Reads the option -k; raises ConfigError for a number less than 1, ValueError for no whole number."""
    try:
        k = int(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a whole number.") from error
    check_k(k, "-k")
    return k
