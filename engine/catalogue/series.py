"""Recognises by their titles the films of one series, such as an original and its sequels."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from engine.catalogue.cards import MovieCards
from engine.catalogue.titles import without_format

_MOVED_ARTICLE = re.compile(r"^(.*?), (?:the|an?)(?=$|[:,])", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:the|an?) (?=\S)", re.IGNORECASE)
_SUBTITLE = re.compile(r"[:;]\s|\s[-\N{EN DASH}\N{EM DASH}]+\s|\s*/\s+")
"""Matches the separator, such as a colon, between the title of a film and the subtitle."""
_SPELLED = "one|two|three|four|five|six|seven|eight|nine|ten"
_NUMERAL = rf"(?:\d{{1,4}}(?:st|nd|rd|th)?(?:-?d)?|[ivx]{{2,5}}|v|x|{_SPELLED})"
_SEQUEL = re.compile(
    rf"[\s,.]+(?:(?:the )?(?:part|volume|vol|season|series|episode|chapter|book)[\s.#]*(?:i|{_NUMERAL})\b.*"
    rf"|{_NUMERAL}[\s\d/.]*"
    r"|(?:returns|forever|strikes|reloaded|revolutions|resurrections?|begins|reborn|rides again)\b.*)$",
    re.IGNORECASE,
)
"""Matches the words in a title that mark a sequel, such as "Part II", and all words after them."""
_HERO = re.compile(r"^(\S+ \S+) (?:and|&) the ", re.IGNORECASE)
"""Matches the two words of a hero's name at the beginning of titles such as "Harry Potter and the Half-Blood
Prince"."""
_NOT_A_WORD = re.compile(r"[\W_]+")
_SAMPLED, _USUAL = 200, 0.8
"""The function `usual_categories` counts the categories of at most `_SAMPLED` movies. A category is a usual
category if the share of the counted movies that have the category is greater than `_USUAL`."""
_FEWEST_LETTERS = 3
"""The least number of letters in the name of a series, because movies often share a shorter name by
chance."""


class SeriesNames(NamedTuple):
    """Holds the names that a film's series may have, according to the title of the film."""

    first: str
    """The title without subtitle, number, year and format, which is the same for the films of most series."""
    subtitle: str | None
    """The subtitle, which is sometimes the name of the series, as in "The Lost World: Jurassic Park"; None
    without a subtitle."""


@lru_cache(maxsize=1024)
def series_names(title: str | None) -> SeriesNames | None:
    """Returns the names that a series may have, according to the title of a film; None without such a name.

    A film outside all series also gets a name, because the title of the first film of a series looks like any
    other title. The function `number_series` keeps only the names that at least two movies share.

    >>> titles = "Terminator, The (1984)", "Godfather: Part II, The (1974)", "Batman Returns (1992) [VHS]"
    >>> [series_names(title).first for title in titles]
    ['terminator', 'godfather', 'batman']
    """
    text = _without_article(without_format(title))
    head, *tail = _SUBTITLE.split(text, maxsplit=1)
    if hero := _HERO.match(head):
        head = hero[1]
    first = _plain_name(_SEQUEL.sub("", head))
    return None if first is None else SeriesNames(first, _plain_name(tail[0]) if tail else None)


def _without_article(text: str) -> str:
    return _ARTICLE.sub("", _MOVED_ARTICLE.sub(r"\1", text))


def _plain_name(text: str) -> str | None:
    """Returns a name in lower case, without article and plural s; None if the name has too few letters."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("&", " and "))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    name = _ARTICLE.sub("", _NOT_A_WORD.sub(" ", plain).strip())
    name = re.sub(r"(?<=\w\w\w)s$", "", name)
    return name if sum(map(str.isalpha, name)) >= _FEWEST_LETTERS else None


def number_series(titles: Sequence[str | None]) -> list[int]:
    """Returns the number of each movie's series, or -1 for a movie that shares no series name.

    >>> number_series(["Jurassic Park (1993)", "Lost World: Jurassic Park, The (1997)", "Laura (1944)"])
    [0, 0, -1]
    """
    names = [series_names(title) for title in titles]
    counts = Counter(own.first for own in names if own is not None)
    numbers: dict[str, int] = {}
    shared: list[str | None] = []
    for own in names:
        name = None if own is None else own.first
        if own is not None and counts[own.first] == 1 and own.subtitle in counts:
            name = own.subtitle
        shared.append(name)
    held = Counter(name for name in shared if name is not None)
    return [
        -1 if name is None or held[name] < 2 else numbers.setdefault(name, len(numbers)) for name in shared
    ]


def categories_of(category: str | None) -> list[str]:
    """Splits a movie's field `category`, such as "Comedy | Crime", into a list of categories.

    >>> categories_of("Comedy | Crime"), categories_of("(no genres listed)")
    (['Comedy', 'Crime'], [])
    """
    parts = (part.strip() for part in (category or "").split("|"))
    return [part for part in parts if part and part.casefold() not in ("unknown", "(no genres listed)")]


def usual_categories(cards: MovieCards) -> frozenset[str]:
    """Returns the categories that nearly all movies have, such as "Movies & TV"."""
    rows = np.unique(np.linspace(0, len(cards) - 1, _SAMPLED).astype(np.int64)) if len(cards) else range(0)
    counts = Counter(
        name for row in map(int, rows) for name in set(categories_of(cards.card(row)["category"]))
    )
    return frozenset(name for name, count in counts.items() if count > _USUAL * len(rows))


def are_one_series(titles: Sequence[str | None], categories: Sequence[str | None]) -> bool:
    """Tells by the titles and the fields `category` whether two movies belong to the same series.

    Two movies belong to the same series if a series name fits both titles, with exceptions for remakes and
    for names that are shared by chance. The title of a remake differs from the title of the original only in
    the year. If two movies have no category in common, an equal series name counts as chance, and the result
    is False.

    >>> are_one_series(("Scream (1996)", "Scream 2 (1997)"), ("Horror", "Horror | Thriller"))
    True
    >>> are_one_series(("Fury (1936)", "Fury (2014)"), (None, None))
    False
    """
    first, second = map(series_names, titles)
    if first is None or second is None:
        return False
    if first.first != second.first and first.subtitle != second.first and second.subtitle != first.first:
        return False
    if len({plain_title(title) for title in titles}) == 1:
        return False
    one, other = (set(categories_of(category)) for category in categories)
    return not one or not other or bool(one & other)


def plain_title(title: str | None) -> str:
    """Returns a title in lower case, without article, year and format.

    The function usually returns the same text for a film and for a remake of the film.
    """
    return _without_article(without_format(title)).casefold()
