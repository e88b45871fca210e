"""Finds movies by a piece of a title; movies whose whole title equals the piece come first."""

from __future__ import annotations

from collections.abc import Collection

from engine.answers import TitleMatch
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.catalogue.database import Catalogue
from engine.catalogue.titles import film_of_title
from engine.catalogue.variants import Variants
from engine.errors import ConfigError, TitleError, shown

KINDS = ("exact", "prefix", "word", "substring", "fuzzy")
"""The ways in which a movie's title can match the searched text; the best match stands first."""
_ARTICLES = ("the ", "a ", "an ")


class TitleSearch:
    """Finds movies by title; reads the year and review count of each found movie from `MovieCards`."""

    def __init__(self, catalogue: Catalogue, movies: IdTable, cards: MovieCards, variants: Variants) -> None:
        self._catalogue = catalogue
        self._movies = movies
        self._cards = cards
        self._variants = variants

    def matches(self, text: str, k: int, left_out: Collection[str] = ()) -> list[TitleMatch]:
        """Finds the k movies whose titles match a searched text best, the best match first.

        The search ignores case, accents, punctuation, words about the edition, and whether an article stands
        first or last. If the searched text has a year in brackets, movies whose titles have another year are
        left out. Among equally good matches, the movie with the most reviews comes first. Movies whose ids
        are in `left_out` are not returned.

        Raises:
            ConfigError: the searched text holds no letter or digit.
        """
        found = [match for _, match in self._ranked(text) if match.movie_id not in left_out]
        return found[:k]

    def resolve(self, text: str) -> TitleMatch:
        """Returns the movie that a text means: the film whose title equals the text, or the only match.

        Raises:
            ConfigError: the searched text holds no letter or digit.
            TitleError: no title matches the text; the titles of several films match the text, and none of
                these titles equals the text; the titles of several films equal the text.
        """
        ranked = self._ranked(text)
        best = [(row, match) for row, match in ranked if match.match == "exact"] or ranked
        films = {int(self._variants.of(row)[0]) for row, _ in best}
        if len(films) != 1:
            raise TitleError(text, [match for _, match in ranked])
        return best[0][1]

    def _ranked(self, text: str) -> list[tuple[int, TitleMatch]]:
        wanted = film_of_title(text) if isinstance(text, str) else None
        if wanted is None:
            raise ConfigError(
                f"A title is searched for by its letters and digits, but there are none in {shown(text)}"
            )
        ranked = []
        for row, title in self._catalogue.rows_by_title(wanted.title, text):
            film = film_of_title(title)
            if film is None or (wanted.year and film.year not in (None, wanted.year)):
                continue
            card = self._cards.card(row)
            match = TitleMatch(
                movie_id=self._movies.id(row),
                title=card["title"] or title,
                match=_kind(wanted.title, film.title, title),
                year=card["year"],
                movie_count=card["movie_count"],
            )
            ranked.append((row, match))
        # The sort is stable, so titles that only resemble the text stay sorted by similarity.
        return sorted(ranked, key=lambda pair: _order(pair[1]))


def _kind(wanted: str, film: str, title: str) -> str:
    wanted, film = _without_article(wanted), _without_article(film)
    if film == wanted:
        return "exact"
    if film.startswith(wanted):
        return "prefix"
    if f" {wanted} " in f" {film} ":
        return "word"
    return "substring" if wanted in film or wanted in title.casefold() else "fuzzy"


def _without_article(text: str) -> str:
    for article in _ARTICLES:
        if text.startswith(article) and len(text) > len(article):
            return text[len(article) :]
    return text


def _order(match: TitleMatch) -> tuple[int, int]:
    known = 0 if match.match == "fuzzy" else match.movie_count or 0
    return KINDS.index(match.match), -known
