"""Finds the movies that are variants of one film, such as DVD and Blu-ray, and the format of a movie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows, are_new, distinct, spans
from engine.artifact.arrays import check_rows, check_spans
from engine.artifact.layout import VARIANT_ARRAYS

_FORMATS = frozenset(
    {"bluray", "dvd", "vhs", "vhstape", "4k", "4kuhd", "4kultrahd", "laserdisc", "umd", "hddvd"}
)
"""The names of disc and tape formats that a movie's category may hold, without blanks and hyphens."""


def build_variant_arrays(films: NDArray[np.integer]) -> dict[str, NDArray[Any]]:
    """Groups movies by film; returns the arrays that `Variants` reads.

    The array `films`, int [num_movies], holds the number of each movie's film; movies with equal numbers are
    variants of one film.

    Returns:
        The arrays `variant_groups`, `variant_offsets` and `variant_movie_rows`, by name. Only films with
        several movies are numbered, from 0. `variant_groups`, int32 [num_movies], holds the number of each
        movie's film, or -1 if the film has no other movie. `variant_movie_rows`, int32 [num_variants], lists
        the rows of the movies of all films with several movies, film by film. `variant_offsets`, int64
        [num_films + 1], holds, for each film with several movies, the position in `variant_movie_rows` of the
        film's first movie. The last number in `variant_offsets` is the length of `variant_movie_rows`.

    Example:
        >>> {name: array.tolist() for name, array in build_variant_arrays(np.array([7, 3, 7, 5])).items()}
        {'variant_groups': [0, -1, 0, -1], 'variant_offsets': [0, 2], 'variant_movie_rows': [0, 2]}
    """
    _, numbers, counts = np.unique(films, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts > 1)
    renumbered = np.full(len(counts), -1, dtype=np.int32)
    renumbered[several] = np.arange(len(several), dtype=np.int32)
    groups = renumbered[numbers]
    rows = np.flatnonzero(groups >= 0)
    rows = rows[np.argsort(groups[rows], kind="stable")]
    offsets = np.concatenate([[0], np.cumsum(counts[several])])
    arrays = groups, offsets.astype(np.int64), rows.astype(np.int32)
    return dict(zip(VARIANT_ARRAYS, arrays, strict=True))


class Variants:
    """Finds the movies that are variants of a film, from the arrays of `build_variant_arrays`.

    In a condition such as `if variants`, a `Variants` object is false if no two movies are variants of one
    film.
    """

    def __init__(
        self, groups: NDArray[np.int32], offsets: NDArray[np.int64], movie_rows: NDArray[np.int32]
    ) -> None:
        self._groups = groups
        self._offsets = offsets
        self._movie_rows = movie_rows

    @classmethod
    def none(cls) -> Variants:
        """Returns a `Variants` object for movies of which no two are variants (editions) of one film."""
        return cls(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0, np.int32))

    def __bool__(self) -> bool:
        return len(self._movie_rows) > 0

    def of(self, movie_row: int) -> Rows:
        """Returns the rows of a movie and of the movie's variants: int64, ascending."""
        groups = self._groups[[movie_row]] if self else self._groups[:0]
        if not (groups >= 0).any():
            return np.array([movie_row], dtype=np.int64)
        return self._of_films(groups)

    def complete(self, movie_rows: NDArray[np.integer]) -> Rows:
        """Returns the rows of the given movies and of their variants: int64, ascending, all different."""
        if not self:
            return distinct(np.asarray(movie_rows, dtype=np.int64))
        groups = self._groups[movie_rows]
        added = self._of_films(distinct(groups[groups >= 0]))
        return distinct(np.concatenate([movie_rows, added], dtype=np.int64))

    def _of_films(self, films: NDArray[np.integer]) -> Rows:
        """Returns the rows of the movies that are variants of the given films: int64."""
        name = "variants of films"
        check_rows(films, len(self._offsets) - 1, name)
        begins = self._offsets[films]
        lengths = self._offsets[films + 1] - begins
        check_spans(begins, lengths, len(self._movie_rows), len(self._groups), name)
        rows = self._movie_rows[spans(begins, lengths)]
        check_rows(rows, len(self._groups), name)
        return rows.astype(np.int64)

    def are_several(self, movie_rows: Rows) -> NDArray[np.bool_]:
        """Marks the given movies that have variants: bool [length of `movie_rows`]."""
        if not self:
            return np.zeros(len(movie_rows), dtype=bool)
        several: NDArray[np.bool_] = self._groups[movie_rows] >= 0
        return several

    def one_each(self, movie_rows: Rows, preference: Doubles) -> NDArray[np.bool_]:
        """Chooses one of the given movies for each film: the movie with the highest number in `preference`.

        The array `movie_rows`, int64 [num], holds the rows of the given movies in ascending order. The array
        `preference`, float64 [num], holds a number for each given movie, such as the number of reviews of the
        movie. If several variants of a film have the highest number in `preference`, the first of these
        variants is chosen. The function returns a bool array, [num], that is True for each given movie that
        is chosen for the movie's film.
        """
        if not self:
            return np.ones(len(movie_rows), dtype=bool)
        groups = self._groups[movie_rows]
        kept = groups < 0
        several = np.flatnonzero(~kept)
        if len(several):
            order = several[np.lexsort((several, -preference[several], groups[several]))]
            kept[order[are_new(groups[order])]] = True
        return kept

    def most_reviewed(self, movie_counts: NDArray[np.integer]) -> Rows:
        """Returns the row of the most reviewed variant of each movie's film: int64 [num_movies]."""
        chosen = np.arange(len(movie_counts), dtype=np.int64)
        rows = self._of_films(np.arange(len(self._offsets) - 1))
        films = np.repeat(np.arange(len(self._offsets) - 1), np.diff(self._offsets))
        order = np.lexsort((rows, -movie_counts[rows], films))
        firsts = rows[order[self._offsets[:-1]]] if len(rows) else rows
        chosen[rows] = firsts[films]
        return chosen


def format_of_card(card: Mapping[str, Any]) -> str | None:
    """Returns the format named in a movie's title, else the format named in the category, else None.

    Example:
        >>> format_of_card({"title": "Laura (Special Edition) [DVD]", "category": None})
        'Special Edition, DVD'
        >>> format_of_card({"title": "Laura", "category": "Movies & TV | Blu-ray | Drama"})
        'Blu-ray'
    """
    from engine.catalogue.titles import format_of_title

    if named := format_of_title(card["title"]):
        return named
    parts = str(card["category"] or "").split("|")
    return next((part.strip() for part in parts if _letters_of(part) in _FORMATS), None)


def is_in_format(card: Mapping[str, Any], wanted: str) -> bool:
    """Tells whether a movie has a format, such as "Blu-ray"; ignores case, blanks and hyphens in the name.

    Example:
        >>> is_in_format({"title": "Laura [Blu-ray]", "category": None}, "bluray")
        True
    """
    return _letters_of(wanted) in _letters_of(format_of_card(card) or "")


def _letters_of(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
