"""Compares the top lists and the popularity of movies in two indexes, which may hold different movies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import Engine
from engine.arrays import Doubles, Rows
from engine.artifact.ids import IdTable

_REVIEWERS = 1_000
"""The largest number of reviewers whose top lists are compared."""
_K = 10
"""The number of movies in each of the compared top lists."""
_MOVERS = 10
"""The largest number of movies that a comparison names for each kind of change: more popular, less popular,
in more top lists, and in fewer top lists."""
_SEED = 42


class Pairs(NamedTuple):
    """Holds two rows for each id that both an old and a new index hold: the id's row in each index."""

    old: Rows
    """int64 [num], ascending: for each id that both indexes hold, the id's row in the old index."""
    new: Rows
    """int64 [num], ascending: for each id that both indexes hold, the id's row in the new index."""


def pairs_of_rows(old: IdTable, new: IdTable) -> Pairs:
    """Finds the ids that are in both of two tables of ids; both tables are sorted by the bytes of the ids."""
    rows = new.rows(list(old))
    held = np.flatnonzero(rows >= 0)
    return Pairs(held, rows[held])


def compare_lists(
    old: Engine, new: Engine, reviewers: Pairs, movies: Pairs
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Compares the top lists that two indexes make for a random sample of the reviewers in both indexes.

    The function returns how much the reviewers' old lists and new lists overlap. It also returns the movies
    that the new index lists for more reviewers, or for fewer reviewers, than the old index does. The overlap
    of two lists is the number of movies that are in both lists, divided by the length of the longer list.
    """
    sample = np.arange(len(reviewers.old))
    if len(sample) > _REVIEWERS:
        sample = np.sort(np.random.default_rng(_SEED).choice(sample, _REVIEWERS, replace=False))
    numbers = _common_numbers(old, new, movies)
    before = _lists_of(old, reviewers.old[sample], numbers[0])
    after = _lists_of(new, reviewers.new[sample], numbers[1])
    shared = (before[:, :, None] == after[:, None, :]) & (before >= 0)[:, :, None]
    longest = np.maximum((before >= 0).sum(axis=1), (after >= 0).sum(axis=1))
    overlap = np.where(longest > 0, shared.sum(axis=(1, 2)) / np.maximum(longest, 1), 1.0)
    size = old.num_movies + new.num_movies
    counts = [np.bincount(lists[lists >= 0], minlength=size) for lists in (before, after)]
    agreement: dict[str, Any] = {"reviewers": len(sample), "k": _K}
    if len(sample):
        agreement |= {
            "mean_overlap": float(overlap.mean()),
            "median_overlap": float(np.median(overlap)),
            "unchanged": float((before == after).all(axis=1).mean()),
            "same_movies": float((overlap == 1).mean()),
            "nothing_shared": float((overlap == 0).mean()),
            "movies_listed": {"old": int((counts[0] > 0).sum()), "new": int((counts[1] > 0).sum())},
        }
    gains = (counts[1] - counts[0]).astype(np.float64)
    name = _names_of(old, new, movies)
    more, fewer = _movers(
        gains, lambda number: {"old": int(counts[0][number]), "new": int(counts[1][number]), **name(number)}
    )
    return agreement, {"more": more, "fewer": fewer}


def compare_popularity(old: Engine, new: Engine, movies: Pairs) -> dict[str, list[dict[str, Any]]]:
    """Finds the movies that became more or less popular, largest change of popularity first.

    The popularity of a movie is the number of the movie's reviews, in which old reviews may count less. The
    compared number is a share: the movie's popularity in an index, divided by the sum of the popularities of
    all movies in the index. A movie is returned only if its share and its rank by popularity changed in the
    same direction: a larger share and a better rank, or a smaller share and a worse rank. A movie that an
    index does not hold has the popularity 0 and the last rank.
    """
    numbers = _common_numbers(old, new, movies)
    size = old.num_movies + new.num_movies
    shares, ranks = np.zeros((2, size)), np.zeros((2, size), dtype=np.int64)
    for side, engine in enumerate((old, new)):
        popularity = np.maximum(engine.index.popularity.astype(np.float64), 0)
        shares[side, numbers[side]] = popularity / max(popularity.sum(), 1e-12)
        order = np.argsort(-popularity, kind="stable")
        ranks[side, numbers[side][order]] = np.arange(1, len(order) + 1)
    name = _names_of(old, new, movies)

    def describe(number: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for side, label in enumerate(("old", "new")):
            rank = int(ranks[side, number])
            found[f"{label}_rank"] = rank or None
            found[f"{label}_share"] = float(shares[side, number])
        return found | name(number)

    gains = shares[1] - shares[0]
    places = np.where(ranks > 0, ranks, size + 1)
    # A movie's share of popularity may change because other movies have changed, while the movie's rank
    # stays.
    risen, fallen = _movers(np.where(gains * (places[0] - places[1]) > 0, gains, 0.0), describe)
    return {"risen": risen, "fallen": fallen}


def _common_numbers(old: Engine, new: Engine, movies: Pairs) -> tuple[Rows, Rows]:
    """Numbers the movies of two indexes, so that a movie in both indexes has one number.

    The function returns two arrays of movie numbers: one array for the movies of the old index, and one array
    for the movies of the new index. Entry i of the first array is the number that the function gives to the
    movie in row i of the old index. Entry i of the second array is the number that the function gives to the
    movie in row i of the new index.
    """
    of_old = new.num_movies + np.arange(old.num_movies)
    of_old[movies.old] = movies.new
    return of_old, np.arange(new.num_movies)


def _names_of(old: Engine, new: Engine, movies: Pairs) -> Callable[[int], dict[str, Any]]:
    """Returns a function that takes a movie's number from `_common_numbers`, and returns its id and title."""

    def name(number: int) -> dict[str, Any]:
        engine, row = (new, number) if number < new.num_movies else (old, number - new.num_movies)
        return {"movie_id": engine.movie_ids([row])[0], "title": engine.index.cards.title(row)}

    return name


def _lists_of(engine: Engine, reviewer_rows: Rows, numbers: Rows) -> NDArray[np.int64]:
    """Makes a top list for each given reviewer: the numbers of the listed movies, int64 [num_reviewers, _K].

    A list of fewer than _K movies is padded with -1. In the argument `numbers`, the entry i is the number
    that `_common_numbers` assigned to the movie in row i.
    """
    lists = np.full((len(reviewer_rows), _K), -1, dtype=np.int64)
    if len(reviewer_rows):
        columns = engine.list_columns(reviewer_rows, _K)
        lists[columns.places, columns.ranks - 1] = numbers[columns.movie_rows]
    return lists


def _movers(
    gains: Doubles, describe: Callable[[int], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Describes which movies, by the changes in `gains`, rose most and fell most: up to `_MOVERS` of each.

    The array `gains`, float64 [old.num_movies + new.num_movies], holds for each movie the change from the old
    to the new index: the change of the movie's share of popularity, or the change of the number of top lists
    that hold the movie. A negative number in `gains` means that the share or number of top lists has fallen.
    A movie's position in `gains` is the movie's number from `_common_numbers`. The function `describe` takes
    a movie's number, and returns the description of the movie.
    """
    order = np.argsort(-gains, kind="stable")
    risen = [int(number) for number in order[:_MOVERS] if gains[number] > 0]
    fallen = [int(number) for number in order[::-1][:_MOVERS] if gains[number] < 0]
    return [describe(number) for number in risen], [describe(number) for number in fallen]
