"""What a report shows of a model itself: a map of its movies, and what it recommends to a few reviewers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import best_places
from engine.artifact.ids import IdTable
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards
from engine.model.scorer import Model

NUM_SHOWN = 5
"""Movies in an example, both of those known and of those recommended."""
MOST_MAPPED = 2000
"""Movies on the map: those with the most reviews."""
_NUM_CATEGORIES = 9
OTHER = "other"
NO_CATEGORY = "no category"
"""What stands for the less common categories, and for none."""


class Names(NamedTuple):
    """What the movies and reviewers of a build are called."""

    reviewers: IdTable
    movies: IdTable
    cards: MovieCards


class Example(NamedTuple):
    """One reviewer, what they reviewed, and what the model would recommend."""

    reviewer_id: str
    num_reviews: int
    known: list[dict[str, Any]]
    """Of the movies that they rated highest, the latest first: movie_id, title, rating (None without)."""
    recommended: list[dict[str, Any]]
    """Best first: movie_id, title, predicted_rating and like_probability (None without ratings)."""


class MovieMap(NamedTuple):
    """Movies on a plane: those near each other have vectors alike, as far as two dimensions can show it."""

    points: NDArray[np.float32]
    """float32 [num, 2]."""
    categories: list[str]
    """Of each, its main category; the less common ones are "other"."""
    share: float
    """How much of the variance of the vectors the plane holds."""


def read_names(writer: ArtifactWriter) -> Names:
    """Reads the names out of a build that is being written."""

    def array(name: str) -> NDArray[Any]:
        loaded: NDArray[Any] = np.load(writer.path_for(f"{name}.npy"), mmap_mode="r", allow_pickle=False)
        return loaded

    return Names(
        IdTable(array("reviewer_ids"), array("reviewer_id_offsets")),
        IdTable(array("movie_ids"), array("movie_id_offsets")),
        MovieCards(array("movie_cards"), array("movie_card_offsets")),
    )


def make_examples(model: Model, names: Names) -> list[Example]:
    """Recommends to three reviewers: with few reviews, with a middling number, and with the most."""
    counts = np.diff(model.histories.offsets)
    order = np.argsort(counts, kind="stable")
    places = (len(order) // 4, len(order) // 2, len(order) - 1)
    return [_example(model, names, int(row)) for row in dict.fromkeys(order[list(places)].tolist())]


def map_movies(model: Model, cards: MovieCards) -> MovieMap:
    """Lays the most reviewed movies out on the plane in which their vectors vary most (PCA)."""
    counts = np.bincount(model.histories.movie_rows, minlength=model.num_movies)
    rows = np.sort(np.argsort(-counts, kind="stable")[:MOST_MAPPED])
    vectors = np.asarray(model.relevance.movie_vectors[rows, :-1], dtype=np.float64)  # the last is the bias
    vectors = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(vectors, full_matrices=False)
    points = np.zeros((len(rows), 2), dtype=np.float32)
    points[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    total = float((sizes**2).sum())
    share = float((sizes[:2] ** 2).sum() / total) if total else 0.0
    return MovieMap(points, main_categories([cards.card(int(row))["category"] for row in rows]), share)


def main_categories(categories: Sequence[str | None]) -> list[str]:
    """The main category of each movie: the first part of its path, below what all movies have in common.

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
    unseen = np.setdiff1d(np.arange(model.num_movies), history.movie_rows)
    scores = model.rescore(reviewer, unseen)
    best = best_places(scores.score, NUM_SHOWN)
    ratings: list[float | None] = [None] * len(best)
    likes: list[float | None] = [None] * len(best)
    if scores.probabilities is not None and model.rating is not None:
        ratings = model.rating.summarize(scores.probabilities[best]).mean.tolist()
        likes = model.like_probability(scores.probabilities[best]).tolist()
    newest = np.arange(len(history.movie_rows))[::-1]
    highest = newest[np.argsort(-history.level_rows[newest].astype(np.int64), kind="stable")][:NUM_SHOWN]
    return Example(
        reviewer_id=names.reviewers.id(reviewer_row),
        num_reviews=len(history.movie_rows),
        known=[
            _named(names, int(history.movie_rows[place]))
            | {
                "rating": float(model.rating.levels[history.level_rows[place]])
                if model.rating is not None
                else None
            }
            for place in highest
        ],
        recommended=[
            _named(names, int(row)) | {"predicted_rating": rating, "like_probability": like}
            for row, rating, like in zip(unseen[best], ratings, likes, strict=True)
        ],
    )


def _named(names: Names, movie_row: int) -> dict[str, Any]:
    return {"movie_id": names.movies.id(movie_row), "title": names.cards.card(movie_row)["title"]}
