"""Defines and checks the arguments of questions: ids, the length of a top list, and options like `where`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, TypeGuard

from engine.errors import ConfigError, shown

MovieIds = Iterable[str] | Path
"""Movie ids, or the path of a file that holds one movie id per line."""
FALLBACKS = ("error", "popular")
"""The possible answers for an unknown reviewer: "error" raises an UnknownIdError, and "popular" lists popular
movies."""
_MOST_WANTED = 1_000_000_000
"""The largest number of results for which a question may ask."""


class ListArguments(TypedDict, total=False):
    """Declares the keyword arguments of methods that make top lists; `ListOptions` explains the arguments."""

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


class SimilarArguments(TypedDict, total=False):
    """Declares the keyword arguments of `Engine.similar`; `ListOptions` explains the arguments."""

    where: str | None
    only: MovieIds | None
    exclude: MovieIds | None
    all_variants: bool
    show_variants: bool
    diversity: float
    because: bool
    no_cold: bool


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """Holds the options of a top list: which movies may be listed, how movies are chosen, and what is shown.

    Attributes:
        where: an SQL condition on the catalogue's columns that listed movies meet, such as "price < 10 and
            year >= 1990".
        include_seen: list movies even if the reviewer has reviewed the movie or a variant of the movie.
        only: the only movies that may be listed, given as ids or as the path of a file with one id per line;
            a warning names the ids that the index does not hold.
        exclude: movies that may not be listed, given as ids or as the path of a file with one id per line.
        min_rating: list only movies with a predicted mean rating of at least this many stars.
        all_variants: list several variants of a film, such as both the DVD and the Blu-ray, and list variants
            of movies that the reviewer has reviewed.
        format_preference: the preferred format of listed movies, such as "blu-ray": among the variants of a
            film, the most reviewed variant in this format is listed; if no variant has this format, the most
            reviewed variant is listed.
        show_variants: name, for each listed movie, the other movies that are variants of the same film.
        diversity: how strongly movies that differ from each other are preferred to movies of high score, 0 to
            1; at 1, the scores of the best candidates no longer matter.
        novelty: how strongly a large number of reviews lowers a movie's score, from 0 (not at all) to 1. At
            1, if the logarithm of a movie's number of reviews is one standard deviation above the mean of
            all candidates, the movie loses one standard deviation of the candidates' scores.
        because: name, for each listed movie, those of the reviewer's reviews that add most to the movie's
            score.
        no_cold: list no cold movies, which have no reviews.

    Raises:
        ConfigError: the value of an option is out of range.
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
        """Tells whether the option diversity or the option novelty is above 0."""
        return self.diversity > 0 or self.novelty > 0

    @property
    def has_conditions(self) -> bool:
        """Tells whether an option, such as `where` or `min_rating`, restricts which movies may be listed."""
        given = self.where, self.only, self.exclude, self.min_rating
        return self.no_cold or any(value is not None for value in given)

    def __post_init__(self) -> None:
        for name, meaning in (
            ("diversity", "how much it counts that the movies of a list are unlike each other"),
            ("novelty", "how far a list leans away from bestsellers"),
        ):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                raise ConfigError(f"{name} must be between 0 and 1 but is {shown(value)}; it says {meaning}")
        if self.min_rating is not None and not _is_number(self.min_rating):
            raise ConfigError(f"min_rating must be a number of stars but is {shown(self.min_rating)}")
        preference = self.format_preference
        if preference is not None and not (isinstance(preference, str) and any(map(str.isalnum, preference))):
            raise ConfigError(
                f"format_preference must be a format such as 'blu-ray' but is {shown(preference)}"
            )


def is_whole_number(value: object) -> TypeGuard[int]:
    """Tells whether a value is a whole number of Python or NumPy; True and False are not numbers here."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    """Tells whether a value is a number that a float can represent; NaN, True and False do not count."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return not math.isnan(value)
    except OverflowError:
        return False


def check_fallback(fallback: str) -> None:
    """Raises ConfigError if `fallback`, the answer for an unknown reviewer, is not one of `FALLBACKS`."""
    if fallback not in FALLBACKS:
        raise ConfigError(f"fallback must be one of {', '.join(FALLBACKS)} but is {shown(fallback)}")


def check_k(k: int, name: str = "k") -> None:
    """Raises ConfigError if `k` is not a whole number from 1 to a billion; the error calls `k` by `name`."""
    if not is_whole_number(k):
        wrong = "a whole number"
    elif k < 1:
        wrong = "at least 1"
    elif k > _MOST_WANTED:
        wrong = f"at most {_MOST_WANTED:,}"
    else:
        return
    raise ConfigError(f"{name} must be {wrong} but is {shown(k)}; it says how many results are wanted")


def as_id(given: object, kind: str = "movie") -> str:
    """Returns an id as text; an id that is a whole number becomes the text of its digits.

    Raises:
        ConfigError: the id is neither text nor a whole number of up to 64 bits.

    Example:
        >>> as_id("M1"), as_id(17)
        ('M1', '17')
    """
    if isinstance(given, str):
        return given
    if is_whole_number(given) and -(1 << 63) <= given < 1 << 63:
        return str(given)
    raise ConfigError(f"The id of a {kind} must be a text such as 'A1', but is {shown(given)}")


def each_id(given: Iterable[object], kind: str = "movie") -> list[str]:
    """Returns the given ids as texts, with repeats; `given` may be several ids or a single id.

    Raises:
        ConfigError: an id is neither text nor a whole number.

    Example:
        >>> each_id([17, "17"]), each_id("A1")
        (['17', '17'], ['A1'])
    """
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes)
    return [as_id(one, kind) for one in (given if several else [given])]
