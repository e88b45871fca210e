"""Movies that share reviewers: a sparse table that finds candidates which an embedding misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import distinct_places, places_held, spans, sums
from engine.model.histories import Histories

_SORTED_UP_TO = 8
"""Sorting the neighbours is faster than a place for every movie while there are this many movies to one."""


RATING_PRIOR = 0.2
"""Weight of "as predicted" among the neighbours' ratings: few or far neighbours say little."""
OFFSET_DAMPING = 15.0
"""Reviews at which a reviewer's own mean counts half."""


class NeighbourTable:
    """The neighbours of each movie with their weights, in three arrays, which may be mapped files.

    Args:
        offsets: int64 [num_movies + 1].
        movie_rows: int32 [num_pairs], the neighbours.
        weights: float32 [num_pairs], how near they are.
    """

    def __init__(
        self, offsets: NDArray[np.int64], movie_rows: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> None:
        self.offsets = offsets
        self.movie_rows = movie_rows
        self.weights = weights

    @property
    def num_movies(self) -> int:
        """How many movies have a list of neighbours, empty or not."""
        return len(self.offsets) - 1

    def of(self, movie_row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The neighbours of one movie and their weights."""
        begin, end = self.offsets[movie_row], self.offsets[movie_row + 1]
        return self.movie_rows[begin:end], self.weights[begin:end]

    def num_neighbours(self, movie_rows: NDArray[np.integer]) -> int:
        """How many neighbours some movies have in all."""
        return int((self.offsets[np.asarray(movie_rows) + 1] - self.offsets[movie_rows]).sum())

    def spread(
        self,
        movie_rows: NDArray[np.integer],
        *amounts: NDArray[np.floating],
        places: NDArray[np.integer] | None = None,
        num_places: int = 1,
    ) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
        """Gives each neighbour of some movies its weight times the movie's amount, and adds up.

        Args:
            movie_rows: int [num], such as a history, or several one behind the other.
            amounts: one or more float [num]; the neighbours are gone through once for all of them.
            places: int [num], which of several sums each of the movies goes into; by default one for all.
            num_places: how many sums there are.

        Returns:
            The neighbours as keys, `place * num_movies + movie_row`, int64 [num_neighbours], ascending, and
            for each of `amounts` their sums, float64 [num_neighbours]; every other sum is 0.
        """
        sources, found, lengths = self._gone_through(movie_rows, places)
        weights = self.weights[sources]
        num_keys = num_places * self.num_movies
        keys: NDArray[np.integer]
        if len(found) * _SORTED_UP_TO < num_keys:
            keys, positions = distinct_places(found)
        else:
            touched = np.zeros(num_keys, dtype=bool)
            touched[found] = True
            keys, positions = np.flatnonzero(touched), (np.cumsum(touched) - 1)[found]
        given = (weights * amount.repeat(lengths) for amount in amounts)
        totals = [np.asarray(np.bincount(positions, each, len(keys)), np.float64) for each in given]
        return keys.astype(np.int64), totals

    def spread_to(
        self,
        keys: NDArray[np.int64],
        movie_rows: NDArray[np.integer],
        *amounts: NDArray[np.floating],
        places: NDArray[np.integer] | None = None,
    ) -> list[NDArray[np.float64]]:
        """The sums that `spread` gives, of some keys only: of few of them it takes half the time.

        Args:
            keys: int64 [num_keys], `place * num_movies + movie_row`.
            movie_rows: as of `spread`, and so are the others.
            amounts: see there.
            places: see there.

        Returns:
            For each of `amounts` the sums, float64 [num_keys].
        """
        wanted, positions = distinct_places(keys)
        columns, owners, weights = self._held(wanted, movie_rows, places)
        totals = (np.bincount(columns, weights * amount[owners], len(wanted)) for amount in amounts)
        return [np.asarray(total, np.float64)[positions] for total in totals]

    def between(self, movie_rows: NDArray[np.int64], of_rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """The weights with which some movies are neighbours of others: float64 [num_movies, num_others].

        Args:
            movie_rows: int64 [num_movies], each another.
            of_rows: int [num_others], such as a history.
        """
        order = movie_rows.argsort()
        columns, owners, weights = self._held(movie_rows[order], of_rows, None)
        matrix = np.zeros((len(movie_rows), len(of_rows)))
        matrix[order[columns], owners] = weights
        return matrix

    def _held(
        self,
        ascending: NDArray[np.int64],
        movie_rows: NDArray[np.integer],
        places: NDArray[np.integer] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Of the neighbours among ascending keys: which key it is, of which of the movies, and the weight."""
        sources, found, lengths = self._gone_through(movie_rows, places)
        hits, columns = places_held(ascending, found)
        return columns, lengths.cumsum().searchsorted(hits, side="right"), self.weights[sources[hits]]

    def _gone_through(
        self, movie_rows: NDArray[np.integer], places: NDArray[np.integer] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The positions of the neighbours of some movies, their keys, and how many each movie has."""
        begins = self.offsets[movie_rows]
        lengths = self.offsets[np.asarray(movie_rows) + 1] - begins
        sources = spans(begins, lengths)
        found = self.movie_rows[sources].astype(np.int64)
        if places is not None:
            found += (places * self.num_movies).repeat(lengths)
        return sources, found, lengths


class MovieSums(NamedTuple):
    """A number for some movies; every other movie has 0.

    Of several reviewers at once the rows are keys, `place * num_movies + movie_row`.
    """

    rows: NDArray[np.int64]
    """int64 [num], ascending."""
    values: NDArray[np.float64]
    """float64 [num]."""
    num_movies: int
    """How many movies, or keys, there are in all."""

    def at(self, movie_rows: NDArray[np.integer] | slice) -> NDArray[np.float64]:
        """The numbers of some movies, or of a slice of all: float64 [num]."""
        if isinstance(movie_rows, slice):
            every = np.zeros(self.num_movies)
            every[self.rows] = self.values
            return every[movie_rows]
        if not len(self.rows):
            return np.zeros(len(movie_rows))
        places = np.minimum(self.rows.searchsorted(movie_rows), len(self.rows) - 1)
        return np.where(self.rows[places] == movie_rows, self.values[places], 0.0)


@dataclass(frozen=True, kw_only=True)
class NeighbourRatings:
    """How far above expectation some reviewers rated movies' neighbours, in stars; worked out when asked.

    Attributes:
        table: similarities of ratings.
        histories: what each of the reviewers reviewed.
        residuals: float64 [num_reviews], each rating less what the movie and the reviewer let expect.
    """

    table: NeighbourTable
    histories: Histories
    residuals: NDArray[np.float64]

    @classmethod
    def of(cls, table: NeighbourTable, histories: Histories, above: NDArray[np.floating]) -> NeighbourRatings:
        """Takes the reviewers' own means, damped, from ratings less the movies' baselines, [num_reviews]."""
        offsets = sums(above, histories.offsets) / (histories.lengths + OFFSET_DAMPING)
        return cls(table=table, histories=histories, residuals=above - offsets[histories.places])

    def at(self, keys: NDArray[np.integer] | slice) -> NDArray[np.float64]:
        """The stars of some keys, `place * num_movies + movie_row`, or of a slice of all: float64 [num]."""
        rows, places = self.histories.movie_rows, self.histories.places
        amounts = self.residuals, np.ones(len(rows))
        if isinstance(keys, slice) or len(keys) > self.table.num_neighbours(rows):
            num_places = len(self.histories)
            found, (above, weight) = self.table.spread(rows, *amounts, places=places, num_places=num_places)
            stars = above / (weight + RATING_PRIOR)
            return MovieSums(found, stars, num_places * self.table.num_movies).at(keys)
        wanted = np.asarray(keys, dtype=np.int64)
        above, weight = self.table.spread_to(wanted, rows, *amounts, places=places)
        return above / (weight + RATING_PRIOR)
