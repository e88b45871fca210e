"""Draws synthetic reviewers, and the movie, day and rating of each review, so that a model can learn tastes.

Each reviewer has a favourite genre (the taste), a second genre, a favourite era and a generosity. Most movies
of a reviewer are of the reviewer's genres and era. Famous movies are picked more often than other movies. The
number of stars depends on the reviewer's genres, the movie's quality, the reviewer's generosity and chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from pipelines.synthetic.catalogue import NUM_ERAS, DrawnCatalogue
from pipelines.synthetic.draws import BoolArray, Draws, FloatArray, IntArray
from pipelines.synthetic.films import TASTES

FIRST_DAY = np.datetime64("1998-01-01", "D")
"""The earliest date that a synthetic review may have."""
LAST_DAY = np.datetime64("2018-10-31", "D")
"""The latest date that a synthetic review may have. Only the edited version of a review may have this date;
the first version of the review is dated at least a day earlier."""
NUM_DAYS = int((LAST_DAY - FIRST_DAY).astype(np.int64)) + 1
"""The number of days from FIRST_DAY to LAST_DAY, both included."""

MOST_REVIEWS = 2000
"""The largest number of reviews of a synthetic reviewer, about as many as the most active real reviewer is
reported to have written."""

_TASTE_SHARES = (0.14, 0.07, 0.11, 0.10, 0.13, 0.08, 0.09, 0.06, 0.05, 0.06, 0.05, 0.06)
_OWN_ERA, _OWN_TASTE, _SECOND_TASTE = 0.42, 0.72, 0.86
_IN_HEYDAY = 0.92
_TRIAL_REVIEWS = 100_000
_STAR_SHARES = (0.058, 0.030, 0.060, 0.122, 0.730)
_YEAR_SHARES = (
    *(0.003, 0.006, 0.013, 0.014, 0.015, 0.017, 0.021, 0.025, 0.026, 0.033),
    *(0.036, 0.041, 0.046, 0.055, 0.079, 0.134, 0.150, 0.143, 0.085, 0.040, 0.025),
)
"""The relative number of reviews in each year from 1998 to 2018, before reviews that are older than their
film are moved to a later year."""


@dataclass(frozen=True)
class DrawnReviews:
    """Holds reviewers and reviews; a reviewer has at most one review of a movie.

    Attributes:
        tastes: int64 [num_reviewers], the favourite genre of each reviewer, as a position in TASTES.
        reviewers: int64 [num_reviews], the reviewer of each review, as a position in `tastes`, ascending.
        movies: int64 [num_reviews], the movie of each review, as a position in the catalogue.
        pleasure: float64 [num_reviews], a number for each review that tells how much the reviewer liked the
            movie.
        days: int64 [num_reviews], the day of each review, in days since FIRST_DAY.
    """

    tastes: IntArray
    reviewers: IntArray
    movies: IntArray
    pleasure: FloatArray
    days: IntArray


def draw_reviews(
    catalogue: DrawnCatalogue, num_reviewers: int, num_reviews: int, cover: IntArray, draws: Draws
) -> DrawnReviews:
    """Draws reviewers, and `num_reviews` reviews in total, at least one for each reviewer.

    The array `cover`, int64 [num_covered], holds movies that should get a review, so that little known movies
    have reviews too. A movie in `cover` gets no review if too few reviews are by reviewers who favour the
    movie's genre.
    """
    tastes = np.searchsorted(np.cumsum(_TASTE_SHARES)[:-1], draws.uniform(num_reviewers), side="right")
    second_tastes = draws.integers(num_reviewers, len(TASTES))
    eras = draws.integers(num_reviewers, NUM_ERAS)
    generosity = draws.bell(num_reviewers)
    heyday = draws.uniform(num_reviewers)

    counts = _review_counts(num_reviewers, num_reviews, len(catalogue), draws)
    reviewers = np.repeat(np.arange(num_reviewers), counts)
    movies = _come_to_movies(
        catalogue, tastes[reviewers], second_tastes[reviewers], eras[reviewers], reviewers, cover, draws
    )

    in_taste = catalogue.tastes[movies] == tastes[reviewers]
    match = np.where(
        in_taste, 0.35, np.where(catalogue.tastes[movies] == second_tastes[reviewers], 0.1, -0.5)
    )
    match += np.where(in_taste & (catalogue.eras[movies] == eras[reviewers]), 0.15, 0.0)
    pleasure = (
        match + 0.5 * generosity[reviewers] + 0.4 * catalogue.quality[movies] + 0.75 * draws.bell(num_reviews)
    )
    days = _days(heyday[reviewers], counts[reviewers], catalogue.years[movies], draws)
    return DrawnReviews(tastes, reviewers, movies, pleasure, days)


def star_edges(catalogue: DrawnCatalogue, num_reviewers: int, num_reviews: int, seed: int) -> FloatArray:
    """Returns how much a reviewer must like a movie to give 2, 3, 4 and 5 stars: float64 [4].

    Each synthetic review has a number that tells how much the reviewer liked the movie, called the pleasure
    of the review. The returned numbers are the least pleasure with which a review gets 2, 3, 4 and 5 stars.
    The function draws a hundred thousand trial reviews, and divides the trial reviews by pleasure into five
    groups, for 1 to 5 stars. The size of each group of trial reviews follows the published share of real
    reviews with the group's number of stars. The returned numbers are the limits of pleasure between the five
    groups.
    """
    factor = _TRIAL_REVIEWS / num_reviews
    trial_reviewers = max(1, int(num_reviewers * factor))
    draws = Draws(seed, 2)
    num_covered = min(int(len(catalogue) * factor), _TRIAL_REVIEWS // 2)
    cover = draws.integers(num_covered, len(catalogue))
    pleasure = draw_reviews(catalogue, trial_reviewers, _TRIAL_REVIEWS, cover, draws).pleasure
    return np.asarray(np.quantile(pleasure, np.cumsum(_STAR_SHARES)[:-1]))


def stars(pleasure: FloatArray, edges: FloatArray) -> IntArray:
    """Converts the pleasure of each review (how much the movie was liked) to 1 to 5 stars.

    The array `edges` holds the four numbers that `star_edges` returns: the least pleasure for 2, 3, 4 and 5
    stars.
    """
    return np.searchsorted(edges, pleasure, side="right") + 1


def most_reviews(num_movies: int) -> int:
    """Returns the largest number of reviews that a synthetic reviewer may write.

    A synthetic reviewer reviews at most a quarter of all movies, so that random picks often find a movie that
    is new to the reviewer.
    """
    return max(1, min(MOST_REVIEWS, num_movies // 4))


def _come_to_movies(
    catalogue: DrawnCatalogue,
    tastes: IntArray,
    second_tastes: IntArray,
    eras: IntArray,
    reviewers: IntArray,
    cover: IntArray,
    draws: Draws,
) -> IntArray:
    """Picks a movie for each review, so that no reviewer reviews a movie twice: int64 [num_reviews]."""
    num_reviews = len(reviewers)
    kind = draws.uniform(num_reviews)
    wanted_tastes = np.where(kind < _OWN_TASTE, tastes, np.where(kind < _SECOND_TASTE, second_tastes, -1))
    wanted_eras = np.where(kind < _OWN_ERA, eras, -1)
    movies = catalogue.pick(wanted_tastes, wanted_eras, draws.uniform(num_reviews))
    rows, covered = _matched_by_taste(tastes, catalogue.tastes[cover], draws)
    movies[rows] = cover[covered]
    fixed = np.zeros(num_reviews, dtype=np.bool_)
    fixed[rows] = True
    for attempt in range(1000):
        again = _seen_before(reviewers, movies, fixed)
        if len(again) == 0:
            break
        tastes_again = np.full(len(again), -1) if attempt > 3 else wanted_tastes[again]
        uniform = draws.uniform(len(again))
        if attempt > 7:
            movies[again] = (uniform * len(catalogue)).astype(np.int64)
        else:
            movies[again] = catalogue.pick(tastes_again, np.full(len(again), -1), uniform)
    return movies


def _matched_by_taste(
    row_tastes: IntArray, movie_tastes: IntArray, draws: Draws
) -> tuple[IntArray, IntArray]:
    """Pairs reviews with movies of the reviewers' favourite genres; returns two arrays of positions.

    A review is paired with at most one movie, and a movie with at most one review. The array `row_tastes`
    holds, for each review, the favourite genre of the reviewer; `movie_tastes` holds the genre of each movie.
    For each pair of a review and a movie, the first returned array holds the position of the review in
    `row_tastes`, and the second returned array holds the position of the movie in `movie_tastes`.
    """
    row_order, row_keys = _numbered_by_taste(row_tastes, draws)
    movie_order, movie_keys = _numbered_by_taste(movie_tastes, draws)
    _, row_places, movie_places = np.intersect1d(
        row_keys, movie_keys, assume_unique=True, return_indices=True
    )
    return row_order[row_places], movie_order[movie_places]


def _numbered_by_taste(tastes: IntArray, draws: Draws) -> tuple[IntArray, IntArray]:
    """Sorts reviews or movies by genre, in random order within each genre; gives each review or movie a key.

    The array `tastes` holds the genre of each review or of each movie. The first returned array holds the
    positions of the reviews or movies in `tastes`, sorted by genre. The second returned array holds, in the
    order of the first array, the integer key of each review or movie. The key of a review or movie is its
    genre times 10**12, plus its number within the genre: 0, 1, 2 and so on. The function `_matched_by_taste`
    pairs a review and a movie with equal keys.
    """
    order = draws.shuffled(len(tastes))
    order = order[np.argsort(tastes[order], kind="stable")]
    in_order = tastes[order]
    numbers = np.arange(len(tastes)) - np.searchsorted(in_order, in_order)
    return order, in_order * 10**12 + numbers


def _seen_before(reviewers: IntArray, movies: IntArray, fixed: BoolArray) -> IntArray:
    """Finds the positions of repeated reviews of a movie by a reviewer, except reviews marked in `fixed`."""
    key = (reviewers << 32) | (movies << 1) | ~fixed
    order = np.argsort(key, kind="stable")
    pair = key[order] >> 1
    return np.asarray(order[1:][pair[1:] == pair[:-1]])


def _review_counts(num_reviewers: int, num_reviews: int, num_movies: int, draws: Draws) -> IntArray:
    """Draws each reviewer's number of reviews, 1 or more, with sum `num_reviews`: int64 [num_reviewers]."""
    most = most_reviews(num_movies)
    survival = _survival(num_reviews / num_reviewers, most)
    counts = np.searchsorted(-survival, -draws.uniform(num_reviewers), side="left")
    while gap := num_reviews - int(counts.sum()):
        open_to_change = np.flatnonzero(counts < most if gap > 0 else counts > 1)
        chosen = open_to_change[draws.choose(len(open_to_change), min(abs(gap), len(open_to_change)))]
        counts[chosen] += 1 if gap > 0 else -1
    return counts


def _survival(mean: float, most: int) -> FloatArray:
    """Returns the chance that a reviewer writes at least n reviews, for n = 1 to `most`: float64 [most].

    The number of reviews per reviewer follows a discrete Lomax distribution with the given mean.
    """
    numbers = np.arange(most, dtype=np.float64)
    low, high = 1e-9, 1e9
    for _ in range(100):
        scale = math.sqrt(low * high)
        survival = 1.0 / np.square(1.0 + numbers / scale)
        low, high = (scale, high) if survival.sum() < mean else (low, scale)
    return np.asarray(survival)


def _days(heyday: FloatArray, counts: IntArray, years: IntArray, draws: Draws) -> IntArray:
    """Draws the day of each review: int64 [num_reviews].

    The array `heyday` holds, for each review, the time when the reviewer is most active, from 0 (1998) to 1
    (2018). Most reviews are dated within weeks of the time when the reviewer is most active; reviewers with
    very many reviews write for years. No review of a film is dated before the film's year.
    """
    spread = np.where(draws.uniform(len(heyday)) < _IN_HEYDAY, 0.01 + counts / 2000, 0.6)
    when = heyday + spread * (draws.uniform(len(heyday)) - 0.5)
    when = np.where(when < 0, -when, np.where(when >= 1, 2.0 - when, when))
    released = _calendar()[np.clip(years - 1998, 0, len(_YEAR_SHARES) - 1)]
    when = np.where(when < released, released + draws.uniform(len(when)) * (1.0 - released), when)
    days = np.interp(when, _calendar(), _year_starts())
    return np.minimum(days.astype(np.int64), NUM_DAYS - 2)


@cache
def _calendar() -> FloatArray:
    """Returns the share of reviews before each year from 1998 to 2018, followed by 1: float64 [22]."""
    shares = np.cumsum((0.0, *_YEAR_SHARES))
    return np.asarray(shares / shares[-1])


@cache
def _year_starts() -> FloatArray:
    """Returns the days from FIRST_DAY to each 1 January from 1998 to 2018, then `NUM_DAYS`: float64 [22]."""
    starts = [np.datetime64(f"{year}-01-01", "D") for year in range(1998, 2019)]
    return np.array([*((start - FIRST_DAY).astype(np.int64) for start in starts), NUM_DAYS], dtype=np.float64)
