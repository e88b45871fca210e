"""Finds the movies that the options of a top list allow, and explains why a top list is empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, are_held
from engine.artifact.ids import IdTable
from engine.errors import ConfigError, DataError
from engine.model.heads import RatingHead
from engine.questions.arguments import ListOptions, MovieIds
from engine.questions.ids import ids_of, rows_of_known


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Holds the rows of the movies that the options of a top list allow, whoever the reviewer is."""

    num_movies: int
    rows: Rows | None = None
    """The rows of the allowed movies, int64, ascending; None if all movies but the movies in `excluded` are
    allowed."""
    excluded: Rows | None = None
    """The rows of the movies that may not be listed, int64, ascending; None if no movie is excluded."""
    num_named: int = 0
    """The number of movies in `excluded` that the user named with the option `exclude`."""
    min_rating: float | None = None
    described: str = "movies"
    """A phrase that names the allowed movies in error messages, such as "movies that match 'year > 2000'"."""
    why_empty: str | None = None
    """A sentence that says why no movie is allowed; None if at least one movie is allowed."""

    def without(self, hidden_rows: Rows) -> Conditions:
        """Returns a copy of the conditions that does not allow the movies in `hidden_rows` (sorted)."""
        if not len(hidden_rows):
            return self
        if self.rows is None:
            excluded = hidden_rows if self.excluded is None else np.union1d(self.excluded, hidden_rows)
            return replace(self, excluded=excluded)
        rows = self.rows[~are_held(hidden_rows, self.rows)]
        why_empty = self.why_empty
        if why_empty is None and not len(rows):
            why_empty = f"All {len(self.rows):,} {self.described} are hidden"
        return replace(self, rows=rows, why_empty=why_empty)

    def among(self, rows: Rows) -> Conditions:
        """Returns a copy of the conditions that allows only movies in `rows` that are not in `excluded`.

        The argument `rows` holds row numbers of movies, int64, ascending. In the copy, the attribute `rows`
        holds the allowed rows of the argument, and the attribute `excluded` is None.
        """
        kept = rows if self.excluded is None else rows[~are_held(self.excluded, rows)]
        return replace(self, rows=kept, excluded=None)

    def all_rows(self) -> Rows:
        """Returns the rows of all allowed movies, int64, ascending."""
        if self.rows is not None:
            return self.rows
        every = np.arange(self.num_movies, dtype=np.int64)
        return every if self.excluded is None else np.delete(every, self.excluded)

    def why_none_is_left(self, num_open: int, best_rating: float | None) -> str:
        """Returns one sentence that tells the user why a top list is empty.

        The argument `num_open` is the number of unseen movies that meet all conditions except `min_rating`.
        The argument `best_rating` is the highest predicted rating of the unseen movies that meet all
        conditions except `min_rating`; None if `min_rating` is not given.
        """
        if self.why_empty is not None:
            return self.why_empty
        if not num_open:
            return (
                f"All {len(self.all_rows()):,} {self.described} were reviewed already, or a variant of them "
                "was; include seen movies to list them"
            )
        highest = "" if best_rating is None else f"; the highest is {best_rating:.2f}"
        return (
            f"Of the {self.described}, {num_open:,} are left, but none has a predicted rating of "
            f"{self.min_rating or 0:g} or more{highest}"
        )


def resolve_conditions(
    options: ListOptions,
    movies: IdTable,
    matching_rows: Callable[[str], Rows],
    rating: RatingHead | None,
    cold: NDArray[np.bool_] | None = None,
) -> Conditions:
    """Finds the movies that the options of a top list allow, whoever the reviewer is.

    The argument `matching_rows` is a function that takes an SQL condition and returns the rows of the movies
    that meet the SQL condition, int64, ascending.
    The argument `rating` is the model's rating head, or None if the data has no ratings. The array `cold`,
    bool [num_movies], marks the movies without reviews; None means that every movie has reviews.

    Raises:
        ConfigError: `only` is an empty collection of ids; or `min_rating` is below the lowest or above the
            highest rating level.
        DataError: `min_rating` is given, but the data has no ratings.
        FilterError: `where` is not an SQL condition on the columns of the catalogue.
        SourceError: a file of ids cannot be read.
        UnknownIdError: the index holds none of the movies in `only`.
    """
    _check_min_rating(options.min_rating, rating)
    rows, described, why_empty = None, "movies", None
    if options.where is not None:
        rows, described = matching_rows(options.where), f"movies that match {options.where!r}"
        why_empty = None if len(rows) else f"No movie matches {options.where!r}"
    if options.only is not None:
        named = _known_rows(options.only, "only", movies, needed=True)
        if why_empty is None and rows is not None and not np.isin(named, rows).any():
            why_empty = f"None of the {len(named):,} movies of 'only' matches {options.where!r}"
        rows = named if rows is None else named[np.isin(named, rows)]
        described = (
            "movies of 'only'" if options.where is None else f"movies of 'only' that match {options.where!r}"
        )
    excluded = np.zeros(0, dtype=np.int64)
    if options.exclude is not None:
        excluded = _known_rows(options.exclude, "exclude", movies)
        left = len(movies) - len(excluded) if rows is None else int((~np.isin(rows, excluded)).sum())
        if why_empty is None and not left:
            why_empty = f"All {len(movies) if rows is None else len(rows):,} {described} are excluded"
        described += " that are not excluded"
        if rows is not None:
            rows, excluded = rows[~np.isin(rows, excluded)], excluded[:0]
    num_named = len(excluded)
    if options.no_cold and cold is not None and cold.any():
        described += " that have reviews"
        if rows is None:
            excluded = np.union1d(excluded, np.flatnonzero(cold))
        else:
            rows = rows[~cold[rows]]
        if why_empty is None and (len(excluded) == len(movies) if rows is None else not len(rows)):
            why_empty = f"There are no {described}"
    return Conditions(
        num_movies=len(movies),
        rows=rows,
        excluded=excluded,
        num_named=num_named,
        min_rating=options.min_rating,
        described=described,
        why_empty=why_empty,
    )


def _known_rows(given: MovieIds, name: str, movies: IdTable, *, needed: bool = False) -> Rows:
    """Returns the rows of those given movies that are in the index: int64, ascending."""
    ids = ids_of(given)
    if needed and not ids:
        raise ConfigError(f"'{name}' names no movie; expected movie ids, or a file with one a line")
    rows = rows_of_known(ids, movies, described=f"movies of '{name}'", needed=needed)
    return np.sort(rows[rows >= 0])


def _check_min_rating(min_rating: float | None, rating: RatingHead | None) -> None:
    if min_rating is None:
        return
    if rating is None:
        raise DataError(
            "The index was built from data without ratings, so no movie has a predicted rating that could be "
            f"at least {min_rating:g}; leave min_rating out"
        )
    low, high = float(rating.levels[0]), float(rating.levels[-1])
    if not low <= min_rating <= high:
        raise ConfigError(
            f"min_rating must be between {low:g} and {high:g}, the ratings of the data, but is {min_rating:g}"
        )
