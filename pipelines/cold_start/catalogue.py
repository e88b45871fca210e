"""The movies of metadata that have too few reviews to be learned from: chosen, and put among the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.dataset.reviews import Reviews
from pipelines.dataset.words import FEWEST_DESCRIBED, NUM_COLUMNS, read_words
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb
    from scipy.sparse import csr_array

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ColdCatalogue:
    """Every movie, by what metadata says of it.

    Its arrays are plain, so that a build can keep them and go on from there.

    Attributes:
        new_rows: int64 [num_new], the rows of movies without enough reviews, ascending.
        word_offsets: int64 [num_movies + 1], where the words of each movie begin.
        word_columns: int32 [num_words], the columns that they are hashed to.
        word_counts: float32 [num_words], their faded counts.
        links: int32 [num_links, 2], the rows of two movies that metadata links.
        reviewer_rows: int32 [num_reviews], of reviews of the new movies, of which nothing is learned.
        review_movie_rows: int32 [num_reviews].
        ratings: float64 [num_reviews], not a number where there are none.
        times: int64 [num_reviews], unix seconds, 0 where there are none.
    """

    new_rows: NDArray[np.int64]
    word_offsets: NDArray[np.int64]
    word_columns: NDArray[np.int32]
    word_counts: NDArray[np.float32]
    links: NDArray[np.int32]
    reviewer_rows: NDArray[np.int32]
    review_movie_rows: NDArray[np.int32]
    ratings: NDArray[np.float64]
    times: NDArray[np.int64]

    @property
    def num_movies(self) -> int:
        """Movies in all."""
        return len(self.word_offsets) - 1

    @property
    def words(self) -> csr_array:
        """The counted words of all movies, float32 [num_movies, NUM_COLUMNS]."""
        from scipy.sparse import csr_array

        parts = (self.word_counts, self.word_columns, self.word_offsets)
        return csr_array(parts, shape=(self.num_movies, NUM_COLUMNS))

    @property
    def learned_words(self) -> csr_array:
        """Those of the movies that have reviews to learn from, in the order of their own rows."""
        return self.words[np.setdiff1d(np.arange(self.num_movies), self.new_rows)]

    @property
    def link_matrix(self) -> csr_array:
        """1 where metadata links a movie to another, float32 [num_movies, num_movies]."""
        from scipy.sparse import csr_array

        ones = np.ones(len(self.links), dtype=np.float32)
        return csr_array((ones, (self.links[:, 0], self.links[:, 1])), shape=(self.num_movies,) * 2)


def read_cold_catalogue(database: duckdb.DuckDBPyConnection) -> ColdCatalogue | None:
    """Puts the movies without enough reviews among the others, whose rows change, and reads what all are.

    Args:
        database: ingested with movies without reviews; its tables `movies` and `reviews` get the new rows.

    Returns:
        None, and nothing is changed, where too few of the kept movies are described.
    """
    if _count_described(database) < FEWEST_DESCRIBED:
        logger.info("Metadata describes too few of the reviewed movies to take in movies without reviews")
        return None
    run(database, "cold_start/join_cold_movies")
    return read_catalogue(database)


def read_catalogue(database: duckdb.DuckDBPyConnection) -> ColdCatalogue:
    """Reads what is known of all movies.

    Args:
        database: its table `movies` says in `learned_row` which row a movie had before, or null for a new
            one; `cold_reviews` holds reviews of new ones, where there are any.
    """
    new = database.execute("select movie_row from movies where learned_row is null order by movie_row")
    new_rows = np.asarray(new.fetchnumpy()["movie_row"], dtype=np.int64)
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


def _count_described(database: duckdb.DuckDBPyConnection) -> int:
    [(count,)] = database.execute(
        "select count(*) from movies where coalesce(title, category, brand, description) is not null"
    ).fetchall()
    return int(count)


def times_of_histories(reviews: Reviews, catalogue: ColdCatalogue | None) -> NDArray[np.int64]:
    """When each review of the histories was written, int64 [num_reviews], in the order of the histories.

    Args:
        reviews: those that were learned from.
        catalogue: has the reviews of movies that nothing was learned of; None where there are none.
    """
    if catalogue is None:
        return reviews.times
    owners = np.concatenate([reviews.reviewer_rows, catalogue.reviewer_rows])
    times = np.concatenate([reviews.times, catalogue.times])
    return times[np.lexsort((times, owners))]
