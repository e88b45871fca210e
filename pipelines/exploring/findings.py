"""Checks whether four common statements about review data are true for the given reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

MANY_REVIEWS = 100
"""A movie with at least this number of reviews counts as a movie with "hundreds of reviews"."""
_FEW_REVIEWS = 10
"""The statement "most movies have few reviews" counts as true if the median number of reviews per movie is at
most this number."""
_FEW_MOVIES = 0.05
"""The statement "a few movies have hundreds of reviews" counts as true only if the movies with hundreds of
reviews are at most this share of all movies."""
_GROWING = 2 / 3
"""The number of reviews counts as growing if it rises in at least this share of all pairs of successive
years."""


def find(
    ratings: Sequence[Mapping[str, Any]],
    statistics: Mapping[str, Any],
    shares: Mapping[str, int],
    per_year: Sequence[Mapping[str, int]],
) -> list[dict[str, Any]]:
    """Checks four common statements about reviews, such as "Most ratings are the highest there is".

    The checked statements are: most ratings are the highest rating; most reviewers have two or three reviews;
    most movies have few reviews, while a few have hundreds; the number of reviews grows from year to year.

    The arguments hold numbers that `explore` has counted. The argument `ratings` must be sorted by rating,
    ascending, and the argument `per_year` by year, ascending.

    Returns:
        One dictionary for each checked statement, with the keys `statement`, `holds`, `figures` and
        `sentence`. The key `statement` holds the text of the checked statement, such as "Most ratings are the
        highest there is". The key `holds` tells whether the checked statement is true for the reviews, or is
        None if the data cannot tell. The key `figures` holds numbers about the reviews that show whether the
        statement is true, such as the median number of reviews per movie. The key `sentence` says in words
        what the numbers in `figures` are.
    """
    return [
        _top_ratings(ratings),
        _few_reviews_a_reviewer(statistics["reviews_per_reviewer"], shares["reviewers_with_two_or_three"]),
        _few_reviews_a_movie(statistics["reviews_per_movie"], shares["movies_with_many"]),
        _growth(per_year),
    ]


def _top_ratings(ratings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    statement = "Most ratings are the highest there is"
    if not ratings:
        return _finding(statement, None, {}, "The data has no ratings.")
    total = sum(row["reviews"] for row in ratings)
    top = ratings[-1]["rating"]
    share = ratings[-1]["reviews"] / total
    error = _mae(ratings, top)
    best = _median(ratings, total)
    figures = {
        "top_rating": top,
        "top_share": share,
        "top_mae": error,
        "best_constant": best,
        "best_constant_mae": _mae(ratings, best),
    }
    return _finding(
        statement,
        share > 0.5,
        figures,
        f"{share:.1%} of {total:,} ratings are {top:g}. Always answering {top:g} has a mean absolute "
        f"error of {error:.3f}; the best constant, {best:g}, has {figures['best_constant_mae']:.3f}. A model "
        "has to be read against that.",
    )


def _few_reviews_a_reviewer(statistics: Mapping[str, Any], num_with_two_or_three: int) -> dict[str, Any]:
    share = num_with_two_or_three / statistics["count"]
    return _finding(
        "Most reviewers have two or three reviews",
        share > 0.5,
        {"share_with_two_or_three": share, "median": statistics["median"], "max": statistics["max"]},
        f"{share:.1%} of {statistics['count']:,} reviewers have two or three; the median is "
        f"{statistics['median']:g} and the most are {statistics['max']:,.0f}.",
    )


def _few_reviews_a_movie(statistics: Mapping[str, Any], num_with_many: int) -> dict[str, Any]:
    share = num_with_many / statistics["count"]
    return _finding(
        "Most movies have few reviews, while a few have hundreds",
        statistics["median"] <= _FEW_REVIEWS and 0 < share <= _FEW_MOVIES,
        {"median": statistics["median"], "movies_with_many": num_with_many, "share_with_many": share},
        f"The median of {statistics['count']:,} movies is {statistics['median']:g} reviews (few: at most "
        f"{_FEW_REVIEWS}), and {num_with_many:,} of them ({share:.1%}; a few: at most {_FEW_MOVIES:.0%}) "
        f"have {MANY_REVIEWS} or more, up to {statistics['max']:,.0f}.",
    )


def _growth(per_year: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    statement = "The number of reviews grows from year to year"
    counts = [row["reviews"] for row in per_year]
    if not counts:
        return _finding(statement, None, {}, "The data has no times.")
    steps = len(counts) - 1
    rises = sum(later > earlier for earlier, later in pairwise(counts))
    latest = per_year[-1]["year"]
    share = counts[-1] / sum(counts)
    figures = {"steps": steps, "rises": rises, "latest_year": latest, "latest_year_share": share}
    if not steps:
        return _finding(statement, None, figures, f"All reviews are of {latest}.")
    return _finding(
        statement,
        rises >= _GROWING * steps,
        figures,
        f"It rose in {rises} of {steps} steps from one year to the next (growth: two in three). The latest "
        f"year, {latest}, has {share:.1%} of the reviews; it need not be complete.",
    )


def _median(ratings: Sequence[Mapping[str, Any]], total: int) -> float:
    """Returns the lower median of the ratings, the best constant prediction by mean absolute error."""
    seen = accumulate(row["reviews"] for row in ratings)
    return float(next(row["rating"] for row, num in zip(ratings, seen, strict=True) if 2 * num >= total))


def _mae(ratings: Sequence[Mapping[str, Any]], answer: float) -> float:
    total = sum(row["reviews"] for row in ratings)
    return float(sum(abs(row["rating"] - answer) * row["reviews"] for row in ratings) / total)


def _finding(statement: str, holds: bool | None, figures: dict[str, Any], sentence: str) -> dict[str, Any]:
    return {"statement": statement, "holds": holds, "figures": figures, "sentence": sentence}
