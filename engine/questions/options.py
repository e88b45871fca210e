"""What a top list may hold and how it is put together, checked as soon as it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from engine.errors import ConfigError

MovieIds = Iterable[str] | Path
"""Movies by their ids, or a file that holds one id a line."""


class ListArguments(TypedDict, total=False):
    """The keyword arguments of everything that makes a list; `ListOptions` says what each means."""

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
    """What a list may hold, and how it is put together.

    Attributes:
        where: an SQL condition over the catalogue's columns, such as "price < 10 and year >= 1990".
        include_seen: list movies too that the reviewer has reviewed, or a variant of them.
        only: list none but these movies. Ids, or the path of a file with one id a line; ids that the index
            does not hold are skipped with a warning.
        exclude: list none of these movies; likewise.
        min_rating: list only movies whose predicted rating, the mean, is at least this.
        all_variants: take every movie for itself: list the DVD of a film beside its Blu-ray, and a variant
            of what was reviewed.
        format_preference: of the variants of a film list one of this format, such as "blu-ray", where there
            is one; otherwise, and among several, the one with most reviews.
        show_variants: say of each movie which others are the same film.
        diversity: 0 to 1, how much it counts that the movies of a list are unlike each other; at 0 it does
            not, at 1 nothing else does among the best candidates.
        novelty: 0 to 1, how far the list leans away from bestsellers; at 1 a movie loses as much for its many
            reviews as it wins for its score among the best candidates.
        because: say of each movie which reviews speak for it.
        no_cold: leave out movies without reviews, which are known by their metadata alone.

    Raises:
        ConfigError: one of them is out of range.
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
        """Whether the list is chosen for variety too, not by the scores alone."""
        return self.diversity > 0 or self.novelty > 0

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


def check_k(k: int) -> None:
    """Refuses a list that is shorter than one.

    Raises:
        ConfigError: `k` is less than 1.
    """
    if k < 1:
        raise ConfigError(f"k must be at least 1 but is {k}; it says how many results are wanted")
