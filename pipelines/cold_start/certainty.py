"""Finds how certain the predicted ratings of cold movies may be, on movies that are treated as cold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import spans
from engine.model.heads import RatingHead
from engine.model.histories import Histories
from engine.model.scorer import Model
from pipelines.cold_start.mapping import MovieVectors, learn_mapping

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NUM_FOLDS = 4
"""Parts of the movies, each of which is mapped by what was learned from the other parts."""
_NUM_REVIEWS = 4000
"""Reviews that are predicted at most; more take longer and hardly move the shift."""
_FEWEST_REVIEWS = 50
"""Reviews below which the shift is 0, since too few would choose it by chance."""
_SHIFTS = np.linspace(-1.0, 0.2, 25, dtype=np.float32)
"""Shifts of the log scale that are tried; below zero, ratings are less certain."""


def log_scale_shift(model: Model, words: csr_array, described: NDArray[np.integer], seed: int) -> float:
    """Finds the shift of the log scale under which the ratings of mapped movies are likeliest.

    Movies are mapped by what was learned from other movies, and each review that is predicted is left out of
    its reviewer's history. Without ratings the shift is 0. `words` are the counted words of the model's
    movies, float32 [num_movies, NUM_COLUMNS], and `described`, int [num_described], the movies that have any.
    """
    if model.rating is None:
        return 0.0
    generator = np.random.default_rng(seed)
    histories = model.histories
    reviews = np.flatnonzero(np.isin(histories.movie_rows, described))
    reviews = np.sort(generator.permutation(reviews)[:_NUM_REVIEWS])
    if len(reviews) < _FEWEST_REVIEWS:
        return 0.0
    reviewer_rows = np.searchsorted(histories.offsets, reviews, side="right") - 1
    tastes = model.rating.tastes(reviewer_rows, _without(histories, reviewer_rows, reviews))
    mapped = _mapped_head(model, model.rating, words, described, generator)
    location, log_scale = mapped.locate(tastes, histories.movie_rows[reviews], model.blend.interaction_weight)
    log_scale = log_scale + np.float32(model.blend.log_temperature)
    level_rows = histories.level_rows[reviews].astype(np.int64)[:, None]

    def likelihood(shift: np.float32) -> float:
        chances = np.take_along_axis(mapped.probabilities(location, log_scale + shift), level_rows, 1)
        return float(np.log(chances + 1e-7).mean())

    return float(max(_SHIFTS, key=likelihood))


def _without(
    histories: Histories, reviewer_rows: NDArray[np.integer], reviews: NDArray[np.integer]
) -> Histories:
    """Leaves one review out of each reviewer's history; `reviews` are positions among all reviews."""
    lengths = histories.lengths[reviewer_rows]
    places = spans(histories.offsets[reviewer_rows], lengths)
    places = places[places != np.repeat(reviews, lengths)]
    offsets = np.concatenate([[0], np.cumsum(lengths - 1)])
    return Histories(offsets, histories.movie_rows[places], histories.level_rows[places])


def _mapped_head(
    model: Model,
    rating: RatingHead,
    words: csr_array,
    described: NDArray[np.integer],
    generator: np.random.Generator,
) -> RatingHead:
    """Replaces each described movie's vector in a rating head by what other movies map its words to."""
    targets = MovieVectors.of(model)
    table = targets.table()
    counts = np.bincount(model.histories.movie_rows, minlength=model.num_movies)
    mapped = table.copy()
    for fold in np.array_split(generator.permutation(described), _NUM_FOLDS):
        others = np.setdiff1d(described, fold)
        mapping = learn_mapping(words[others], table[others], counts[others])
        mapped[fold] = mapping.table(mapping.features(mapping.weigh(words[fold])))
    vectors = targets.split(mapped).rating_movie_vectors
    assert vectors is not None
    return replace(rating, movie_vectors=vectors)
