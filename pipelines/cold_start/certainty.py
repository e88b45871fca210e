"""How sure a predicted rating of a movie without reviews may be: found on movies that are treated as such."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import spans
from engine.config.sections import ColdConfig
from engine.model.heads import RatingHead
from engine.model.histories import Histories
from engine.model.scorer import Model
from pipelines.cold_start.mapping import MovieVectors, learn_mapping

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NUM_FOLDS = 4
_NUM_REVIEWS = 4000
_FEWEST_REVIEWS = 50
"""With fewer reviews to find a shift on there is none."""
_SHIFTS = np.linspace(-1.0, 0.2, 25, dtype=np.float32)
"""Shifts of the log scale that are tried; below zero ratings are less sure."""


def log_scale_shift(
    model: Model, words: csr_array, described: NDArray[np.integer], config: ColdConfig, seed: int
) -> float:
    """The shift of the log scale under which ratings of movies with mapped vectors are likeliest.

    Movies are mapped by what was learned from the others, and each review that is predicted is left out of
    its reviewer's history.

    Args:
        model: a trained one; without ratings the shift is 0.
        words: counted words of its movies, float32 [num_movies, NUM_COLUMNS].
        described: int [num_described], the movies that have any.
        config: sizes of the mapping.
        seed: of the folds and of the sample of reviews.
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
    mapped = _mapped(model, model.rating, words, described, config, generator)
    location, log_scale = mapped.locate(tastes, histories.movie_rows[reviews], model.blend.interaction_weight)
    log_scale = log_scale + np.float32(model.blend.log_temperature)
    level_rows = histories.level_rows[reviews].astype(np.int64)[:, None]
    likelihoods = [
        np.log(
            np.take_along_axis(mapped.probabilities(location, log_scale + shift), level_rows, 1) + 1e-7
        ).mean()
        for shift in _SHIFTS
    ]
    return float(_SHIFTS[int(np.argmax(likelihoods))])


def _without(
    histories: Histories, reviewer_rows: NDArray[np.integer], reviews: NDArray[np.integer]
) -> Histories:
    """The history of each reviewer without one review of theirs, which stands for itself in all reviews."""
    lengths = histories.lengths[reviewer_rows]
    places = spans(histories.offsets[reviewer_rows], lengths)
    places = places[places != np.repeat(reviews, lengths)]
    offsets = np.concatenate([[0], np.cumsum(lengths - 1)])
    return Histories(offsets, histories.movie_rows[places], histories.level_rows[places])


def _mapped(
    model: Model,
    rating: RatingHead,
    words: csr_array,
    described: NDArray[np.integer],
    config: ColdConfig,
    generator: np.random.Generator,
) -> RatingHead:
    """The rating head with each described movie's vector as it is mapped from what the others taught."""
    targets = MovieVectors.of(model)
    table = targets.table()
    counts = np.bincount(model.histories.movie_rows, minlength=model.num_movies)
    mapped = table.copy()
    for fold in np.array_split(generator.permutation(described), _NUM_FOLDS):
        others = np.setdiff1d(described, fold)
        mapping = learn_mapping(words[others], table[others], counts[others], config)
        mapped[fold] = mapping.table(mapping.features(mapping.weigh(words[fold])))
    vectors = targets.split(mapped).rating_movie_vectors
    assert vectors is not None
    return replace(rating, movie_vectors=vectors)
