"""Builds tables of each movie's neighbours from co-reviews, by a self-join in DuckDB, and a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles
from engine.config.sections import IngestConfig, NeighboursConfig
from engine.model.neighbours import NeighbourTable, stars_above_expectation
from engine.model.values import Blend
from pipelines.dataset.movie_figures import movie_means
from pipelines.dataset.reviews import Reviews, histories_of
from pipelines.neighbours.sparse import review_matrix, strongest_of_dense, table_of
from pipelines.work.database import run, work_database

if TYPE_CHECKING:
    import duckdb

L2_FACTORS = (0.2, 1.0, 2.0, 4.0)
"""L2 penalties tried for the linear model, as multiples of the configured penalty."""
FEW_L2_FACTORS = (1.0, 2.0)
"""L2 penalties tried for large catalogues, as the linear model takes time cubic in the number of movies."""
DAMPINGS = (10.0, 40.0)
"""Dampings tried for `damped` co-reviews: reviews added to the geometric mean of two movies' reviews."""
SHRINKAGE = 3.0
"""Number of common reviewers at which shrinkage halves the similarity of two movies by co-reviews."""
RATING_SHRINKAGE = 100.0
"""Number of common reviewers at which shrinkage halves the similarity of two movies by ratings."""
MAX_HISTORY = 300
"""Most reviews of one reviewer, the latest, in pairs of movies: time grows with the square of MAX_HISTORY."""
NUM_LINEAR_NEIGHBOURS = 500
"""Neighbours kept of a movie in the linear model, more than of co-reviews, as weights fall off slowly."""
_ALL_FACTORS_UP_TO = 3000
"""Largest number of movies for which all L2_FACTORS are tried."""


class NeighbourKind(NamedTuple):
    """Says how a neighbour table is computed."""

    form: str
    """`co-reviews`, `linear` or `damped`, explained in `build_neighbours`."""
    strength: float = 0.0
    """The L2 penalty of the linear model, or the damping of damped co-reviews; 0 for plain co-reviews."""
    content: float = 0.0
    """The weight of the similarity by metadata that is added to the table."""

    def __str__(self) -> str:
        strength = f" {self.strength:g}" if self.strength else ""
        return f"{self.form}{strength}" + (f" and content {self.content:.2g}" if self.content else "")


CO_REVIEWS = NeighbourKind("co-reviews")
"""The kind of plain co-review similarities; every model has a neighbour table of this kind."""


class Neighbours(NamedTuple):
    """Holds the neighbour tables of several kinds that were built from the same reviews."""

    by_kind: dict[NeighbourKind, NeighbourTable]
    """The table of CO_REVIEWS, then the tables of the other requested kinds."""
    rating: NeighbourTable | None
    """Neighbours by the correlation of two movies' ratings; None if the data has no ratings."""


def neighbour_kinds(num_movies: int, config: NeighboursConfig) -> list[NeighbourKind]:
    """Returns the kinds of neighbour table that training tries besides plain co-reviews.

    The linear model with a large penalty does best on many reviews. Damped co-reviews do best on few reviews,
    and need more damping the fewer reviews the movies have.
    """
    factors = L2_FACTORS if num_movies <= _ALL_FACTORS_UP_TO else FEW_L2_FACTORS
    penalties = factors if num_movies <= config.linear_up_to else ()
    return [
        *(NeighbourKind("linear", factor * config.linear_l2) for factor in penalties),
        *(NeighbourKind("damped", damping) for damping in DAMPINGS),
    ]


def build_neighbours(
    reviews: Reviews,
    blend: Blend,
    config: NeighboursConfig,
    limits: IngestConfig,
    kinds: Sequence[NeighbourKind] = (),
) -> Neighbours:
    """Builds the neighbour tables of plain co-reviews, of ratings, and of the further `kinds`.

    The similarity by *co-reviews* is the cosine of two movies' review weights, shrunk for few common
    reviewers. A reviewer of n movies adds 1 / sqrt(n) to each pair of movies, and likes weigh more than other
    reviews. *Damped* co-reviews divide the sum of 1 / sqrt(n) over the common reviewers of two movies with c
    and d reviews by sqrt(c * d) + damping; all reviews weigh the same. Large damping lowers the similarity of
    rarely reviewed movies, which is mostly chance, and favours popular movies. The *linear* form is explained
    in `linear_neighbours`, and weights likes more than other reviews.

    `blend` gives the lowest rating of a like and the weight of other reviews. `limits` are the memory and the
    threads that DuckDB may use.
    """
    likes = np.where(reviews.likes(blend.like_rating), 1.0, blend.other_weight)
    with work_database(limits) as database:
        _write_signals(database, reviews, likes)
        run(database, "neighbours/movie_pairs")

        def read(name: str, damping: float) -> NeighbourTable:
            wanted = {"kind": name, "damping": damping, "num_neighbours": config.num_neighbours}
            found = run(database, "neighbours/nearest_movies", **wanted).fetchnumpy()
            counts = np.bincount(found["movie_row"], minlength=reviews.num_movies)
            return NeighbourTable(
                np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
                np.asarray(found["neighbour_row"], dtype=np.int32),
                np.asarray(found["similarity"], dtype=np.float32),
            )

        tables = {CO_REVIEWS: read("co-reviews", SHRINKAGE)}
        tables |= {kind: read(kind.form, kind.strength) for kind in kinds if kind.form == "damped"}
        rating = read("ratings", RATING_SHRINKAGE) if reviews.has_ratings else None
    for kind in kinds:
        if kind.form == "linear":
            tables[kind] = linear_neighbours(reviews, likes, l2=kind.strength)
    return Neighbours(tables, rating)


def linear_neighbours(
    reviews: Reviews, weights: NDArray[np.floating], *, l2: float, num_neighbours: int = NUM_LINEAR_NEIGHBOURS
) -> NeighbourTable:
    """Fits a linear model that predicts reviews from other reviews, and keeps large weights as neighbours.

    With X the matrix of weighted reviews [num_reviewers, num_movies], P the inverse of X'X + l2, and
    B = -P / diag(P) with a zero diagonal, X B predicts X with the least squared error (Steck 2019,
    "Embarrassingly shallow autoencoders for sparse data"). Unlike similarities, the weights B account for
    redundant neighbours and may be negative. Time grows with the cube of the number of movies, and memory
    with the square.

    `weights`, float [num_reviews], are the values of X. `l2` is the penalty on the squares of B, about the
    number of common reviewers from which a pair of movies is trusted. Each movie keeps the `num_neighbours`
    weights of largest magnitude.
    """
    from scipy import linalg

    signals = review_matrix(reviews, weights.astype(np.float32))
    gram = (signals.T @ signals).toarray()
    gram[np.diag_indices_from(gram)] += l2
    # `gram` is symmetric and positive definite, so the Cholesky factor gives one triangle of the inverse.
    factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    triangle, _ = linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    inverse = np.tril(triangle) + np.tril(triangle, -1).T
    strengths = -inverse / np.diag(inverse)  # [num_movies, num_movies]
    np.fill_diagonal(strengths, 0.0)
    return table_of(strongest_of_dense(strengths, num_neighbours))


def _write_signals(database: duckdb.DuckDBPyConnection, reviews: Reviews, likes: Doubles) -> None:
    """Writes the table `signals` to DuckDB: each reviewer's last MAX_HISTORY reviews with weights."""
    import pandas

    offsets = reviews.offsets()
    counts = np.diff(offsets)[reviews.reviewer_rows]
    from_end = offsets[reviews.reviewer_rows + 1] - np.arange(len(reviews))
    recent = from_end <= MAX_HISTORY
    shares = 1 / np.sqrt(np.sqrt(counts))
    signals = pandas.DataFrame(
        {
            "reviewer_row": reviews.reviewer_rows[recent],
            "movie_row": reviews.movie_rows[recent],
            "weight": (likes * shares)[recent],
            "share": shares[recent],
            "residual": _residuals(reviews)[recent],
        }
    )
    database.register("given_signals", signals)
    database.execute("create temp table signals as select * from given_signals")
    database.unregister("given_signals")


def _residuals(reviews: Reviews) -> Doubles:
    """Returns each rating minus the mean ratings of movie and reviewer, float64 [num_reviews], or 0s.

    The result is 0 everywhere if the reviews have no ratings.
    """
    if not reviews.has_ratings:
        return np.zeros(len(reviews))
    above = reviews.ratings - movie_means(reviews)[reviews.movie_rows].astype(np.float64)
    return stars_above_expectation(above, histories_of(reviews))
