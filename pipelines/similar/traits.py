"""Reads the metadata by which movies are compared: categories, words, series and links between movies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows
from engine.catalogue.series import number_series, plain_title
from pipelines.dataset.words import NUM_FEATURES, TEXT_COLUMNS, count_words, learn_features, weigh_words
from pipelines.work.database import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    from scipy.sparse import csr_array

_BATCH = 10_000
"""The number of movies that are read from the database in one batch."""
_OTHER_COLUMNS = tuple(name for name in TEXT_COLUMNS if name not in ("title", "category"))
"""The columns of metadata, other than title and category, whose words are compared. Titles are left out,
because common words in titles say little: "Dead Man" and "Dead Man Walking" have nothing in common."""
_YEARS = 5.0
"""The time constant, in years, with which the nearness of two films of a series decreases in
`Traits.nearness_in_series`."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Holds the metadata by which movies are compared, as arrays that a checkpoint can save."""

    categories: Floats
    """float32 [num_movies, num_category_features], a vector of length 1 for each movie, or of zeros for a
    movie without categories. The inner product of two movies' vectors is high if the movies share rare
    categories."""
    words: Floats
    """float32 [num_movies, num_word_features], a vector of length 1 for each movie, from the words in brand,
    description, price and year; a vector of zeros for a movie without words."""
    series: Rows
    """int64 [num_movies], the number of each movie's series; -1 for a movie without a series."""
    titles: Rows
    """int64 [num_movies], a number that is the same for movies with the same title, such as remakes."""
    years: Floats
    """float32 [num_movies], the year of each movie; NaN for an unknown year."""
    links: Rows
    """int64 [num_links, 2], pairs of movie rows; in each pair, the metadata of the first movie links to the
    second movie, such as by "also bought"."""

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: NDArray[np.integer]) -> Traits:
        """Returns the traits of the movies in `rows`, without links to movies that are not in `rows`."""
        places = np.full(len(self), -1, dtype=np.int64)
        places[rows] = np.arange(len(rows))
        links = places[self.links]
        return Traits(
            categories=self.categories[rows],
            words=self.words[rows],
            series=self.series[rows],
            titles=self.titles[rows],
            years=self.years[rows],
            links=links[(links >= 0).all(axis=1)],
        )

    def of_one_series(self, movie_row: int) -> Rows:
        """Returns the rows of the other movies of a movie's series, int64, ascending.

        Movies with the same title as the given movie are left out, and so are movies whose categories have
        nothing in common with the given movie's categories.
        """
        if self.series[movie_row] < 0:
            return np.zeros(0, dtype=np.int64)
        same = self._in_series(int(self.series[movie_row]))
        rows: Rows = same[self.titles[same] != self.titles[movie_row]]
        categories = self.categories[rows]
        apart = (categories @ self.categories[movie_row] <= 0) & categories.any(axis=1)
        return rows[~apart] if self.categories[movie_row].any() else rows

    def _in_series(self, number: int) -> Rows:
        """Returns the rows of the movies of a series, int64, ascending."""
        by_series, begins = self._by_series
        rows: Rows = by_series[begins[number] : begins[number + 1]]
        return rows

    @cached_property
    def _by_series(self) -> tuple[Rows, Rows]:
        """Returns the rows of all movies, ordered by series, and the position at which each series begins."""
        by_series = np.argsort(self.series, kind="stable")
        numbers = np.arange(int(self.series.max(initial=-1)) + 2)
        return by_series, np.searchsorted(self.series[by_series], numbers)

    def neighbours_in_series(self) -> list[tuple[int, int]]:
        """Returns the rows of each two films that follow each other in a series when sorted by year."""
        pairs = []
        for number in range(int(self.series.max(initial=-1)) + 1):
            rows = self._in_series(number)
            rows = rows[np.lexsort((rows, self.years[rows]))]
            firsts = rows[np.unique(self.titles[rows], return_index=True)[1]]
            rows = rows[np.isin(rows, firsts)]
            pairs += [
                (int(one), int(other))
                for one, other in pairwise(rows.tolist())
                if other in self.of_one_series(one)
            ]
        return pairs

    def nearness_in_series(self, movie_row: int, others: Rows) -> Floats:
        """Returns the nearness in years of other films of a movie's series: float32 [num_others], 0.5 to 1.

        The nearness is 1 for films of the same year, and falls towards 0.5 with the years between the films,
        so that the sequel of a film comes before later films of a long series. The nearness of two films is
        0.75 if the year of one of the films is unknown.
        """
        years = np.abs(self.years[others] - self.years[movie_row])
        nearness = 0.5 + 0.5 * np.exp(-years / _YEARS)
        return np.asarray(np.nan_to_num(nearness, nan=0.75), dtype=np.float32)


class Described(NamedTuple):
    """Holds the metadata of movies from which `traits_of` makes an object `Traits`."""

    titles: list[str | None]
    years: Floats
    """float32 [num_movies], NaN for an unknown year."""
    categories: csr_array
    """sparse float32 [num_movies, NUM_COLUMNS], the counted words of each movie's categories, as in
    `count_words`."""
    words: csr_array
    """sparse float32 [num_movies, NUM_COLUMNS], the counted words of each movie's brand, description, price
    and year, as in `count_words`."""


def read_traits(database: duckdb.DuckDBPyConnection) -> Traits:
    """Reads the metadata by which movies are compared, for all movies in the database table `movies`."""
    return traits_of(read_described(database), read_links(database))


def read_described(database: duckdb.DuckDBPyConnection) -> Described:
    """Reads the metadata of all movies in the database table `movies`, in the order of movie rows."""
    known = database.execute("select title, year from movies order by movie_row").fetchall()
    return Described(
        [title for title, _ in known],
        np.array([np.nan if year is None else year for _, year in known], dtype=np.float32),
        _counted(database, ("category",)),
        _counted(database, _OTHER_COLUMNS),
    )


def read_links(database: duckdb.DuckDBPyConnection) -> Rows:
    """Reads the pairs of movies that metadata links ("also bought"), as movie rows: int64 [num_pairs, 2]."""
    columns = run(database, "tables/linked_movies").fetchnumpy()
    pairs = [np.asarray(columns[name], dtype=np.int64) for name in ("movie_row", "linked_row")]
    return np.stack(pairs, axis=1)


def traits_of(described: Described, links: Rows) -> Traits:
    """Makes an object `Traits`, by which movies are compared, from metadata and from links between movies.

    The argument `links` holds the pairs of movie rows that `read_links` returns.
    """
    return Traits(
        categories=_unit_vectors(described.categories),
        words=_unit_vectors(described.words),
        series=np.array(number_series(described.titles), dtype=np.int64),
        titles=_title_numbers(described.titles),
        years=described.years,
        links=links,
    )


def _counted(database: duckdb.DuckDBPyConnection, columns: tuple[str, ...]) -> csr_array:
    """Counts the words in the given columns of the database table `movies`, in the order of movie rows."""
    result = database.execute(f"select {', '.join(columns)} from movies order by movie_row")

    def movies() -> Iterator[dict[str, Any]]:
        while batch := result.fetchmany(_BATCH):
            yield from (dict(zip(columns, row, strict=True)) for row in batch)

    return count_words(movies())


def _unit_vectors(counts: csr_array) -> Floats:
    """Returns vectors of length 1 from counted words: float32 [num_movies, num_features].

    Only words that at least two movies have are used. If at most 128 (NUM_FEATURES) different words are used,
    each number in a movie's vector is the weight of one word. If more than 128 different words are used, the
    numbers in a movie's vector come from a latent semantic analysis of the words. A movie without usable
    words gets a vector of zeros.
    """
    columns = np.flatnonzero(np.bincount(counts.indices, minlength=counts.shape[1]) >= 2)
    if len(columns) <= NUM_FEATURES:
        found = np.bincount(counts.indices, minlength=counts.shape[1])[columns]
        rarities = np.log((1 + counts.shape[0]) / (1 + found)).astype(np.float32)
        vectors = weigh_words(counts[:, columns], rarities).toarray()
    else:
        described = np.flatnonzero(np.diff(counts.indptr))
        known, rarities, components = learn_features(counts[described])
        vectors = weigh_words(counts[:, known], rarities) @ components
    lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.maximum(lengths, 1e-9), dtype=np.float32)


def _title_numbers(titles: Sequence[str | None]) -> Rows:
    """Numbers the titles of movies; titles that differ only in year and format get the same number."""
    numbers: dict[str, int] = {}
    found = (numbers.setdefault(plain_title(title) or f"/{row}", row) for row, title in enumerate(titles))
    return np.fromiter(found, np.int64, len(titles))
