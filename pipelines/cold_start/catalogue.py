"""Reads the metadata of all movies, and which movies are cold: movies without reviews to train on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Floats
from pipelines.dataset.words import FEWEST_DESCRIBED, NUM_COLUMNS, read_words
from pipelines.work.database import run

if TYPE_CHECKING:
    import duckdb
    from scipy.sparse import csr_array

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ColdCatalogue:
    """Holds as arrays the metadata of all movies, and the few reviews that some cold movies have.

    A cold movie is a movie with no reviews, or with too few reviews for training. A checkpoint can save the
    arrays.
    """

    new_rows: NDArray[np.int64]
    """int64 [num_new], ascending, the rows of the cold movies: movies with no reviews, or with too few
    reviews for training."""
    word_offsets: NDArray[np.int64]
    """int64 [num_movies + 1]: the words of movie i are at the positions from `word_offsets[i]` to before
    `word_offsets[i + 1]` of `word_columns`."""
    word_columns: NDArray[np.int32]
    """int32 [num_words], the columns of the matrix `words` that belong to the movies' words: first all
    columns for the words of movie 0, then all columns for the words of movie 1, and so on. The column of a
    word is a hash of the word, from 0 to NUM_COLUMNS - 1."""
    word_counts: Floats
    """float32 [num_words], for each word in each movie's metadata, `1 + log(number of occurrences in the
    metadata)`."""
    links: NDArray[np.int32]
    """int32 [num_links, 2], the rows of two movies that the metadata links, for example because people bought
    both movies."""
    reviewer_rows: NDArray[np.int32]
    """int32 [num_reviews], the reviewer row of each review of a cold movie; a cold movie may have a few
    reviews, with which the model was not trained."""
    review_movie_rows: NDArray[np.int32]
    """int32 [num_reviews], the movie row of each review of a cold movie."""
    ratings: Doubles
    """float64 [num_reviews], the rating of each review of a cold movie; NaN for a review without a rating."""
    times: NDArray[np.int64]
    """int64 [num_reviews], the time of each review of a cold movie in unix seconds; 0 for a review without a
    time."""

    @property
    def num_movies(self) -> int:
        """Returns the number of all movies, including cold movies."""
        return len(self.word_offsets) - 1

    @property
    def words(self) -> csr_array:
        """Returns a sparse matrix of the word counts of all movies, float32 [num_movies, NUM_COLUMNS]."""
        from scipy.sparse import csr_array

        parts = (self.word_counts, self.word_columns, self.word_offsets)
        return csr_array(parts, shape=(self.num_movies, NUM_COLUMNS))

    @property
    def learned_words(self) -> csr_array:
        """Returns the word counts of all movies except cold movies, float32 [num_learned, NUM_COLUMNS]."""
        return self.words[self.learned_rows]

    @property
    def num_reviews(self) -> NDArray[np.int64]:
        """Returns how many reviews each cold movie has, int64 [num_new]; training leaves out the reviews."""
        return np.bincount(self.review_movie_rows, minlength=self.num_movies)[self.new_rows]

    @property
    def learned_rows(self) -> NDArray[np.int64]:
        """Returns the rows of all movies except cold movies, int64 [num_learned], ascending."""
        return np.setdiff1d(np.arange(self.num_movies), self.new_rows)

    @property
    def link_matrix(self) -> csr_array:
        """Returns which movies the metadata links: a sparse matrix of 0 and 1, [num_movies, num_movies].

        An entry is 1 if the metadata of the row's movie says that customers also viewed or bought the
        column's movie.
        """
        from scipy.sparse import csr_array

        ones = np.ones(len(self.links), dtype=np.float32)
        return csr_array((ones, (self.links[:, 0], self.links[:, 1])), shape=(self.num_movies,) * 2)


def read_cold_catalogue(database: duckdb.DuckDBPyConnection) -> ColdCatalogue | None:
    """Adds cold movies to the tables of the database, renumbers all movies by id, and reads the metadata.

    If fewer than FEWEST_DESCRIBED reviewed movies have metadata, the function returns None, and leaves the
    tables `movies` and `reviews` of the database unchanged.
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
    """Reads the metadata of all movies and the reviews of cold movies from the prepared tables.

    In the table `movies`, the column `learned_row` holds the row that a movie has in the trained model; the
    column is null for a cold movie. The table `cold_reviews` holds the reviews of cold movies.
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
