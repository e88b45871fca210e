"""Makes the example recommendations and the map of movies that the report of an index shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import k_highest
from engine.artifact.ids import IdTable
from engine.artifact.layout import ARRAY_ENDING
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards
from engine.model.scorer import Model
from engine.opened import open_cards, open_ids

NUM_SHOWN = 5
"""The number of reviewed movies, and also the number of recommended movies, that each example of the report
shows."""
MOST_MAPPED = 2000
"""The largest number of movies on the map; a drawing of more movies would make the page too large."""
_NUM_CATEGORIES = 9
"""The number of movie categories that get a colour of their own on the map; all other categories share one
colour."""
OTHER = "other"
"""The name that the map gives to all less common movie categories."""
NO_CATEGORY = "no category"
"""The name that the map gives to the category of a movie without a category."""


class Names(NamedTuple):
    """Holds the reviewer ids, the movie ids and the movie cards of a build."""

    reviewers: IdTable
    movies: IdTable
    cards: MovieCards


class Example(NamedTuple):
    """Holds one example of a report: a reviewer's reviewed movies, and movies recommended to the reviewer."""

    reviewer_id: str
    num_reviews: int
    known: list[dict[str, Any]]
    """The movies that the reviewer rated highest, the latest first among equal ratings. Each movie has a
    movie_id, a title and a rating; the rating is None if the data has no ratings."""
    recommended: list[dict[str, Any]]
    """The recommended movies, best first. Each movie has a movie_id, a title, a predicted_rating and a
    like_probability; the predicted_rating and the like_probability are None if the data has no ratings."""


class MovieMap(NamedTuple):
    """Holds a map of movies: positions on a plane, where movies with similar vectors are near each other."""

    points: NDArray[np.float32]
    """float32 [num_mapped, 2], the position of each movie on the plane."""
    categories: list[str]
    """The main category of each movie on the map; a less common category is called "other"."""
    share: float
    """The share of the movie vectors' variance that the two axes of the map explain, 0 to 1."""


def read_names(writer: ArtifactWriter) -> Names:
    """Reads the ids and the movie cards that a build has written to its unfinished index."""

    def array(name: str) -> NDArray[Any]:
        path = writer.path_for(name + ARRAY_ENDING)
        loaded: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return loaded

    return Names(open_ids(array, "reviewer"), open_ids(array, "movie"), open_cards(array))


def make_examples(model: Model, names: Names) -> list[Example]:
    """Makes example recommendations for up to three reviewers, chosen by their numbers of reviews.

    The examples are for the reviewers whose numbers of reviews are the 25th percentile, the median and the
    maximum.
    """
    counts = np.diff(model.histories.offsets)
    order = np.argsort(counts, kind="stable")
    places = (len(order) // 4, len(order) // 2, len(order) - 1)
    return [_example(model, names, int(row)) for row in dict.fromkeys(order[list(places)].tolist())]


def map_movies(model: Model, cards: MovieCards) -> MovieMap:
    """Projects the vectors of the most reviewed movies onto their first two principal components (PCA)."""
    counts = np.bincount(model.histories.movie_rows, minlength=model.num_movies)
    rows = np.sort(np.argsort(-counts, kind="stable")[:MOST_MAPPED])
    # The last column of the movie vectors is the bias, which says nothing about similarity.
    vectors = np.asarray(model.relevance.movie_vectors[rows, :-1], dtype=np.float64)
    vectors -= vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(vectors, full_matrices=False)
    points = np.zeros((len(rows), 2), dtype=np.float32)
    points[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    total = float((sizes**2).sum())
    share = float((sizes[:2] ** 2).sum() / total) if total else 0.0
    return MovieMap(points, main_categories([cards.card(int(row))["category"] for row in rows]), share)


def main_categories(categories: Sequence[str | None]) -> list[str]:
    """Finds each movie's main category: the first part of the category path that not all movies share.

    >>> main_categories(["Movies & TV | Drama", "Movies & TV | Comedy | Slapstick", None])
    ['Drama', 'Comedy', 'no category']
    """
    paths = [category.split(" | ") if category else [] for category in categories]
    depth = 0
    while len({path[depth] for path in paths if len(path) > depth}) == 1:
        depth += 1
    known = any(len(path) > depth for path in paths)
    named = [
        path[depth] if known and len(path) > depth else path[-1] if path else NO_CATEGORY for path in paths
    ]
    common = {name for name, _ in Counter(named).most_common(_NUM_CATEGORIES)}
    return [name if name in common else OTHER for name in named]


def _example(model: Model, names: Names, reviewer_row: int) -> Example:
    reviewer = model.reviewer(reviewer_row)
    history = reviewer.history
    newest = np.arange(len(history.movie_rows))[::-1]
    highest = newest[np.argsort(-history.level_rows[newest].astype(np.int64), kind="stable")][:NUM_SHOWN]
    given: list[float | None] = [None] * len(highest)
    unseen = np.setdiff1d(np.arange(model.num_movies), history.movie_rows)
    scores = model.rescore(reviewer, unseen)
    best = k_highest(scores.score, NUM_SHOWN)
    predicted: list[float | None] = [None] * len(best)
    likes: list[float | None] = [None] * len(best)
    if model.rating is not None and scores.probabilities is not None:
        given = model.rating.levels[history.level_rows[highest]].tolist()
        predicted = model.rating.summarize(scores.probabilities[best]).mean.tolist()
        likes = model.like_probability(scores.probabilities[best]).tolist()
    return Example(
        reviewer_id=names.reviewers.id(reviewer_row),
        num_reviews=len(history.movie_rows),
        known=[
            _named(names, row) | {"rating": rating}
            for row, rating in zip(history.movie_rows[highest].tolist(), given, strict=True)
        ],
        recommended=[
            _named(names, row) | {"predicted_rating": rating, "like_probability": like}
            for row, rating, like in zip(unseen[best].tolist(), predicted, likes, strict=True)
        ],
    )


def _named(names: Names, movie_row: int) -> dict[str, Any]:
    return {"movie_id": names.movies.id(movie_row), "title": names.cards.card(movie_row)["title"]}
