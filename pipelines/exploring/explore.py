"""What review files hold: counts, statistics, time, copies, and statements checked against the data."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import Config
from pipelines.dataset.copies import copy_groups
from pipelines.dataset.films import film_rows
from pipelines.dataset.reviews import make_reviews
from pipelines.exploring.findings import MANY_REVIEWS, find
from pipelines.ingest.ingest import ingest
from pipelines.reading.reviews import MIN_TEXT_LENGTH
from pipelines.work.database import open_database, run

if TYPE_CHECKING:
    import duckdb

NUM_SHOWN = 20
"""Reviewers and movies in the top lists."""
_QUANTITIES = ("ratings", "reviews_per_reviewer", "reviews_per_movie")

logger = logging.getLogger(__name__)


def explore(
    reviews: Sequence[Path],
    *,
    metadata: Sequence[Path] = (),
    config: Config | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """Reads review files as a build does, and describes the reviews that are kept.

    Args:
        reviews: review files in any of the known formats.
        metadata: movie files.
        config: of it, the section `ingest` counts: formats and filters.
        output: a web page to show it on, if any.

    Returns:
        The figures, as plain values: accounting, counts, statistics, ratings, per_month, per_year, loads,
        top_reviewers, top_movies, copies and findings.

    Raises:
        EngineError: as `ingest`, or the page cannot be written; then whatever stood there before still does.
    """
    from pipelines.exploring.page import exploration_page
    from pipelines.work.output import PAGE_SUFFIXES, check_output, write_text

    config = config or Config()
    if output is not None:
        check_output(Path(output), PAGE_SUFFIXES)
    limits = config.ingest
    with (
        TemporaryDirectory(prefix="engine-explore-") as directory,
        open_database(
            Path(directory) / "work.duckdb", memory_limit=limits.memory_limit, threads=limits.threads
        ) as database,
    ):
        accounting = ingest(database, reviews, metadata, limits, keep_text=True)
        figures = {"accounting": accounting.to_dict(), **describe(database)}
    if output is not None:
        write_text(exploration_page(figures), Path(output))
        logger.info("Wrote %s", output)
    return figures


def describe(database: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Describes the prepared tables of a work database; as `explore`, without the accounting."""
    found = {row.pop("quantity"): row for row in _rows(database, "exploring/statistics")}
    statistics = {name: found.get(name) for name in _QUANTITIES}
    num_reviewers = found["reviews_per_reviewer"]["count"]
    num_movies = found["reviews_per_movie"]["count"]
    [(num_reviews,)] = database.execute("select count(*) from reviews").fetchall()
    ratings = _rows(database, "exploring/ratings")
    per_month = _rows(database, "exploring/months")
    per_year = _years(per_month)
    [shares] = _rows(database, "exploring/shares", many=MANY_REVIEWS)
    density = num_reviews / (num_reviewers * num_movies)
    return {
        "counts": {
            "reviews": num_reviews,
            "reviewers": num_reviewers,
            "movies": num_movies,
            "density": density,
            "sparsity": 1 - density,
            "reviews_without_time": num_reviews - sum(row["reviews"] for row in per_month),
        },
        "statistics": statistics,
        "ratings": [{**row, "share": row["reviews"] / num_reviews} for row in ratings],
        "per_month": per_month,
        "per_year": per_year,
        "loads": _rows(database, "exploring/loads"),
        "top_reviewers": _rows(database, "exploring/top_reviewers", num_shown=NUM_SHOWN),
        "top_movies": _rows(database, "exploring/top_movies", num_shown=NUM_SHOWN),
        "copies": _copies(database),
        "findings": find(ratings, statistics, shares, per_year),
    }


def _rows(database: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> list[dict[str, Any]]:
    result = run(database, name, **parameters)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _years(per_month: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    """Every year from the first to the last, those without a review as well."""
    if not per_month:
        return []
    counts = dict.fromkeys(range(per_month[0]["year"], per_month[-1]["year"] + 1), 0)
    for row in per_month:
        counts[row["year"]] += row["reviews"]
    return [{"year": year, "reviews": reviews} for year, reviews in counts.items()]


def _copies(database: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Films with several variants among the movies, and reviews that repeat another one."""
    titles = [
        title for (title,) in database.execute("select title from movies order by movie_row").fetchall()
    ]
    films = film_rows(titles)
    variants = np.bincount(films)
    columns = run(database, "exploring/reviews", min_length=MIN_TEXT_LENGTH).fetchnumpy()
    ratings = np.ma.asarray(columns["rating"], dtype=np.float64)
    rated = not np.ma.getmaskarray(ratings).all()
    reviews = make_reviews(
        np.asarray(columns["reviewer_row"]),
        np.asarray(columns["movie_row"]),
        np.asarray(ratings) if rated else None,
        np.asarray(columns["time"]),
        num_reviewers=int(np.max(columns["reviewer_row"])) + 1,
        num_movies=len(films),
        levels=_levels(np.asarray(ratings)) if rated else None,
    )
    texts = np.asarray(columns["text"], dtype=np.int64)
    by_film, *by_text = (_num_repeats(group) for group in copy_groups(reviews, films, texts))
    return {
        "movies_with_title": sum(title is not None for title in titles),
        "films_with_variants": int((variants > 1).sum()),
        "movies_that_are_variants": int(variants[variants > 1].sum()),
        "reviews_of_another_variant": by_film,
        "reviews_with_text": int((texts != 0).sum()),
        "reviews_with_repeated_text": by_text[0] if by_text else 0,
    }


def _levels(ratings: NDArray[np.float64]) -> NDArray[np.float32]:
    """Copies have the same rating: a few steps tell ratings apart well enough."""
    levels = np.unique(ratings).astype(np.float32)
    return levels if len(levels) < 100 else np.linspace(levels[0], levels[-1], 100, dtype=np.float32)


def _num_repeats(group: NDArray[np.int64]) -> int:
    return len(group) - len(np.unique(group))
