"""Holds tables of each movie's most similar movies (neighbours), and sums similarities of movies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, distinct_places, parts_of, places_held, sums
from engine.artifact.arrays import check_rows, check_spans
from engine.model.histories import Histories, recency_weights

_SORTED_UP_TO = 8
"""The function `_added_up` finds the distinct numbers in the array `found`, whose numbers are below
`num_keys`. If `num_keys` is more than `_SORTED_UP_TO` times the length of `found`, `_added_up` sorts `found`.
If `num_keys` is at most `_SORTED_UP_TO` times the length of `found`, marking the numbers of `found` in a
table of length `num_keys` is faster than sorting."""
_RATING_PRIOR = 0.2
"""The function `mean_stars` divides a weighted sum of rating differences by the sum of the weights plus
`_RATING_PRIOR`. A rating difference is a rating minus the expected rating, in stars. Because of
`_RATING_PRIOR`, the mean of few rating differences is near 0 stars."""
_OFFSET_DAMPING = 15.0
"""A reviewer's mean deviation is the sum of the reviewer's deviations, divided by the number of the
reviewer's reviews plus `_OFFSET_DAMPING`. A deviation is a rating minus the movie's mean rating, in stars.
Because of `_OFFSET_DAMPING`, the mean deviation of a reviewer with few reviews is near 0 stars."""


class Neighbours(NamedTuple):
    """Holds the neighbours of several movies, such as the movies of a history."""

    begins: Rows
    """int64 [num], the position of each movie's first neighbour in the arrays of the neighbour table."""
    lengths: Rows
    """int64 [num], the number of neighbours of each movie."""
    keys: Rows
    """int64 [lengths.sum()], the neighbours of the first movie, then the neighbours of the second movie, and
    so on. The number `place * num_movies + movie_row` stands for the neighbour with the row `movie_row`. The
    number `place` is the position, among the given reviewers, of the reviewer whose history holds the movie
    with the neighbour; `place` is 0 for a single reviewer."""


@dataclass(frozen=True, eq=False)
class NeighbourTable:
    """Holds each movie's neighbours and their similarities in three arrays, in memory or memory-mapped."""

    offsets: NDArray[np.int64]
    """int64 [num_movies + 1]: the neighbours of movie i are at the positions from `offsets[i]` to before
    `offsets[i + 1]` of the arrays `movie_rows` and `weights`."""
    movie_rows: NDArray[np.int32]
    """int32 [num_pairs], the row of each neighbour."""
    weights: Floats
    """float32 [num_pairs], the similarity of each movie and its neighbour."""
    is_stored: bool = False
    """Whether the arrays are files of an index; row numbers from files are checked at each use, because files
    may be damaged."""

    @property
    def num_movies(self) -> int:
        """Returns the number of movies in the table, including movies without neighbours."""
        return len(self.offsets) - 1

    def of(self, movie_row: int) -> tuple[NDArray[np.int32], Floats]:
        """Returns the rows of one movie's neighbours, and the similarity of each neighbour."""
        [begin], [length], found = self.look_up(np.array([movie_row]))
        return found.astype(np.int32), self.weights[begin : begin + length]

    def num_neighbours(self, movie_rows: NDArray[np.integer]) -> int:
        """Counts the neighbours of the given movies; a neighbour of two given movies counts twice."""
        return int((self.offsets[np.asarray(movie_rows) + 1] - self.offsets[movie_rows]).sum())

    def spread(
        self,
        movie_rows: NDArray[np.integer],
        *amounts: NDArray[np.floating],
        places: NDArray[np.integer] | None = None,
        num_places: int = 1,
    ) -> tuple[Rows, list[Doubles]]:
        """Sums, for each neighbour of the given movies, the given movies' amounts times the similarities.

        An amount is a number that belongs to a given movie, such as the weight of a review of the movie.

        Args:
            movie_rows: the rows of the given movies, int [num].
            amounts: arrays with one amount for each given movie, float [num]; amounts of different arrays are
                summed separately.
            places: for each given movie, the position of the reviewer whose history holds the movie, int
                [num], from 0 to `num_places - 1`; amounts of different reviewers are summed separately.
                Without `places`, all given movies belong to one reviewer's history.
            num_places: the number of reviewers.

        Returns:
            Two results. The first result is an array of pairs of a reviewer and a neighbour, int64
            [num_pairs], ascending. A pair is the number `place * num_movies + movie_row`, where `place` is
            the reviewer's position, and `movie_row` the neighbour's row. The second result is a list of
            arrays of sums, float64 [num_pairs]: one array of sums for each array in `amounts`. For each pair
            of a reviewer R and a neighbour N, an array of sums holds the sum of `amount * similarity` over
            the given movies that belong to R and have the neighbour N. The number `amount` is a given movie's
            entry in the array of `amounts`; `similarity` is the table's similarity of the given movie and the
            neighbour. The sum of `amount * similarity` is 0 for every pair of reviewer and movie that is not
            returned.
        """
        begins, lengths, found = self.look_up(movie_rows, places)
        weights = parts_of(self.weights, begins, lengths)
        given = (weights * amount.repeat(lengths) for amount in amounts)
        return _added_up(found, given, num_places * self.num_movies)

    def spread_to(self, keys: Rows, found: Neighbours, *amounts: NDArray[np.floating]) -> list[Doubles]:
        """Computes the sums of `spread` for given pairs of reviewer and movie only; faster for few pairs.

        The array `keys` holds the pairs of reviewer and movie, each as the number `place * num_movies +
        movie_row`, where `place` is the position of the reviewer among the given reviewers. The argument
        `found` is the result of `look_up` for the given movies. Each array in `amounts` holds one amount for
        each given movie, such as the weight of a review of the movie.

        Returns:
            A list with one array of sums, float64 [num_keys], for each array in `amounts`. For each pair of a
            reviewer R and a movie M in `keys`, an array of sums holds the sum of `amount * similarity` over
            the given movies in the history of R. The number `amount` is a given movie's entry in the array of
            `amounts`. The number `similarity` is the table's similarity of the given movie and the pair's
            movie; 0 if the pair's movie is not a neighbour of the given movie.
        """
        wanted, positions = distinct_places(keys)
        hits, columns = places_held(wanted, found.keys)
        owners, sources = _sources(hits, found)
        weights = self.weights[sources]
        totals = (np.bincount(columns, weights * amount[owners], len(wanted)) for amount in amounts)
        return [np.asarray(total, np.float64)[positions] for total in totals]

    def between(self, movie_rows: Rows, found: Neighbours) -> Doubles:
        """Returns a matrix: entry [i, j] is the similarity of `movie_rows[i]` to the j-th movie of `found`.

        The argument `found` is the result of `look_up` for the movies of one reviewer's history. The array
        `movie_rows` must not hold a movie twice.

        Returns:
            The matrix, float64, with a row for each movie in `movie_rows`, and a column for each movie of the
            history. The entry [i, j] is 0 if `movie_rows[i]` is not a neighbour of the j-th movie.
        """
        # Marking `movie_rows` in an array of all movies is faster than searching for each neighbour in
        # `movie_rows`.
        is_wanted = np.zeros(self.num_movies, dtype=bool)
        is_wanted[movie_rows] = True
        hits = np.flatnonzero(is_wanted[found.keys])
        order = movie_rows.argsort()
        columns = order[movie_rows[order].searchsorted(found.keys[hits])]
        owners, sources = _sources(hits, found)
        matrix = np.zeros((len(movie_rows), len(found.lengths)))
        matrix[columns, owners] = self.weights[sources]
        return matrix

    def look_up(
        self, movie_rows: NDArray[np.integer], places: NDArray[np.integer] | None = None
    ) -> Neighbours:
        """Looks up the neighbours of the given movies.

        The given movies are the movies of one or several reviewers' histories. The array `places`, int [num],
        holds, for each given movie, the position of the reviewer whose history holds the movie. If `places`
        is not given, all given movies are from the history of one reviewer.
        """
        begins = self.offsets[movie_rows]
        lengths = self.offsets[np.asarray(movie_rows) + 1] - begins
        if self.is_stored:
            check_spans(begins, lengths, len(self.movie_rows), self.num_movies, "neighbours of movies")
        rows = parts_of(self.movie_rows, begins, lengths)
        if self.is_stored:
            check_rows(rows, self.num_movies, "neighbours of movies")
        found = rows.astype(np.int64)
        if places is not None:
            found += (places * self.num_movies).repeat(lengths)
        return Neighbours(begins, lengths, found)


class NearTable(NamedTuple):
    """Holds a neighbour table, and how much the table's similarities add to the relevance of movies."""

    table: NeighbourTable
    weight: float
    """The number that is multiplied with a sum of similarities before the sum is added to a movie's
    relevance."""
    recency_power: float
    """An exponent that makes older reviews weigh less: the n-th last review of a history weighs `n **
    -recency_power`."""
    length_power: float = 1.0
    """A sum of similarities to the movies of a history is divided by `(sum of the reviews' recency weights)
    ** length_power`. The exponent 1 gives the mean similarity over the history; the exponent 0 gives the sum
    of the similarities."""

    def weight_of_review(self, mass: NDArray[np.floating]) -> Doubles:
        """Returns, for each history, the weight of the similarities to the movie that was reviewed last.

        The argument `mass`, float [num], holds the sum of the recency weights of each history's reviews. The
        returned weight of a history is `weight / max(mass, 1) ** length_power`: float64 [num]. The maximum of
        `mass` and 1 avoids a division by 0 for a history without reviews, for which `mass` is 0.
        """
        divisors: Doubles = np.maximum(mass, 1.0).astype(np.float64) ** self.length_power
        return self.weight / divisors


def _sources(hits: Rows, found: Neighbours) -> tuple[Rows, Rows]:
    """Finds where given neighbours stand in the neighbour table, and of which movies they are neighbours.

    The argument `found` is the result of `NeighbourTable.look_up` for some movies. The array `hits`, int64,
    names the given neighbours by the positions of the neighbours in `found.keys`.

    Returns:
        An array of movie positions and an array of neighbour positions, int64 [len(hits)] each. For each
        neighbour in `hits`, the array of movie positions names the movie that has the neighbour, by the
        movie's position among the movies given to `look_up`. For each neighbour in `hits`, the array of
        neighbour positions holds the neighbour's position in the arrays of the neighbour table.
    """
    ends = found.lengths.cumsum()
    owners: Rows = ends.searchsorted(hits, side="right").astype(np.int64)
    shifts: Rows = np.subtract(found.begins, ends - found.lengths)
    return owners, hits + shifts[owners]


class MovieSums(NamedTuple):
    """Holds a value for each movie, such as a sum of similarities; stores only the values that are not 0.

    A `MovieSums` object may instead hold a value for each pair of a reviewer and a movie. In `rows`, a pair
    of a reviewer and a movie is stored as one integer, `place * M + movie_row`, where `place` is the position
    of the reviewer among the given reviewers, and M is the number of movies.
    """

    rows: Rows
    """int64 [num], ascending: the rows of the movies whose values, such as sums of similarities, are not 0.
    For several reviewers: the pairs of reviewer and movie whose values are not 0."""
    values: Doubles
    """float64 [num], a value for each movie in `rows`, such as a sum of similarities. For several reviewers:
    a value for each pair of reviewer and movie in `rows`, such as the sum of the movie's similarities to the
    reviewer's movies."""
    num_movies: int
    """The number of all movies, including the movies that are not in `rows` because their values are 0. For
    several reviewers, `num_movies` is the number of reviewers times the number of all movies."""

    def at(self, movie_rows: NDArray[np.integer] | slice) -> Doubles:
        """Returns the values, such as sums of similarities, that are held for given movies: float64 [num].

        The argument `movie_rows` holds the rows of the given movies, or is a slice of all movies. For several
        reviewers, each integer in `movie_rows` stands for a pair of a reviewer and a movie, as in the field
        `rows`: the integer is `place * M + movie_row`, where `place` is the reviewer's position, and M is the
        number of movies.
        """
        if isinstance(movie_rows, slice):
            every = np.zeros(self.num_movies)
            every[self.rows] = self.values
            return every[movie_rows]
        if not len(self.rows):
            return np.zeros(np.shape(movie_rows))
        places = np.minimum(self.rows.searchsorted(movie_rows), len(self.rows) - 1)
        return np.where(self.rows[places] == movie_rows, self.values[places], 0.0)


def near_sums(
    tables: Sequence[NearTable],
    found: Sequence[Neighbours],
    histories: Histories,
    review_weights: Doubles,
    num_movies: int,
) -> MovieSums:
    """Sums the weighted similarities of each movie to the movies of each history, over several tables.

    Args:
        tables: neighbour tables, with the weights by which similarities are multiplied.
        found: for each table, the result of `NeighbourTable.look_up` for the movies of the histories.
        histories: the histories of the reviewers.
        review_weights: float64 [num_reviews], the weight of each review, by which similarities to the
            reviewed movie are multiplied.
        num_movies: the number of movies in each table.
    """
    keys, given = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for table, near in zip(tables, found, strict=True):
        fading = recency_weights(histories.ages, table.recency_power)
        weights = table.weight_of_review(sums(fading, histories.offsets))
        amounts = review_weights * fading * weights[histories.places]
        keys.append(near.keys)
        given.append(parts_of(table.table.weights, near.begins, near.lengths) * amounts.repeat(near.lengths))
    num_keys = len(histories) * num_movies
    rows, (values,) = _added_up(np.concatenate(keys), [np.concatenate(given)], num_keys)
    return MovieSums(rows, values, num_keys)


def _added_up(
    found: Rows, given: Iterable[NDArray[np.floating]], num_keys: int
) -> tuple[Rows, list[Doubles]]:
    """Sums the entries of each array in `given` separately for each distinct number in the array `found`.

    Each array in `given` is as long as `found`; entry i belongs to the number `found[i]`. All numbers in
    `found` must be below `num_keys`. The function returns the distinct numbers of `found`, ascending. For
    each array in `given`, the function also returns an array with one sum for each distinct number of
    `found`. The sum for a number adds up all entries that belong to the number. For example, if `found` is
    [7, 3, 7], and an array in `given` is [1, 2, 4], the function returns the numbers [3, 7] and the sums [2,
    5].
    """
    keys: NDArray[np.integer]
    if len(found) * _SORTED_UP_TO < num_keys:
        keys, positions = distinct_places(found)
    else:
        touched = np.zeros(num_keys, dtype=bool)
        touched[found] = True
        keys, positions = np.flatnonzero(touched), (np.cumsum(touched) - 1)[found]
    totals = [np.asarray(np.bincount(positions, each, len(keys)), np.float64) for each in given]
    return keys.astype(np.int64), totals


def stars_above_expectation(above_means: NDArray[np.floating], histories: Histories) -> Doubles:
    """Returns each rating minus the rating expected from the movie's and the reviewer's mean ratings.

    The array `above_means`, from `RatingHead.above_means`, holds each rating minus the movie's mean rating.
    From each entry of `above_means`, the function subtracts the mean of the same reviewer's entries. The mean
    of a reviewer's entries is the sum of the entries, divided by the number of the entries plus
    `_OFFSET_DAMPING`. The constant `_OFFSET_DAMPING` moves the mean of few entries towards 0 stars.
    """
    offsets = sums(above_means, histories.offsets) / (histories.lengths + _OFFSET_DAMPING)
    above: Doubles = above_means - offsets[histories.places]
    return above


def mean_stars(totals: Doubles, weights: Doubles) -> Doubles:
    """Returns the mean differences between ratings and expected ratings, in stars.

    The array `totals` holds weighted sums of differences between ratings and expected ratings. The array
    `weights` holds, for each weighted sum, the sum of the weights. The mean difference between ratings and
    expected ratings is `totals / (weights + _RATING_PRIOR)`. The constant `_RATING_PRIOR` moves a mean
    difference towards 0 stars if the sum of the weights is small.
    """
    return totals / (weights + _RATING_PRIOR)


def stars_without_each(weights: Doubles, above_means: Doubles) -> tuple[Doubles, Doubles]:
    """Computes by how many stars, on average, a reviewer rated each movie's neighbours above expectation.

    The function computes the mean over all of the reviewer's ratings, and the mean without each rating in
    turn. A rating of a neighbour is weighted by the neighbour's similarity to the movie.

    Args:
        weights: float64 [num_movies, num_reviews], the similarity of each movie to each reviewed movie.
        above_means: float64 [num_reviews], each of the reviewer's ratings minus the mean rating of the rated
            movie.

    Returns:
        Two arrays of averages, in stars. Each average is over the differences between the reviewer's ratings
        and the ratings that the mean ratings of the reviewer and of the rated movies lead one to expect. The
        first array, float64 [num_movies], holds the average for each movie, with all ratings of the reviewer.
        Column i of the second array, float64 [num_movies, num_reviews], holds the average for each movie
        without the reviewer's rating i.
    """
    totals, mass, own = weights @ above_means, weights.sum(axis=1), above_means.sum()
    damped = len(above_means) + _OFFSET_DAMPING
    mass_without = mass[:, None] - weights
    offsets = (own - above_means) / (damped - 1)
    return (
        mean_stars(totals - own / damped * mass, mass),
        mean_stars(totals[:, None] - weights * above_means - offsets * mass_without, mass_without),
    )


@dataclass(frozen=True)
class NeighbourRatings:
    """Computes by how many stars reviewers rated a movie's neighbours higher than expected.

    The attribute `table` lists, as each movie's neighbours, the movies that the same reviewers rated
    similarly.
    """

    table: NeighbourTable
    histories: Histories
    stars: Doubles
    """float64 [num_reviews], each rating minus the expected rating, from `stars_above_expectation`."""

    @cached_property
    def found(self) -> Neighbours:
        """Returns the neighbours of the movies in the histories."""
        return self.table.look_up(self.histories.movie_rows, self.histories.places)

    def at(self, keys: NDArray[np.integer] | slice) -> Doubles:
        """Returns by how many stars, on average, reviewers rated movies' neighbours higher than expected.

        For a pair of a reviewer and a movie, the mean is taken over the reviewer's ratings of the movie's
        neighbours. The argument `keys` holds the pairs of reviewer and movie, each as the number `place *
        num_movies + movie_row`, where `place` is the reviewer's position in `histories`.

        Returns:
            float64 [num]: for each pair of reviewer and movie, the mean difference between the reviewer's
            ratings of the movie's neighbours and the expected ratings, in stars.
        """
        rows, places = self.histories.movie_rows, self.histories.places
        amounts = self.stars, np.ones(len(rows))
        if isinstance(keys, slice) or len(keys) > self.table.num_neighbours(rows):
            num_places = len(self.histories)
            found, (totals, weights) = self.table.spread(rows, *amounts, places=places, num_places=num_places)
            return MovieSums(found, mean_stars(totals, weights), num_places * self.table.num_movies).at(keys)
        wanted = np.asarray(keys, dtype=np.int64)
        totals, weights = self.table.spread_to(wanted, self.found, *amounts)
        return mean_stars(totals, weights)
