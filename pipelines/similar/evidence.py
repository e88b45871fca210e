"""Compares movies by shared reviewers, by movie vectors and by metadata, for the table of similar movies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats, Rows, spans
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Model
from pipelines.similar.traits import Traits

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SITTING = 20
"""Two reviews in a reviewer's history count as near each other if they are at most this many reviews
apart."""
_DAMPING = 3.0
"""The number that `_beyond` adds to the expected number of common reviewers of two movies, so that pairs of
rarely reviewed movies do not get large values by chance."""
_MAX_HISTORY = 300
"""The largest number of latest reviews of a reviewer that are paired with each other; the time to make pairs
grows with the square of the number of reviews."""
_TOP = 10
"""The function `units` computes the mean of this many of a movie's highest similarities."""
_ROWS_AT_ONCE = 512
"""The number of movies whose common reviewers with all other movies are in memory at once."""


class Pairs(NamedTuple):
    """Holds how much more often movies are reviewed together than the movies' popularity explains."""

    sittings: csr_array
    """Sparse float32 [num_compared, num_movies], with a row for each compared movie and a column for each
    movie: how much more often two movies are reviewed near each other than the movies' popularity explains.
    The formula for the stored values of `sittings` is in `_beyond`. Two reviews in a reviewer's history are
    near each other if they are at most 20 (SITTING) reviews apart. If the model ignores the order of reviews,
    any two of a reviewer's latest 300 (_MAX_HISTORY) reviews count as near each other. Only positive values
    are stored."""
    likes: csr_array
    """Sparse float32 [num_compared, num_movies], with a row for each compared movie and a column for each
    movie: how much more often reviewers like both movies of a pair than the movies' popularity explains. The
    formula for the stored values of `likes` is in `_beyond`. Only positive values are stored."""


@dataclass(frozen=True)
class Evidence:
    """Compares movies by reviewers' histories, by a model's movie vectors, and by the movies' traits."""

    model: Model
    traits: Traits

    @property
    def num_movies(self) -> int:
        """Returns the number of movies."""
        return self.model.num_movies

    @cached_property
    def vectors(self) -> Floats:
        """Returns the movie vectors of the model's relevance head, without biases, scaled to length 1."""
        vectors = np.asarray(self.model.relevance.movie_vectors[:, :-1])
        lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
        return np.asarray(vectors / np.maximum(lengths, np.float32(1e-9)))

    def pairs(self, movie_rows: Rows) -> Pairs:
        """Compares each movie in `movie_rows` with every movie by how often reviewers review or like both."""
        likes = self._likes.beyond_expectation(movie_rows)
        if self._sittings is None:
            return Pairs(self._reviews.beyond_expectation(movie_rows), likes)
        return Pairs(self._sittings.beyond_expectation(movie_rows), likes)

    def shared(self, table: NeighbourTable) -> NDArray[np.int32]:
        """Counts the common reviewers of each movie and each neighbour in `table`: int32 [num_pairs]."""
        by_reviewer = _matrix(self.model.histories, self.num_movies)
        by_movie = by_reviewer.T.tocsr()
        found = [np.zeros(0, dtype=np.int32)]
        for begin in range(0, self.num_movies, _ROWS_AT_ONCE):
            offsets = table.offsets[begin : begin + _ROWS_AT_ONCE + 1]
            others = table.movie_rows[offsets[0] : offsets[-1]]
            places = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
            counted = (by_movie[begin : begin + _ROWS_AT_ONCE] @ by_reviewer).tocsr()
            found.append(np.asarray(counted[places, others], dtype=np.float32).ravel().astype(np.int32))
        return np.concatenate(found)

    @cached_property
    def _likes(self) -> _Together:
        recent = self.model.histories.latest(_MAX_HISTORY)
        liked = self.model.review_weights[recent.level_rows] >= 1
        return _Together(_matrix(recent, self.num_movies, liked))

    @cached_property
    def _reviews(self) -> _Together:
        return _Together(_matrix(self.model.histories.latest(_MAX_HISTORY), self.num_movies))

    @cached_property
    def _sittings(self) -> _Sittings | None:
        """Returns an object that counts how often two movies are reviewed near each other in a history.

        Returns None if the model ignores the order of reviews.
        """
        if self.model.relevance.recency_power == 0:
            return None
        return _Sittings(self.model.histories, self.num_movies)


def in_units(values: csr_array, shrinkage: float) -> csr_array:
    """Divides each row of a sparse matrix by the mean of the row's ten highest values plus `shrinkage`.

    The function `units` computes the mean of each row's ten highest values. The shrinkage, a positive number,
    keeps the values of movies with few reviews small.
    """
    scaled = values.copy()
    divisors = np.repeat(units(values) + shrinkage, np.diff(values.indptr))
    scaled.data = (values.data / divisors).astype(np.float32)
    return scaled


def units(values: csr_array) -> Doubles:
    """Returns the mean of the ten highest values of each row of a sparse matrix: float64 [num_rows].

    If a row of the sparse matrix stores fewer than ten values, the sum of the stored values is divided by
    ten.
    """
    means = np.zeros(values.shape[0])
    for row in range(values.shape[0]):
        own = values.data[values.indptr[row] : values.indptr[row + 1]]
        means[row] = np.partition(own, -_TOP)[-_TOP:].sum() / _TOP if len(own) > _TOP else own.sum() / _TOP
    return means


class _Together:
    """Counts the common reviewers of two movies beyond the number that popularity alone would explain."""

    def __init__(self, matrix: csr_array) -> None:
        self._by_reviewer = matrix
        self._by_movie = matrix.T.tocsr()
        self._counts = np.diff(self._by_movie.indptr).astype(np.float64)
        lengths = np.diff(matrix.indptr).astype(np.float64)
        # Reviewers with long histories make most pairs of movies, so the expected number of common reviewers
        # is computed from the number of pairs that each reviewer makes.
        self._share = (lengths * (lengths - 1)).sum() / max(lengths.sum(), 1.0) ** 2

    def beyond_expectation(self, movie_rows: Rows) -> csr_array:
        counted = (self._by_movie[movie_rows] @ self._by_reviewer).tocsr()
        return _beyond(counted, self._counts * self._share, self._counts, movie_rows)


class _Sittings:
    """Counts how often two movies are reviewed near each other in a history; nearer reviews count more."""

    def __init__(self, histories: Histories, num_movies: int) -> None:
        self._movie_rows = np.asarray(histories.movie_rows)
        self._order = np.argsort(self._movie_rows, kind="stable")
        self._starts = np.searchsorted(self._movie_rows[self._order], np.arange(num_movies + 1))
        lengths = np.diff(histories.offsets)
        self._begins = np.repeat(np.asarray(histories.offsets)[:-1], lengths)
        self._ends = np.repeat(np.asarray(histories.offsets)[1:], lengths)
        self._weights = 1 / np.sqrt(np.arange(1, SITTING + 1))
        sums = np.concatenate([[0.0], np.cumsum(self._weights)])
        places = np.arange(len(self._movie_rows))
        after = np.minimum(self._ends - 1 - places, SITTING)
        before = np.minimum(places - self._begins, SITTING)
        totals = np.bincount(self._movie_rows, sums[after] + sums[before], num_movies)
        self._totals = totals.astype(np.float64)

    def beyond_expectation(self, movie_rows: Rows) -> csr_array:
        from scipy.sparse import coo_array

        lengths = self._starts[movie_rows + 1] - self._starts[movie_rows]
        places = self._order[spans(self._starts[movie_rows], lengths)]
        rows = np.repeat(np.arange(len(movie_rows)), lengths)
        found: list[tuple[Rows, NDArray[np.int32], Doubles]] = []
        for distance, weight in enumerate(self._weights, 1):
            for near, held in (
                (places + distance, places + distance < self._ends[places]),
                (places - distance, places - distance >= self._begins[places]),
            ):
                others = self._movie_rows[near[held]]
                found.append((rows[held], others, np.full(len(others), weight)))
        near_rows, others, weights = (np.concatenate(column) for column in zip(*found, strict=True))
        shape = (len(movie_rows), len(self._totals))
        counted = coo_array((weights, (near_rows, others)), shape=shape).tocsr()
        return _beyond(counted, self._totals / max(self._totals.sum(), 1.0), self._totals, movie_rows)


def _beyond(counted: csr_array, shares: Doubles, totals: Doubles, movie_rows: Rows) -> csr_array:
    """Returns the positive values of `(counted - expected) / sqrt(expected + _DAMPING)` for pairs of movies.

    The matrix `counted` holds how often two movies are reviewed or liked together, with a row for each movie
    in `movie_rows`. The expected number for the movies i and j is `shares[i] * totals[j]`: how often the
    movies would be reviewed or liked together if popularity alone decided. The argument `totals`, float64
    [num_movies], holds each movie's popularity, such as the number of the movie's reviewers. The argument
    `shares`, float64 [num_movies], is `totals` multiplied by one factor, which is the same for all movies.
    The caller chooses the factor so that, over all pairs of movies, the expected numbers have the same sum as
    the counted numbers. A movie is not paired with itself.
    """
    from scipy.sparse import csr_array

    rows = np.repeat(np.arange(counted.shape[0]), np.diff(counted.indptr))
    expected = shares[movie_rows[rows]] * totals[counted.indices]
    values = (counted.data - expected) / np.sqrt(expected + _DAMPING)
    kept = (values > 0) & (counted.indices != movie_rows[rows])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows[kept], minlength=counted.shape[0]))])
    return csr_array((values[kept].astype(np.float32), counted.indices[kept], offsets), shape=counted.shape)


def _matrix(histories: Histories, num_movies: int, kept: NDArray[np.bool_] | None = None) -> csr_array:
    """Returns a sparse matrix with a 1 for each review marked in `kept`: float32 [num_reviewers, num_movies].

    The argument `kept`, bool [num_reviews], marks reviews in `histories`. If `kept` is None, the matrix has a
    1 for every review in `histories`.
    """
    from scipy.sparse import csr_array

    rows, movie_rows = histories.places, histories.movie_rows
    if kept is not None:
        rows, movie_rows = rows[kept], movie_rows[kept]
    ones = np.ones(len(rows), dtype=np.float32)
    return csr_array((ones, (rows, movie_rows)), shape=(len(histories), num_movies))
