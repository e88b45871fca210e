"""Reads which movies have no reviews to learn from, and what metadata says of all movies."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.dataset.words import FEWEST_DESCRIBED, NUM_COLUMNS, read_words
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb
    from scipy.sparse import csr_array

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ColdCatalogue:
    """Holds what metadata says of every movie, in plain arrays, so that a checkpoint can hold them."""

    new_rows: NDArray[np.int64]
    """int64 [num_new], the rows of the movies that are to join a model as cold movies, ascending."""
    word_offsets: NDArray[np.int64]
    """int64 [num_movies + 1], where the words of each movie begin."""
    word_columns: NDArray[np.int32]
    """int32 [num_words], the columns that the words are hashed to."""
    word_counts: NDArray[np.float32]
    """float32 [num_words], the faded counts of the words."""
    links: NDArray[np.int32]
    """int32 [num_links, 2], the rows of two movies that metadata links."""
    reviewer_rows: NDArray[np.int32]
    """int32 [num_reviews], the reviewers of the few reviews of joining movies; no training uses them."""
    review_movie_rows: NDArray[np.int32]
    """int32 [num_reviews], the movies of these reviews."""
    ratings: NDArray[np.float64]
    """float64 [num_reviews], not a number where a review has none."""
    times: NDArray[np.int64]
    """int64 [num_reviews], unix seconds, 0 where a review has none."""

    @property
    def num_movies(self) -> int:
        """Counts the movies, joining ones included."""
        return len(self.word_offsets) - 1

    @property
    def words(self) -> csr_array:
        """Returns the counted words of all movies, float32 [num_movies, NUM_COLUMNS]."""
        from scipy.sparse import csr_array

        parts = (self.word_counts, self.word_columns, self.word_offsets)
        return csr_array(parts, shape=(self.num_movies, NUM_COLUMNS))

    @property
    def learned_words(self) -> csr_array:
        """Returns the counted words of the movies that do not join, which a model learns from."""
        return self.words[np.setdiff1d(np.arange(self.num_movies), self.new_rows)]

    @property
    def link_matrix(self) -> csr_array:
        """Returns 1 where metadata links a movie to another, float32 [num_movies, num_movies]."""
        from scipy.sparse import csr_array

        ones = np.ones(len(self.links), dtype=np.float32)
        return csr_array((ones, (self.links[:, 0], self.links[:, 1])), shape=(self.num_movies,) * 2)


def read_cold_catalogue(database: duckdb.DuckDBPyConnection) -> ColdCatalogue | None:
    """Adds the cold movies to the ingested tables, which renumbers all movies, and reads the catalogue.

    Returns None, with the tables unchanged, where metadata describes too few reviewed movies.
    """
    [(num_described,)] = database.execute(
        "select count(*) from movies where coalesce(title, category, brand, description) is not null"
    ).fetchall()
    if num_described < FEWEST_DESCRIBED:
        logger.info("Metadata describes too few of the reviewed movies to take in movies without reviews")
        return None
    run(database, "cold_start/join_cold_movies")
    return read_catalogue(database)


def read_catalogue(database: duckdb.DuckDBPyConnection) -> ColdCatalogue:
    """Reads what is known of all movies.

    In the table `movies`, `learned_row` is the row that a movie had before, or null for a movie that is to
    join. The table `cold_reviews` holds the reviews of joining movies, if any.
    """
    joining = database.execute("select movie_row from movies where learned_row is null order by movie_row")
    new_rows = np.asarray(joining.fetchnumpy()["movie_row"], dtype=np.int64)
    words = read_words(database)
    links = run(database, "tables/linked_movies").fetchnumpy()
    reviews = database.execute(
        "select reviewer_row, movie_row, rating, time from cold_reviews join movies using (movie_id) "
        "order by reviewer_row, time, movie_row"
    ).fetchnumpy()
    return ColdCatalogue(
        new_rows=new_rows,
        word_offsets=words.indptr.astype(np.int64),
        word_columns=words.indices.astype(np.int32),
        word_counts=words.data,
        links=np.stack([links["movie_row"], links["linked_row"]], axis=1).astype(np.int32),
        reviewer_rows=np.asarray(reviews["reviewer_row"], dtype=np.int32),
        review_movie_rows=np.asarray(reviews["movie_row"], dtype=np.int32),
        ratings=np.ma.filled(np.ma.asarray(reviews["rating"], dtype=np.float64), np.nan),
        times=np.asarray(reviews["time"], dtype=np.int64),
    )
