"""Writes a synthetic data set of any size in the Amazon 2018 format, and facts about the data set for tests.

A synthetic data set stands in for real review files, which may not be passed on. The counts and distributions
of synthetic reviews follow published numbers. The films are real or clearly invented; all reviewers are
invented. The file truth.json holds facts about the synthetic data: the genres, the editions of each film and
the number of errors of every kind. A program that reads the synthetic files can be tested against truth.json.

    python -m pipelines.synthetic --reviews 100000 --output synthetic/
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.errors import ConfigError
from pipelines.synthetic.catalogue import draw_catalogue
from pipelines.synthetic.dirt import DirtRates, LinePlan
from pipelines.synthetic.films import TASTES
from pipelines.synthetic.metadata import metadata_chunks
from pipelines.synthetic.reviewers import most_reviews
from pipelines.synthetic.reviews import ReviewTruth, review_chunks

_REVIEWS_PER_REVIEWER = 2.3
"""The mean number of reviews per reviewer in the complete real data set."""
_PUBLISHED_REVIEWS, _PUBLISHED_MOVIES, _MOVIE_GROWTH = 8_765_568, 182_000, 0.508
"""The numbers of reviews and movies in the complete real data set, and an exponent: the number of movies is
assumed to grow like the number of reviews to the power of the exponent."""


class SyntheticFiles(NamedTuple):
    """Holds the paths of the three files of a synthetic data set."""

    reviews: Path
    metadata: Path
    truth: Path


def write_synthetic(
    directory: Path,
    *,
    num_reviews: int,
    num_reviewers: int | None = None,
    num_movies: int | None = None,
    seed: int = 42,
    dirt: DirtRates | None = None,
    compress: bool = True,
    brief: bool = False,
) -> SyntheticFiles:
    """Writes a review file, a metadata file and truth.json; equal arguments give equal bytes.

    Reviews are drawn and written chunk by chunk, so that memory grows with the number of movies alone.

    Args:
        directory: the directory to write to, made if missing; files of the same names are replaced.
        num_reviews: the number of lines of the review file, damaged lines included.
        num_reviewers: the number of reviewers; by default one per 2.3 lines, as in the complete real data
            set.
        num_movies: the number of movies; by default about the number in a real data set with equally many
            reviews.
        seed: a whole number, 0 or more, which determines all random numbers.
        dirt: how often each kind of error occurs; by default about as often as in real files.
        compress: whether to compress reviews and metadata with gzip; truth.json is never compressed.
        brief: whether to write reviews and descriptions of only a sentence or two.

    Raises:
        ConfigError: the numbers of reviews, reviewers and movies do not fit together, or the seed is
            negative.

    Example:
        >>> files = write_synthetic(Path("synthetic"), num_reviews=10_000)  # doctest: +SKIP
        >>> files.reviews.name  # doctest: +SKIP
        'reviews.json.gz'
    """
    dirt = dirt or DirtRates()
    num_movies = _default_movies(num_reviews) if num_movies is None else num_movies
    num_reviewers = (
        max(1, round(num_reviews / _REVIEWS_PER_REVIEWER)) if num_reviewers is None else num_reviewers
    )
    _check_sizes(num_reviews, num_reviewers, num_movies, seed, dirt)
    suffix = ".json.gz" if compress else ".json"
    files = SyntheticFiles(
        directory / f"reviews{suffix}", directory / f"metadata{suffix}", directory / "truth.json"
    )
    directory.mkdir(parents=True, exist_ok=True)

    catalogue = draw_catalogue(num_movies, dirt.film_variants, seed)
    review_truth = ReviewTruth(np.zeros(num_movies, dtype=np.bool_))
    chunks = review_chunks(catalogue, num_reviews, num_reviewers, seed, dirt, review_truth, brief=brief)
    _write(files.reviews, chunks)
    metadata_truth: Counter[str] = Counter()
    _write(files.metadata, metadata_chunks(catalogue, seed, dirt, metadata_truth, brief=brief))
    movies = zip(catalogue.movie_ids, catalogue.titles, catalogue.films, strict=True)
    truth = {
        "seed": seed,
        "asked": {"num_reviews": num_reviews, "num_reviewers": num_reviewers, "num_movies": num_movies},
        "dirt_rates": asdict(dirt),
        "reviews": dict(review_truth.lines)
        | {"kept": review_truth.lines["originals"] + review_truth.lines["copied"]}
        | {"movies": int(review_truth.covered.sum())},
        "metadata": dict(metadata_truth),
        "tastes": TASTES,
        "movies": {
            movie_id: {"title": title, "year": film.year, "taste": film.taste, "invented": film.invented}
            for movie_id, title, film in movies
        },
        "editions": [[catalogue.movie_ids[movie] for movie in same] for same in catalogue.editions.values()],
        "reviewer_tastes": review_truth.reviewer_tastes or None,
    }
    files.truth.write_text(json.dumps(truth) + "\n", encoding="utf-8")
    return files


def _default_movies(num_reviews: int) -> int:
    """Estimates how many movies a real data set with `num_reviews` reviews would have, by a power law."""
    published = int(_PUBLISHED_MOVIES * (num_reviews / _PUBLISHED_REVIEWS) ** _MOVIE_GROWTH)
    return max(20, min(published, num_reviews // 3))


def _check_sizes(num_reviews: int, num_reviewers: int, num_movies: int, seed: int, dirt: DirtRates) -> None:
    originals = LinePlan.of(num_reviews, dirt).originals
    if min(num_reviews, num_reviewers, num_movies) < 1:
        raise ConfigError(
            f"{num_reviews:,} reviews by {num_reviewers:,} reviewers of {num_movies:,} movies "
            "cannot be written; give at least one of each"
        )
    if num_reviewers > max(1, 0.95 * originals):
        raise ConfigError(
            f"{num_reviewers:,} reviewers are too many for {num_reviews:,} review lines, of which "
            f"{originals:,} are no dirt; give at most {max(1, int(0.95 * originals)):,} reviewers"
        )
    if seed < 0:
        raise ConfigError(f"The seed is {seed}, but a seed is a whole number from 0 on")
    most = most_reviews(num_movies)
    if originals > 0.8 * most * num_reviewers:
        raise ConfigError(
            f"{num_reviewers:,} reviewers are too few for {num_reviews:,} reviews of {num_movies:,} movies: "
            f"each writes {most:,} at most and {0.8 * most:,.1f} on average; give more of either"
        )


def _write(path: Path, pieces: Iterable[str]) -> None:
    """Writes pieces of text to a file; if the file's name ends with .gz, compresses the text with gzip.

    The gzip file has no time stamp, so that equal text gives equal bytes.
    """
    with path.open("wb") as raw:
        if path.suffix != ".gz":
            raw.writelines(piece.encode("utf-8") for piece in pieces)
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=5, mtime=0) as packed:
            packed.writelines(piece.encode("utf-8") for piece in pieces)
