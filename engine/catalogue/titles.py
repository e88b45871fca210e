"""Divides a movie's title into the film and the format in which the film is sold (DVD, VHS, an edition)."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_EDITION = (
    r"blu[ -]?ray|bd|dvd|vhs|laserdisc|umd|hd|uhd|4k|3d|ultra|digital|ultraviolet|combo|copy|discs?|"
    r"widescreen|full ?screen|pan ?(?:&|and) ?scan|letterbox(?:ed)?|edition|version|region(?: \d)?|import|"
    r"ntsc|pal|remaster(?:ed)?|restored|uncut|unrated|uncensored|extended|theatrical|"
    r"director'?s cut|final cut|subtitled|dubbed|collector'?s?|criterion|anniversary|steelbook|slipcover|"
    r"amazon|exclusive|packaging"
)
_BRACKETED = re.compile(r"(?<=\S)\s*\[[^\]]*\]?")
"""Matches text in square brackets, except at the beginning of a title, since "[REC]" is the name of a
film."""
_PARENTHESISED = re.compile(r"\([^)]*\)?")
_WORD_OF_EDITION = re.compile(rf"\b(?:{_EDITION})\b", re.IGNORECASE)
_YEAR = re.compile(r"[(\[]((?:18|19|20)\d\d)[)\]]")
_TRAILING_EDITION = re.compile(
    rf"(?:[\s:,/-]+(?:the|a|\d+(?:st|nd|rd|th)?|two|special|deluxe|limited|ultimate|{_EDITION}))*"
    rf"[\s:,/-]+(?:blu[ -]?ray|dvd|vhs|edition|widescreen|full ?screen|unrated|uncut|director'?s cut)\s*$",
    re.IGNORECASE,
)
_NUMERALS = "one|i, two|ii, three|iii, four|iv, five|v, six|vi, seven|vii, eight|viii, nine|ix"
_NUMBERS = {
    spelling: str(value)
    for value, spellings in enumerate(_NUMERALS.split(", "), 1)
    for spelling in spellings.split("|")
}
_PART = re.compile(
    r"\b(season|series|volume|vol|part|pt|episode|chapter|book)\b[\s.:#]*"
    rf"(\d+|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})\b",
    re.IGNORECASE,
)
_SHORT_PARTS = {"vol": "volume", "pt": "part"}
_TRAILING_ARTICLE = re.compile(r"^(.*), (the|a|an)$")
_NOT_A_WORD = re.compile(r"[\W_]+")
_MARKS = re.compile("[\N{COMBINING GRAVE ACCENT}-\N{COMBINING LATIN SMALL LETTER X}]")


_LONGEST = 1_000
"""The number of characters of a title that are read; the rest of a longer title is ignored."""
_LONGEST_END = 200
"""The number of characters at the end of a title that are searched for words about the edition.

Only the end of a title is searched, because the running time of the pattern `_TRAILING_EDITION` grows with
the square of the number of adjacent hyphens.
"""


class TitledFilm(NamedTuple):
    """Identifies a film by its title, without words about the format, and by its year."""

    title: str
    year: int | None
    """The year in the title, by which a remake differs from the original film; None if the title has no
    year."""


def film_of_title(title: str | None) -> TitledFilm | None:
    """Returns the film that a title names, or None if the title is missing or has no letter or digit.

    Each numbered season, volume or part counts as a film of its own.

    >>> film_of_title("The Thing (Widescreen Edition) [Blu-ray]")
    TitledFilm(title='the thing', year=None)
    >>> film_of_title("Thing, The (1982)") == film_of_title("The Thing (1982) VHS")
    True
    >>> film_of_title("Les Misérables: Part Two [DVD]")
    TitledFilm(title='les miserables part 2', year=None)
    """
    if not title:
        return None
    text = _beginning(title)
    years = _YEAR.findall(text)
    text = _YEAR.sub(" ", text)
    parts = sorted({_part_name(*found) for found in _PART.findall(text)})
    text, _ = _without_edition(_PART.sub(" ", text))
    text = text.casefold().replace("&", " and ").strip(" :-,")
    if moved := _TRAILING_ARTICLE.match(text):
        text = f"{moved[2]} {moved[1]}"
    words = _NOT_A_WORD.sub(" ", _MARKS.sub("", unicodedata.normalize("NFD", text))).split()
    if not words and not parts:
        return None
    return TitledFilm(" ".join([*words, *parts]), int(years[-1]) if years else None)


def format_of_title(title: str | None) -> str | None:
    """Returns the words of a title that name a disc, tape or edition; None without such words.

    >>> format_of_title("The Thing (Widescreen Edition) [Blu-ray]")
    'Widescreen Edition, Blu-ray'
    """
    if not title:
        return None
    text = _beginning(title)
    _, removed = _without_edition(_PART.sub(" ", _YEAR.sub(" ", text)))
    return ", ".join(removed) or None


def without_format(title: str | None) -> str:
    """Returns a title without the year and without words about the disc, tape or edition.

    >>> without_format("The Thing (1982) (Widescreen Edition) [Blu-ray]")
    'The Thing'
    """
    return "" if not title else _without_edition(_YEAR.sub(" ", _beginning(title)))[0].strip(" :-,")


def _without_edition(text: str) -> tuple[str, list[str]]:
    """Removes words about editions from a text; returns the remaining text, and the removed words."""
    removed: list[tuple[int, str]] = []

    def take(found: re.Match[str]) -> str:
        if words := found[0].strip(" :,/-()[]"):
            removed.append((found.start() + found[0].index(words), words))
        # The removed words are replaced by as many blanks, so that later positions in the text stay the same.
        return " " * len(found[0])

    def take_edition(found: re.Match[str]) -> str:
        return take(found) if _WORD_OF_EDITION.search(found[0]) else found[0]

    text = _PARENTHESISED.sub(take_edition, _BRACKETED.sub(take, text)).rstrip()
    if ending := _TRAILING_EDITION.search(text, max(0, len(text) - _LONGEST_END)):
        text = text[: ending.start()] + take(ending)
    return text.strip(), [words for _, words in sorted(removed)]


def _beginning(title: str) -> str:
    """Returns the first `_LONGEST` characters of a title, with plain letters for letters such as "ﬁ"."""
    return unicodedata.normalize("NFKC", title[:_LONGEST])[:_LONGEST]


def _part_name(kind: str, number: str) -> str:
    kind, number = kind.casefold(), number.casefold()
    return f"{_SHORT_PARTS.get(kind, kind)} {_NUMBERS.get(number, number.lstrip('0') or '0')}"
