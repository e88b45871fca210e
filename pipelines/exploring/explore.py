"""Describes the reviews in review files: counts, statistics, reviews over time, copied reviews, findings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Doubles, Floats
from engine.config.sections import Config
from pipelines.dataset.copies import copy_groups, read_texts
from pipelines.dataset.films import film_rows
from pipelines.dataset.reviews import make_reviews, ratings_of, read_columns
from pipelines.exploring.findings import MANY_REVIEWS, find
from pipelines.exploring.page import exploration_page
from pipelines.ingest.ingest import ingest
from pipelines.inputs.named import Sources, inputs_of
from pipelines.work.database import run, work_database
from pipelines.work.extras import require_build_packages
from pipelines.work.output import PAGE_SUFFIXES, check_output, write_text

if TYPE_CHECKING:
    import duckdb

NUM_SHOWN = 20
"""A description names this number of reviewers with the most reviews, and this number of movies with the most
reviews."""
_MOST_LEVELS = 100
"""The largest number of rating levels in the search for copied reviews; more distinct ratings are rounded to
evenly spaced levels, because the position of a level is stored as int8."""

logger = logging.getLogger(__name__)


def explore(
    reviews: Sources,
    *,
    metadata: Sources = (),
    config: Config | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """Reads and filters review files in the same way as a build, and describes the kept reviews.

    Args:
        reviews: the review files.
        metadata: the files with the metadata of movies.
        config: the settings; only the section `ingest` is used.
        output: the file to which a web page of the description is written; None for no web page.

    Returns:
        A dictionary of plain values with the keys accounting, counts, statistics, ratings, per_month,
        per_year, loads (numbers of reviewers and movies by number of reviews), top_reviewers, top_movies,
        copies and findings.

    Raises:
        EngineError: the files cannot be read; or the web page cannot be written. An older file at `output`
            stays unchanged after an error.
    """
    config = config or Config()
    if output is not None:
        require_build_packages("A page of charts", "matplotlib")
        check_output(Path(output), PAGE_SUFFIXES)
    with inputs_of(reviews, metadata) as inputs, work_database(config.ingest) as database:
        accounting = ingest(database, *inputs, config.ingest, keep_text=True)
        figures = {"accounting": accounting.to_dict(), **_describe(database)}
    if output is not None:
        write_text(exploration_page(figures), Path(output))
        logger.info("Wrote %s", output)
    return figures


def _describe(database: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Computes from the work database what `explore` returns, except for the counts of dropped rows."""
    found = {row.pop("quantity"): row for row in _rows(database, "exploring/statistics")}
    statistics = {name: found.get(name) for name in ("ratings", "reviews_per_reviewer", "reviews_per_movie")}
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
    """Counts the reviews of every year from the first review to the last; years without reviews get 0."""
    if not per_month:
        return []
    counts = dict.fromkeys(range(per_month[0]["year"], per_month[-1]["year"] + 1), 0)
    for row in per_month:
        counts[row["year"]] += row["reviews"]
    return [{"year": year, "reviews": reviews} for year, reviews in counts.items()]


def _copies(database: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Counts the films with several variants (DVD, Blu-ray), and the reviews that copy another review."""
    rows = database.execute("select title from movies order by movie_row").fetchall()
    titles = [title for (title,) in rows]
    films = film_rows(titles)
    variants = np.bincount(films)
    columns = read_columns(database, "reviewer_row, movie_row, rating")
    ratings = ratings_of(columns["rating"])
    reviews = make_reviews(
        np.asarray(columns["reviewer_row"]),
        np.asarray(columns["movie_row"]),
        ratings,
        np.asarray(columns["time"]),
        num_reviewers=int(np.max(columns["reviewer_row"])) + 1,
        num_movies=len(films),
        levels=None if ratings is None else _levels(ratings),
    )
    texts = read_texts(database)
    by_film, *by_text = (len(group) - len(np.unique(group)) for group in copy_groups(reviews, films, texts))
    return {
        "movies_with_title": sum(title is not None for title in titles),
        "films_with_variants": int((variants > 1).sum()),
        "movies_that_are_variants": int(variants[variants > 1].sum()),
        "reviews_of_another_variant": by_film,
        "reviews_with_text": int((texts != 0).sum()),
        "reviews_with_repeated_text": by_text[0] if by_text else 0,
    }


def _levels(ratings: Doubles) -> Floats:
    """Returns the distinct ratings, ascending; replaces 100 or more ratings by 100 evenly spaced levels."""
    levels = np.unique(ratings).astype(np.float32)
    if len(levels) < _MOST_LEVELS:
        return levels
    return np.linspace(levels[0], levels[-1], _MOST_LEVELS, dtype=np.float32)
