"""Makes the example recommendations that the report of an index shows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows, k_highest
from engine.artifact.ids import IdTable
from engine.artifact.layout import ARRAY_ENDING, MOVIE_COUNTS, VARIANT_ARRAYS
from engine.artifact.writer import ArtifactWriter
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants
from engine.model.scorer import Model
from engine.opened import open_cards, open_ids

NUM_SHOWN = 5
"""An example of the report shows at most this number of reviewed movies, and at most this number of
recommended movies."""


class Names(NamedTuple):
    """Holds the reviewer ids, the movie ids, the movie cards and the variants of films of a build."""

    reviewers: IdTable
    movies: IdTable
    cards: MovieCards
    variants: Variants
    movie_counts: NDArray[np.integer]
    """int [num_movies], the number of reviews of each movie; of the variants of a film, the lists prefer the
    most reviewed variant."""


class Example(NamedTuple):
    """Holds an example of a report: movies that a reviewer has reviewed, and movies that are recommended."""

    reviewer_id: str
    num_reviews: int
    known: list[dict[str, Any]]
    """The movies that the reviewer rated highest; among movies of equal rating, the latest reviewed movie
    comes first. Each reviewed movie has the entries movie_id, title and rating; the rating is None if the
    data has no ratings."""
    recommended: list[dict[str, Any]]
    """The recommended movies, best first. Each recommended movie has the entries movie_id, title,
    predicted_rating and like_probability; the predicted_rating and the like_probability are None if the data
    has no ratings."""


def read_names(writer: ArtifactWriter) -> Names:
    """Reads ids, movie cards and variants of films from the files of a build that is not finished yet."""

    def array(name: str) -> NDArray[Any]:
        path = writer.path_for(name + ARRAY_ENDING)
        loaded: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return loaded

    variants = Variants.none()
    if all(writer.path_for(name + ARRAY_ENDING).exists() for name in VARIANT_ARRAYS):
        variants = Variants(*map(array, VARIANT_ARRAYS))
    tables = open_ids(array, "reviewer"), open_ids(array, "movie"), open_cards(array)
    counts = np.zeros(len(tables[1]), dtype=np.int64)
    if writer.path_for(MOVIE_COUNTS + ARRAY_ENDING).exists():
        counts = array(MOVIE_COUNTS)
    return Names(*tables, variants, counts)


def make_examples(model: Model, names: Names) -> list[Example]:
    """Makes example recommendations for three reviewers, who are chosen by their numbers of reviews.

    All reviewers are sorted by their numbers of reviews; the examples are the reviewers at the 25th
    percentile, at the median and at the maximum.
    """
    counts = np.diff(model.histories.offsets)
    order = np.argsort(counts, kind="stable")
    places = (len(order) // 4, len(order) // 2, len(order) - 1)
    return [_example(model, names, int(row)) for row in dict.fromkeys(order[list(places)].tolist())]


def _example(model: Model, names: Names, reviewer_row: int) -> Example:
    reviewer = model.reviewer(reviewer_row)
    history = reviewer.history
    newest = _one_each_film(names.variants, history.movie_rows[::-1])
    newest = len(history.movie_rows) - 1 - newest
    highest = newest[k_highest(history.level_rows[newest], NUM_SHOWN)]
    given: list[float | None] = [None] * len(highest)
    unseen = np.setdiff1d(np.arange(model.num_movies), names.variants.complete(history.movie_rows))
    unseen = unseen[names.variants.one_each(unseen, names.movie_counts[unseen].astype(np.float64))]
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


def _one_each_film(variants: Variants, movie_rows: NDArray[np.integer]) -> Rows:
    """Returns the position of the first movie of each film in `movie_rows`: int64, ascending."""
    films = [int(variants.of(int(row))[0]) for row in movie_rows]
    return np.sort(np.unique(films, return_index=True)[1])


def _named(names: Names, movie_row: int) -> dict[str, Any]:
    return {"movie_id": names.movies.id(movie_row), "title": names.cards.title(movie_row)}
