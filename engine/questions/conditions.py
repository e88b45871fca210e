"""What the options let into a list, and which of them left nothing, where nothing is left."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from engine.artifact.ids import IdTable
from engine.catalogue.database import Catalog
from engine.errors import ConfigError, DataError, UnknownIdError
from engine.model.heads import RatingHead
from engine.questions.ids import ids_of
from engine.questions.options import ListOptions, MovieIds

_NUM_NAMED = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Which movies a list may hold, whoever it is for.

    Attributes:
        rows: int64, ascending, the movies that are let in; None where every movie but `excluded` is.
        excluded: int64, ascending, movies that are not let in; empty where `rows` are given.
        num_named: how many of those are left out by their ids.
        num_movies: how many movies the index holds.
        min_rating: the lowest predicted rating, in stars, or None.
        described: what is let in, as part of a sentence, such as "movies of 'only'".
        why_empty: the sentence that says which condition lets nothing in; None where one does.
    """

    rows: Rows | None
    excluded: Rows
    num_named: int
    num_movies: int
    min_rating: float | None
    described: str
    why_empty: str | None

    def all_rows(self) -> Rows:
        """Every movie that is let in: int64, ascending."""
        if self.rows is not None:
            return self.rows
        every: Rows = np.delete(np.arange(self.num_movies, dtype=np.int64), self.excluded)
        return every

    def why_none_is_left(self, num_open: int, best_rating: float | None) -> str:
        """The sentence for a list that is empty.

        Args:
            num_open: movies that are let in and may be listed to the reviewer, seen or not.
            best_rating: the highest rating predicted among them; None where nobody looked.
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
    catalog: Catalog,
    rating: RatingHead | None,
    cold: NDArray[np.bool_] | None = None,
) -> Conditions:
    """Works out which movies the options let in.

    Args:
        options: what was asked for.
        movies: the ids of the movies.
        catalog: answers `where`.
        rating: the head that predicts ratings; None where the data has none.
        cold: bool [num_movies], which movies have no reviews; by default none is one.

    Raises:
        ConfigError: `only` names no movie, or `min_rating` is not on the scale.
        DataError: `min_rating` is given, but the data has no ratings.
        FilterError: `where` is not a condition over the catalogue.
        SourceError: a file of ids cannot be read.
        UnknownIdError: the index holds none of the movies of `only`.
    """
    _check_min_rating(options.min_rating, rating)
    rows, described, why_empty = None, "movies", None
    if options.where is not None:
        rows, described = catalog.matching_rows(options.where), f"movies that match {options.where!r}"
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
        rows=rows,
        excluded=excluded,
        num_named=num_named,
        num_movies=len(movies),
        min_rating=options.min_rating,
        described=described,
        why_empty=why_empty,
    )


def _known_rows(given: MovieIds, name: str, movies: IdTable, *, needed: bool = False) -> Rows:
    """The rows of the ids that the index holds, ascending; the others are skipped with a warning."""
    ids = ids_of(given)
    if needed and not ids:
        raise ConfigError(f"'{name}' names no movie; expected movie ids, or a file with one a line")
    rows = movies.rows(ids)
    unknown = [movie_id for movie_id, row in zip(ids, rows.tolist(), strict=True) if row < 0]
    if needed and len(unknown) == len(ids):
        others = f", nor any other of the {len(ids):,} movies of '{name}'" if len(ids) > 1 else ""
        where = f"the index ({len(movies):,} movies){others}"
        raise UnknownIdError("movie", unknown[0], where, movies.close_matches(unknown[0]))
    if unknown:
        named = ", ".join(unknown[:_NUM_NAMED]) + (", ..." if len(unknown) > _NUM_NAMED else "")
        logger.warning(
            "Skipped %s of the %s movies of '%s', which the index does not hold: %s",
            f"{len(unknown):,}",
            f"{len(ids):,}",
            name,
            named,
        )
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
