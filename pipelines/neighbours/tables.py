"""Builds tables of each movie's neighbours (similar movies) from reviews, by counts and by a linear model."""

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
from pipelines.neighbours.local import MOST_MOVIES, MOST_PAIRS, local_neighbours, num_pairs
from pipelines.neighbours.sparse import review_matrix, strongest_of_dense, table_of
from pipelines.work.database import run, work_database
from pipelines.work.threads import threads_for

if TYPE_CHECKING:
    import duckdb

L2_FACTORS = (0.2, 1.0, 2.0, 4.0)
"""The L2 penalties that are tried for the linear model, as multiples of the configured penalty."""
FEW_L2_FACTORS = (1.0, 2.0)
"""The multiples of the configured L2 penalty that are tried for large catalogues; few multiples are tried,
because the time of the linear model grows with the cube of the number of movies."""
LOCAL_L2_FACTORS = (0.5, 1.0)
"""The multiples of the configured L2 penalty that are tried for the method *local* of `build_neighbours`. The
method *local* is tried in place of the method *linear* for catalogues with more movies than the setting
`neighbours.linear_up_to`."""
DAMPINGS = (10.0, 40.0)
"""The dampings that are tried for the method *damped* of `build_neighbours`; a damping is a number that is
added to the geometric mean of two movies' numbers of reviews."""
SHRINKAGE = 3.0
"""With this number of common reviewers, the method *co-reviews* of `build_neighbours` halves the cosine of
two movies; with fewer common reviewers, the cosine is reduced more, because a cosine from few reviewers is
uncertain."""
SUCCESSOR_DAMPING = 20.0
"""The method *successors* of `build_neighbours` divides the weight of two movies by this number plus the
geometric mean of the two movies' numbers of reviews. The larger this number is, the lower are the weights of
rarely reviewed movies."""
RATING_SHRINKAGE = 100.0
"""With this number of common reviewers, the correlation of two movies' ratings is halved; with fewer common
reviewers, the correlation is reduced more, because a correlation from few reviewers is uncertain."""
MAX_HISTORY = 300
"""Of each reviewer, at most this number of latest reviews are paired with each other, because the time to
make pairs grows with the square of the number of reviews."""
NUM_LINEAR_NEIGHBOURS = 500
"""The number of neighbours of each movie that are kept from the linear model; more neighbours are kept than
for co-reviews, because the weights of the linear model decrease slowly."""
_ALL_FACTORS_UP_TO = 5000
"""For at most this number of movies, the linear model is built with every penalty in L2_FACTORS; for more
movies, with every penalty in FEW_L2_FACTORS."""


class NeighbourKind(NamedTuple):
    """Describes the method by which a neighbour table is computed."""

    form: str
    """The method: `co-reviews`, `linear`, `local`, `damped` or `successors`; `build_neighbours` explains the
    methods."""
    strength: float = 0.0
    """The L2 penalty of the methods `linear` and `local`, or the damping of the methods `damped` and
    `successors`; 0 for the method `co-reviews`."""
    content: float = 0.0
    """The factor by which similarities of metadata are multiplied before they are added to the neighbour
    table; 0 for a table without metadata."""

    def __str__(self) -> str:
        strength = f" {self.strength:g}" if self.strength else ""
        return f"{self.form}{strength}" + (f" and content {self.content:.2g}" if self.content else "")


CO_REVIEWS = NeighbourKind("co-reviews")
"""The kind of neighbour table that every model has, computed by the method *co-reviews*."""
SUCCESSORS = NeighbourKind("successors", SUCCESSOR_DAMPING)
"""The kind of neighbour table that holds, for each movie, the movies that reviewers reviewed soon after the
movie."""


class NeighbourTables(NamedTuple):
    """Holds the neighbour tables of several kinds that were built from the same reviews."""

    by_kind: dict[NeighbourKind, NeighbourTable]
    """The neighbour table of each kind: first the table of the kind CO_REVIEWS, then the tables of all
    requested kinds."""
    rating: NeighbourTable | None
    """The table of the movies whose ratings correlate most with the ratings of each movie; None if the
    reviews have no ratings."""


def neighbour_kinds(reviews: Reviews, config: NeighboursConfig) -> list[NeighbourKind]:
    """Returns the kinds of neighbour tables that training tries in addition to the kind CO_REVIEWS.

    For data with many reviews, a linear model with a large penalty gives the best neighbour table. For data
    with few reviews, the method *damped* of `build_neighbours` gives the best neighbour table; the fewer
    reviews the movies have, the larger is the best damping. If a catalogue is too large for the linear model,
    the local model of `local_neighbours` is tried instead.
    """
    form, num_movies = "linear", reviews.num_movies
    factors: Sequence[float] = L2_FACTORS
    if num_movies > config.linear_up_to:
        is_small = num_movies <= MOST_MOVIES and num_pairs(reviews) <= MOST_PAIRS
        form, factors = "local", LOCAL_L2_FACTORS if is_small else ()
    elif num_movies > _ALL_FACTORS_UP_TO:
        factors = FEW_L2_FACTORS
    return [
        *(NeighbourKind(form, factor * config.linear_l2) for factor in factors),
        *(NeighbourKind("damped", damping) for damping in DAMPINGS),
    ]


def build_neighbours(
    reviews: Reviews,
    blend: Blend,
    config: NeighboursConfig,
    limits: IngestConfig,
    kinds: Sequence[NeighbourKind] = (),
) -> NeighbourTables:
    """Builds neighbour tables from reviews: one by co-reviews, one by ratings, and one for each of `kinds`.

    The method *co-reviews* computes the cosine of two movies' review weights, and shrinks the cosine towards
    0 if few reviewers reviewed both movies. In the method *co-reviews*, a reviewer of n movies counts as `1 /
    sqrt(n)` reviewers, and likes weigh more than other reviews.

    The method *damped* computes the similarity of two movies A and B as `shared / (damping + mean)`. For the
    method *damped*, each reviewer of both A and B adds `1 / sqrt(number of the reviewer's reviews)` to
    `shared`; `mean` is the geometric mean of the numbers of reviews of A and of B. The method *damped* gives
    likes and other reviews the same weight. A large damping lowers the similarities of rarely reviewed
    movies, which are mostly due to chance, and so favours popular movies.

    The method *successors* weighs how often and how soon reviewers reviewed a movie after another movie, as
    `sql/neighbours/successors.sql` explains; no other method uses the order of reviews. The methods *linear*
    and *local* are explained in `linear_neighbours` and in `local_neighbours`. The methods *linear* and
    *local* weigh likes more than other reviews.

    Args:
        reviews: the training reviews.
        blend: the object whose fields say which ratings are likes, and how much other reviews weigh.
        config: the settings that say how many neighbours of a movie are kept.
        limits: the settings that limit the memory and the threads of DuckDB.
        kinds: the requested kinds of neighbour tables besides CO_REVIEWS.
    """
    likes = np.where(reviews.likes(blend.like_rating), 1.0, blend.other_weight)
    with work_database(limits) as database:
        _write_signals(database, reviews, likes)
        run(database, "neighbours/movie_pairs")

        def read(name: str, damping: float) -> NeighbourTable:
            wanted = {"damping": damping, "num_neighbours": config.num_neighbours}
            if name == SUCCESSORS.form:
                found = run(database, "neighbours/successors", **wanted).fetchnumpy()
            else:
                found = run(database, "neighbours/nearest_movies", kind=name, **wanted).fetchnumpy()
            counts = np.bincount(found["movie_row"], minlength=reviews.num_movies)
            return NeighbourTable(
                np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
                np.asarray(found["neighbour_row"], dtype=np.int32),
                np.asarray(found["similarity"], dtype=np.float32),
            )

        tables = {CO_REVIEWS: read("co-reviews", SHRINKAGE)}
        by_pairs = ("damped", SUCCESSORS.form)
        tables |= {kind: read(kind.form, kind.strength) for kind in kinds if kind.form in by_pairs}
        rating = read("ratings", RATING_SHRINKAGE) if reviews.has_ratings else None
    by_form = {form: [kind for kind in kinds if kind.form == form] for form in ("linear", "local")}
    tables |= {kind: linear_neighbours(reviews, likes, l2=kind.strength) for kind in by_form["linear"]}
    if by_form["local"]:
        penalties = [kind.strength for kind in by_form["local"]]
        found = local_neighbours(reviews, likes, penalties=penalties, num_neighbours=config.num_neighbours)
        tables |= dict(zip(by_form["local"], found, strict=True))
    return NeighbourTables(tables, rating)


def linear_neighbours(
    reviews: Reviews, weights: NDArray[np.floating], *, l2: float, num_neighbours: int = NUM_LINEAR_NEIGHBOURS
) -> NeighbourTable:
    """Builds a neighbour table from a linear model: the movies with the largest weights become neighbours.

    The linear model predicts whether a reviewer reviewed a movie from the reviewer's reviews of all other
    movies. The linear model is the matrix B of weights for which `X B` predicts X with the least penalised
    squared error, where X is the matrix of weighted reviews, [num_reviewers, num_movies] (Steck 2019,
    "Embarrassingly shallow autoencoders for sparse data"). The matrix of weights is `B = -P / diag(P)` with a
    zero diagonal, where P is the inverse of `X'X + l2 * I`, and X is the matrix of weighted reviews. A weight
    of the linear model may be negative, and is smaller if other movies carry the same information. The linear
    model takes time in proportion to `num_movies ** 3`, and memory in proportion to `num_movies ** 2`.

    Args:
        reviews: the training reviews.
        weights: the weight of each review, float [num_reviews].
        l2: the penalty on the squares of the linear model's weights. Two movies need about `l2` common
            reviewers to get a large weight.
        num_neighbours: the number of neighbours that each movie keeps.
    """
    from scipy import linalg

    signals = review_matrix(reviews, weights.astype(np.float32))
    gram = (signals.T @ signals).toarray()
    gram[np.diag_indices_from(gram)] += l2
    # `gram` is symmetric and positive definite, so that one triangle of the inverse of `gram` can be computed
    # from the Cholesky factor of `gram`.
    with threads_for(len(gram)):
        factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
        triangle, _ = linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    inverse = np.tril(triangle) + np.tril(triangle, -1).T
    strengths = -inverse / np.diag(inverse)  # [num_movies, num_movies]
    np.fill_diagonal(strengths, 0.0)
    return table_of(strongest_of_dense(strengths, num_neighbours))


def _write_signals(database: duckdb.DuckDBPyConnection, reviews: Reviews, likes: Doubles) -> None:
    """Writes each reviewer's last MAX_HISTORY reviews, with weights, to a new database table `signals`."""
    offsets = reviews.offsets()
    counts = np.diff(offsets)[reviews.reviewer_rows]
    from_end = offsets[reviews.reviewer_rows + 1] - np.arange(len(reviews))
    recent = from_end <= MAX_HISTORY
    shares = 1 / np.sqrt(np.sqrt(counts))
    signals = {
        "reviewer_row": reviews.reviewer_rows[recent],
        "movie_row": reviews.movie_rows[recent],
        "weight": (likes * shares)[recent],
        "share": shares[recent],
        "residual": _residuals(reviews)[recent],
        "place": np.arange(len(reviews))[recent],
    }
    database.register("given_signals", signals)
    database.execute("create temp table signals as select * from given_signals")
    database.unregister("given_signals")


def _residuals(reviews: Reviews) -> Doubles:
    """Returns each rating minus the rating that is expected from the movie's mean and the reviewer's mean.

    The returned array, float64 [num_reviews], holds zeros if the reviews have no ratings.
    """
    if not reviews.has_ratings:
        return np.zeros(len(reviews))
    above = reviews.ratings - movie_means(reviews)[reviews.movie_rows].astype(np.float64)
    return stars_above_expectation(above, histories_of(reviews))
