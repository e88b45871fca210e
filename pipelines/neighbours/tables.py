"""Builds tables of neighbouring movies: from co-reviews, by a self-join in DuckDB, and by a linear model."""

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
"""Penalties tried for the linear model, as multiples of the configured one."""
FEW_L2_FACTORS = (1.0, 2.0)
"""Penalties tried for larger catalogues; the time of a linear model grows with the cube of the movies."""
DAMPINGS = (10.0, 40.0)
"""Dampings tried for co-reviews, in reviews."""
SHRINKAGE = 3.0
"""Reviewers in common at which the similarity of two movies by co-reviews counts half."""
RATING_SHRINKAGE = 100.0
"""Reviewers in common at which the similarity of two movies by ratings counts half."""
MAX_HISTORY = 300
"""A reviewer's latest reviews that are paired; the number of pairs grows with the square of it."""
NUM_LINEAR_NEIGHBOURS = 500
"""Neighbours of a movie in a linear model, whose weights fall off more slowly than similarities."""
_ALL_FACTORS_UP_TO = 3000
"""Movies up to which all penalties are tried."""


class NeighbourKind(NamedTuple):
    """Says how a neighbour table is made."""

    form: str
    """`co-reviews`, `linear` or `damped`."""
    strength: float = 0.0
    """The penalty of the linear model, or the damping of co-reviews; 0 for plain co-reviews."""
    content: float = 0.0
    """The weight of the likeness by metadata that is added."""

    def __str__(self) -> str:
        strength = f" {self.strength:g}" if self.strength else ""
        return f"{self.form}{strength}" + (f" and content {self.content:.2g}" if self.content else "")


CO_REVIEWS = NeighbourKind("co-reviews")
"""Plain co-review similarities; every model has this table."""


class Neighbours(NamedTuple):
    """Holds the tables of neighbouring movies."""

    by_kind: dict[NeighbourKind, NeighbourTable]
    """The table of CO_REVIEWS, then the tables of the other kinds that were asked for."""
    rating: NeighbourTable | None
    """Movies that are rated alike; None where there are no ratings."""


def neighbour_kinds(num_movies: int, config: NeighboursConfig) -> list[NeighbourKind]:
    """Returns the kinds of table that are tried besides plain co-reviews.

    Many reviews want a linear model with a strong penalty. Few reviews favour co-reviews, damped the more the
    fewer reviews the movies have.
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
    """Builds the neighbour tables of co-reviews, of ratings, and of the further kinds that are wanted.

    *Co-reviews* are pairs of movies that the same reviewers came to; a reviewer of n movies adds 1 / sqrt(n)
    to each pair, and likes count more. *Damped* co-reviews weigh a pair of movies with c and d reviews by the
    sum of 1 / sqrt(n) over the reviewers of both, divided by sqrt(c * d) + damping; all reviews count alike.
    Much damping keeps down pairs of rarely reviewed movies, which are mostly chance, and leaves known movies
    some of their fame. For the *linear* form see `linear_neighbours`; likes count more there too.

    `blend` says what a like is, and what other reviews count; `limits` give memory and threads to DuckDB.
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
    """Fits a linear model, and keeps the largest weights of each movie as neighbours.

    The model predicts each review from the reviewer's other reviews.

    With X the reviewers' weighted reviews, P the inverse of X'X + l2, and B = -P / diag(P) with an empty
    diagonal, X B restores X with the least squared error (Steck 2019, "Embarrassingly shallow autoencoders
    for sparse data"). Unlike similarities it knows which neighbours say the same thing, and which speak
    against a movie. Time grows with the third power of the catalogue, memory with the second.

    `weights` are float [num_reviews]. `l2` holds B short: about as many reviewers as it takes to believe in a
    pair. Each movie keeps the `num_neighbours` with the largest weights of either sign.
    """
    from scipy import linalg

    signals = review_matrix(reviews, weights.astype(np.float32))
    gram = (signals.T @ signals).toarray()
    gram[np.diag_indices_from(gram)] += l2
    # The matrix is symmetric and positive definite, so its Cholesky factor gives one triangle of the inverse.
    factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    triangle, _ = linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    inverse = np.tril(triangle) + np.tril(triangle, -1).T
    strengths = -inverse / np.diag(inverse)  # [num_movies, num_movies]
    np.fill_diagonal(strengths, 0.0)
    return table_of(strongest_of_dense(strengths, num_neighbours))


def _write_signals(database: duckdb.DuckDBPyConnection, reviews: Reviews, likes: Doubles) -> None:
    """Writes the table `signals`: what each reviewer's last MAX_HISTORY reviews say of pairs of movies."""
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
    """Returns stars less the means of movie and reviewer, float64 [num_reviews]; 0 without ratings."""
    if not reviews.has_ratings:
        return np.zeros(len(reviews))
    above = reviews.ratings - movie_means(reviews)[reviews.movie_rows].astype(np.float64)
    return stars_above_expectation(above, histories_of(reviews))
