"""Builds the tables of neighbouring movies: a self-join of the reviews, which DuckDB does and spills."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import IngestConfig, NeighboursConfig
from engine.model.neighbours import OFFSET_DAMPING, NeighbourTable
from engine.model.scorer import Blend
from pipelines.dataset.reviews import Reviews, movie_baselines
from pipelines.neighbours.linear import linear_neighbours
from pipelines.work.database import open_database, run, storage_errors

if TYPE_CHECKING:
    import duckdb


L2_FACTORS = (0.2, 1.0, 2.0, 4.0)
"""Penalties tried for the linear model, by what they are of the configured one."""
FEW_L2_FACTORS = (1.0, 2.0)
"""Those that are tried of larger catalogues; the time of a linear model grows with the third power."""
DAMPING_FACTORS = (1.0, 4.0)
"""Likewise the dampings tried for co-reviews."""
_ALL_FACTORS_UP_TO = 3000
"""Movies up to which all penalties are tried."""


class Nearness(NamedTuple):
    """How a table comes about that says which movies are near."""

    form: str
    """`co-reviews`, `linear` or `damped`."""
    strength: float = 0.0
    """The penalty of the linear model, or the damping of co-reviews; plain co-reviews have none."""
    content: float = 0.0
    """The weight of what metadata makes alike, beside that."""

    def __str__(self) -> str:
        strength = f" {self.strength:g}" if self.strength else ""
        return f"{self.form}{strength}" + (f" and content {self.content:.2g}" if self.content else "")


CO_REVIEWS = Nearness("co-reviews")
"""Plain co-review similarities, which every model has a table of."""


class Neighbours(NamedTuple):
    """The tables of neighbouring movies."""

    co_review: NeighbourTable
    """Movies that the same reviewers came to; of n reviews each pair weighs 1 / sqrt(n)."""
    rating: NeighbourTable | None
    """Movies that are rated alike; None where there are no ratings."""
    near: dict[Nearness, NeighbourTable]
    """The tables that were asked for besides."""


def build_neighbours(
    reviews: Reviews,
    blend: Blend,
    config: NeighboursConfig,
    limits: IngestConfig,
    wanted: Sequence[Nearness] = (),
) -> Neighbours:
    """Builds the tables.

    The nearness of two movies by *damped* co-reviews is the sum of 1 / sqrt(n) over the reviewers of both, n
    being a reviewer's number of reviews, divided by sqrt(c * d) + damping, where the movies have c and d
    reviews. All reviews count alike. Much damping keeps down pairs of rarely reviewed movies, which are
    mostly chance, and leaves known movies some of their fame. For the *linear* form see `linear_neighbours`,
    where likes count more.

    Args:
        reviews: those to learn from.
        blend: says what a like is, and what other reviews count.
        config: sizes and shrinkage.
        limits: memory and threads for DuckDB.
        wanted: tables that may stand in for co-review similarities.
    """
    near: dict[Nearness, NeighbourTable] = {}
    with TemporaryDirectory(prefix="engine-neighbours-") as directory, storage_errors():
        path = Path(directory) / "pairs.duckdb"
        with open_database(path, memory_limit=limits.memory_limit, threads=limits.threads) as database:
            _write_signals(database, reviews, blend, config.max_history)
            run(database, "neighbours/movie_pairs")
            size = {"num_neighbours": config.num_neighbours}
            co_review = _read(database, reviews, "co_review_neighbours", shrinkage=config.shrinkage, **size)
            for nearness in wanted:
                if nearness.form == "damped":
                    damping = nearness.strength
                    near[nearness] = _read(database, reviews, "nearest_movies", damping=damping, **size)
            rated = None
            if reviews.has_ratings:
                rated = _read(
                    database,
                    reviews,
                    "rating_neighbours",
                    shrinkage=config.rating_shrinkage,
                    **size,
                )
    likes = np.where(reviews.likes(blend.like_rating), 1.0, blend.other_weight)
    for nearness in wanted:
        if nearness.form == "linear":
            near[nearness] = linear_neighbours(
                reviews, likes, l2=nearness.strength, num_neighbours=config.num_linear_neighbours
            )
    return Neighbours(co_review, rated, near)


def _write_signals(
    database: duckdb.DuckDBPyConnection, reviews: Reviews, blend: Blend, max_history: int
) -> None:
    import pandas

    offsets = reviews.offsets()
    counts = np.diff(offsets)[reviews.reviewer_rows]
    from_end = offsets[reviews.reviewer_rows + 1] - np.arange(len(reviews))
    recent = from_end <= max_history
    likes = np.where(reviews.likes(blend.like_rating), 1.0, blend.other_weight)
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


def _residuals(reviews: Reviews) -> NDArray[np.float64]:
    """Stars above what movie and reviewer would lead to expect, float64 [num_reviews]."""
    if not reviews.has_ratings:
        return np.zeros(len(reviews))
    above = reviews.ratings - movie_baselines(reviews)[reviews.movie_rows].astype(np.float64)
    counts = np.bincount(reviews.reviewer_rows, minlength=reviews.num_reviewers)
    sums = np.bincount(reviews.reviewer_rows, above, minlength=reviews.num_reviewers)
    offsets = sums / (counts + OFFSET_DAMPING)
    return np.asarray(above - offsets[reviews.reviewer_rows], dtype=np.float64)


def _read(
    database: duckdb.DuckDBPyConnection, reviews: Reviews, statement: str, **parameters: float
) -> NeighbourTable:
    columns = run(database, f"neighbours/{statement}", **parameters).fetchnumpy()
    counts = np.bincount(columns["movie_row"], minlength=reviews.num_movies)
    return NeighbourTable(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.asarray(columns["neighbour_row"], dtype=np.int32),
        np.asarray(columns["similarity"], dtype=np.float32),
    )


def nearness_options(num_movies: int, config: NeighboursConfig) -> list[Nearness]:
    """What may say which movies are near, besides plain co-reviews.

    Many reviews want a linear model with a strong penalty. Few want co-reviews, the more damped the fewer
    reviews the movies have.
    """
    factors = L2_FACTORS if num_movies <= _ALL_FACTORS_UP_TO else FEW_L2_FACTORS
    penalties = factors if num_movies <= config.linear_up_to else ()
    return [
        *(Nearness("linear", factor * config.linear_l2) for factor in penalties),
        *(Nearness("damped", factor * config.damping) for factor in DAMPING_FACTORS),
    ]
