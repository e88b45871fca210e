"""Holds tables of neighbouring movies, and adds up over them: near movies, and how neighbours were rated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows, distinct_places, places_held, spans, sums
from engine.model.histories import Histories

_SORTED_UP_TO = 8
"""Neighbours are sorted where there are more than this many keys to each; else each key gets a counter."""
_RATING_PRIOR = 0.2
"""Weight of "as expected" among the ratings of neighbours, so that few or far neighbours say little."""
_OFFSET_DAMPING = 15.0
"""Reviews at which a reviewer's own mean counts half."""


@dataclass(frozen=True, eq=False)
class NeighbourTable:
    """Holds the neighbours of each movie with their weights, in three arrays, which may be mapped files."""

    offsets: NDArray[np.int64]
    """int64 [num_movies + 1]."""
    movie_rows: NDArray[np.int32]
    """int32 [num_pairs], the neighbours."""
    weights: NDArray[np.float32]
    """float32 [num_pairs], how near they are."""

    @property
    def num_movies(self) -> int:
        """Returns how many movies have a list of neighbours, empty or not."""
        return len(self.offsets) - 1

    def of(self, movie_row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Returns the neighbours of one movie and their weights."""
        begin, end = self.offsets[movie_row], self.offsets[movie_row + 1]
        return self.movie_rows[begin:end], self.weights[begin:end]

    def num_neighbours(self, movie_rows: NDArray[np.integer]) -> int:
        """Counts the neighbours of some movies."""
        return int((self.offsets[np.asarray(movie_rows) + 1] - self.offsets[movie_rows]).sum())

    def spread(
        self,
        movie_rows: NDArray[np.integer],
        *amounts: NDArray[np.floating],
        places: NDArray[np.integer] | None = None,
        num_places: int = 1,
    ) -> tuple[Rows, list[Doubles]]:
        """Adds up, for each neighbour of some movies, the neighbour's weight times the amount of the movie.

        The neighbours are gone through once for all of the `amounts`, which are float [num] each. A movie
        goes into the sums of its place, int [num], of which there are `num_places`; by default there is one.

        Returns:
            The neighbours as keys, `place * num_movies + movie_row`, int64 [num_neighbours], ascending, and
            for each of `amounts` their sums, float64 [num_neighbours]; every other sum is 0.
        """
        sources, found, lengths = self._neighbours(movie_rows, places)
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
        keys: Rows,
        movie_rows: NDArray[np.integer],
        *amounts: NDArray[np.floating],
        places: NDArray[np.integer] | None = None,
    ) -> list[Doubles]:
        """Returns the sums of `spread` for some pairs only, which takes half the time if the pairs are few.

        There is one float64 [num_keys] for each of `amounts`.
        """
        wanted, positions = distinct_places(keys)
        columns, owners, weights = self._held(wanted, movie_rows, places)
        totals = (np.bincount(columns, weights * amount[owners], len(wanted)) for amount in amounts)
        return [np.asarray(total, np.float64)[positions] for total in totals]

    def between(self, movie_rows: Rows, of_rows: NDArray[np.integer]) -> Doubles:
        """Returns the weights of some movies as neighbours of others: float64 [num_movies, num_others].

        The movies hold no repeats; the others may, as a history may.
        """
        order = movie_rows.argsort()
        columns, owners, weights = self._held(movie_rows[order], of_rows, None)
        matrix = np.zeros((len(movie_rows), len(of_rows)))
        matrix[order[columns], owners] = weights
        return matrix

    def _held(
        self, ascending: Rows, movie_rows: NDArray[np.integer], places: NDArray[np.integer] | None
    ) -> tuple[Rows, Rows, NDArray[np.float32]]:
        """Finds which neighbours of some movies are among ascending pairs of place and movie.

        Returns for each the position of its key, the position of the movie in `movie_rows`, and the weight.
        """
        sources, found, lengths = self._neighbours(movie_rows, places)
        hits, columns = places_held(ascending, found)
        return columns, lengths.cumsum().searchsorted(hits, side="right"), self.weights[sources[hits]]

    def _neighbours(
        self, movie_rows: NDArray[np.integer], places: NDArray[np.integer] | None
    ) -> tuple[Rows, Rows, Rows]:
        """Returns the neighbours of some movies.

        The result holds the positions of the neighbours in the table, the pairs of place and neighbour as
        numbers, and how many neighbours each movie has.
        """
        begins = self.offsets[movie_rows]
        lengths = self.offsets[np.asarray(movie_rows) + 1] - begins
        sources = spans(begins, lengths)
        found = self.movie_rows[sources].astype(np.int64)
        if places is not None:
            found += (places * self.num_movies).repeat(lengths)
        return sources, found, lengths


class MovieSums(NamedTuple):
    """Holds a number for some movies; every other movie has 0.

    For several reviewers at once the rows are keys, `place * num_movies + movie_row`.
    """

    rows: Rows
    """int64 [num], ascending."""
    values: Doubles
    """float64 [num]."""
    num_movies: int
    """How many movies, or keys, there are in all."""

    def at(self, movie_rows: NDArray[np.integer] | slice) -> Doubles:
        """Returns the numbers of some movies, or of a slice of all movies: float64 [num]."""
        if isinstance(movie_rows, slice):
            every = np.zeros(self.num_movies)
            every[self.rows] = self.values
            return every[movie_rows]
        if not len(self.rows):
            return np.zeros(len(movie_rows))
        places = np.minimum(self.rows.searchsorted(movie_rows), len(self.rows) - 1)
        return np.where(self.rows[places] == movie_rows, self.values[places], 0.0)


def stars_above_expectation(above_means: NDArray[np.floating], histories: Histories) -> Doubles:
    """Returns each review's rating less the rating that the movie's mean and the reviewer's mean predict.

    That is the rating less the movie's mean, as `RatingHead.above_means` gives it, less the reviewer's own
    mean above the movies' means, which is damped.
    """
    offsets = sums(above_means, histories.offsets) / (histories.lengths + _OFFSET_DAMPING)
    above: Doubles = above_means - offsets[histories.places]
    return above


def mean_stars(totals: Doubles, weights: Doubles) -> Doubles:
    """Returns the mean stars of neighbours, drawn towards 0, from their weighted sums and their weights."""
    return totals / (weights + _RATING_PRIOR)


def stars_without_each(weights: Doubles, above_means: Doubles) -> tuple[Doubles, Doubles]:
    """Rates movies by one reviewer's ratings of their neighbours, with all reviews and without each review.

    Args:
        weights: float64 [num_movies, num_reviews], how near each movie is to each reviewed movie.
        above_means: float64 [num_reviews], the reviewer's ratings less the movies' means.

    Returns:
        What `NeighbourRatings` says of the movies, and what it would say without each review: float64
        [num_movies] and [num_movies, num_reviews].
    """
    totals, mass, own = weights @ above_means, weights.sum(axis=1), above_means.sum()
    damped = len(above_means) + _OFFSET_DAMPING
    mass_without = mass[:, None] - weights
    offsets = (own - above_means) / (damped - 1)
    return (
        mean_stars(totals - own / damped * mass, mass),
        mean_stars(totals[:, None] - weights * above_means - offsets * mass_without, mass_without),
    )


@dataclass(frozen=True, kw_only=True)
class NeighbourRatings:
    """Says how far above expectation some reviewers rated movies' neighbours; worked out when asked for.

    The table holds similarities of ratings.
    """

    table: NeighbourTable
    histories: Histories
    stars: Doubles
    """float64 [num_reviews], stars above expectation."""

    def at(self, keys: NDArray[np.integer] | slice) -> Doubles:
        """Returns the stars of pairs, `place * num_movies + movie_row`, or of a slice: float64 [num]."""
        rows, places = self.histories.movie_rows, self.histories.places
        amounts = self.stars, np.ones(len(rows))
        if isinstance(keys, slice) or len(keys) > self.table.num_neighbours(rows):
            num_places = len(self.histories)
            found, (totals, weights) = self.table.spread(rows, *amounts, places=places, num_places=num_places)
            return MovieSums(found, mean_stars(totals, weights), num_places * self.table.num_movies).at(keys)
        wanted = np.asarray(keys, dtype=np.int64)
        totals, weights = self.table.spread_to(wanted, rows, *amounts, places=places)
        return mean_stars(totals, weights)
