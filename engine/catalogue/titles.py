"""Reads a title: the film that it names, and the format in which the film is sold (DVD, VHS, an edition)."""

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
"""A bracket at the beginning stays, for "[REC]" is a film."""
_PARENTHESISED_EDITION = re.compile(rf"\([^)]*\b(?:{_EDITION})\b[^)]*\)?", re.IGNORECASE)
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


class TitledFilm(NamedTuple):
    """Names a film, whatever format it is sold in."""

    title: str
    year: int | None
    """The year in the title, so that a remake is another film; the date of a disc would say nothing."""


def film_of_title(title: str | None) -> TitledFilm | None:
    """Reads the film out of a title; None where there is no title.

    Seasons, volumes and parts are films of their own, wherever in the title their numbers stand.

    >>> film_of_title("The Thing (Widescreen Edition) [Blu-ray]")
    TitledFilm(title='the thing', year=None)
    >>> film_of_title("Thing, The (1982)") == film_of_title("The Thing (1982) VHS")
    True
    >>> film_of_title("Les Misérables: Part Two [DVD]")
    TitledFilm(title='les miserables part 2', year=None)
    """
    if not title:
        return None
    text = unicodedata.normalize("NFKC", title)
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
    """Reads out of a title which disc or tape carries the film; None where the title does not say.

    >>> format_of_title("The Thing (Widescreen Edition) [Blu-ray]")
    'Widescreen Edition, Blu-ray'
    """
    if not title:
        return None
    text = unicodedata.normalize("NFKC", title)
    _, removed = _without_edition(_PART.sub(" ", _YEAR.sub(" ", text)))
    return ", ".join(removed) or None


def _without_edition(text: str) -> tuple[str, list[str]]:
    """Takes the words about editions out of a text; returns the rest, and the words in their order."""
    removed: list[tuple[int, str]] = []

    def take(found: re.Match[str]) -> str:
        if words := found[0].strip(" :,/-()[]"):
            removed.append((found.start() + found[0].index(words), words))
        # The blanks are as long as the words, so that positions stay comparable.
        return " " * len(found[0])

    for pattern in (_BRACKETED, _PARENTHESISED_EDITION):
        text = pattern.sub(take, text)
    text = _TRAILING_EDITION.sub(take, text.rstrip())
    return text.strip(), [words for _, words in sorted(removed)]


def _part_name(kind: str, number: str) -> str:
    kind, number = kind.casefold(), number.casefold()
    return f"{_SHORT_PARTS.get(kind, kind)} {_NUMBERS.get(number, number.lstrip('0') or '0')}"
