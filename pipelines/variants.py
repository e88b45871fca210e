"""Which movies are one film, told by their titles: its DVD, Blu-ray and VHS, its editions and regions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_EDITION = (
    r"blu[ -]?ray|dvd|vhs|laserdisc|umd|hd|uhd|4k|3d|ultra|digital|ultraviolet|combo|copy|discs?|"
    r"widescreen|full ?screen|pan ?(?:&|and) ?scan|letterbox(?:ed)?|edition|version|region(?: \d)?|import|"
    r"ntsc|pal|remaster(?:ed)?|restored|uncut|unrated|uncensored|extended|theatrical|"
    r"director'?s cut|final cut|subtitled|dubbed|collector'?s?|criterion|anniversary|steelbook|slipcover|"
    r"amazon|exclusive|packaging"
)
_BRACKETED = re.compile(r"\[[^\]]*\]?")
_PARENTHESISED_EDITION = re.compile(rf"\([^)]*\b(?:{_EDITION})\b[^)]*\)?")
_YEAR = re.compile(r"\(((?:18|19|20)\d\d)\)")
_TRAILING_EDITION = re.compile(
    rf"(?:[\s:,/-]+(?:the|a|\d+(?:st|nd|rd|th)?|two|special|deluxe|limited|ultimate|{_EDITION}))*"
    rf"[\s:,/-]+(?:blu[ -]?ray|dvd|vhs|edition|widescreen|full ?screen|unrated|uncut|director'?s cut)\s*$"
)
_TRAILING_ARTICLE = re.compile(r"^(.*), (the|a|an)$")
_NOT_A_WORD = re.compile(r"[\W_]+")


class Film(NamedTuple):
    """A film, whatever it is sold on."""

    title: str
    year: int | None
    """As it stands in the title, so that a remake is another film; the date of a disc says nothing."""


def film_of_title(title: str | None) -> Film | None:
    """Reads the film out of a title; None where there is no title.

    >>> film_of_title("The Thing (Widescreen Edition) [Blu-ray]")
    Film(title='the thing', year=None)
    >>> film_of_title("Thing, The (1982)") == film_of_title("The Thing (1982) VHS")
    True
    """
    if not title:
        return None
    text = unicodedata.normalize("NFKC", title).casefold()
    text = _PARENTHESISED_EDITION.sub(" ", _BRACKETED.sub(" ", text))
    years = _YEAR.findall(text)
    text = _YEAR.sub(" ", text).strip()
    text = _TRAILING_EDITION.sub("", text).strip()
    if moved := _TRAILING_ARTICLE.match(text):
        text = f"{moved[2]} {moved[1]}"
    words = _NOT_A_WORD.sub(" ", text).strip()
    return Film(words, int(years[-1]) if years else None) if words else None


def film_rows(titles: Sequence[str | None]) -> NDArray[np.int64]:
    """Numbers the films: int64 [num_movies]; movies with the same number are the same film.

    Args:
        titles: of every movie, None where there is none; such a movie is a film of its own.
    """
    known: dict[Film | int, int] = {}
    films = (film_of_title(title) or row for row, title in enumerate(titles))
    return np.fromiter((known.setdefault(film, len(known)) for film in films), np.int64, len(titles))
