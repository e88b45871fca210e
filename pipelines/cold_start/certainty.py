"""Estimates how certain predictions for cold movies are, by predicting reviewed movies as if cold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, spans
from engine.model.histories import Histories
from engine.model.scorer import Model
from pipelines.cold_start.mapping import PENALTIES, ColdMapping, MovieVectors, fit_regression
from pipelines.measuring.metrics import log_chances

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NUM_FOLDS = 4
"""The number of parts (folds) into which the movies are divided for cross-validation."""
_NUM_REVIEWS = 4000
"""The largest number of reviews that `log_scale_shift` uses; more reviews would hardly change the result."""
_FEWEST_REVIEWS = 50
"""With fewer reviews than this number, `log_scale_shift` returns 0, because an estimate would be too
inexact."""
_SHIFTS = np.linspace(-1.0, 0.2, 25, dtype=np.float32)
"""The possible results of `log_scale_shift`. A negative number spreads a predicted rating's chances over more
rating levels, which makes the prediction less certain."""


def vectors_as_if_cold(
    model: Model, mapping: ColdMapping, words: csr_array, described: NDArray[np.integer], seed: int
) -> MovieVectors:
    """Predicts the vectors of reviewed movies from their metadata, as if the movies had no reviews.

    As in cross-validation, the movies are divided into folds. The vectors of the movies in a fold are
    predicted by a ridge regression that is fitted to the movies in all other folds. The ridge regression for
    the first fold chooses its penalty by cross-validation; the ridge regressions for all other folds use the
    same penalty.

    Args:
        model: the trained model.
        mapping: the result of `learn_mapping` for the movies in `described`. The function takes from
            `mapping` only how features of a movie are computed from the word counts of the movie's metadata.
        words: the word counts of the metadata of the model's movies, float32 [num_movies, NUM_COLUMNS].
        described: the rows of the movies whose metadata has at least one word, int [num_described]; the
            trained vectors of all other movies are returned unchanged.
        seed: the seed of the random division into folds.
    """
    targets = MovieVectors.of(model)
    mapped = targets.table()
    table = mapped[described]
    counts = model.histories.movie_counts(model.num_movies)[described]
    features = mapping.features(mapping.weigh(words[described]))
    penalties: Sequence[float] = PENALTIES
    places = np.random.default_rng(seed).permutation(len(described))
    for fold in np.array_split(places, _NUM_FOLDS):
        others = np.setdiff1d(places, fold)
        found = fit_regression(
            features[others],
            table[others],
            counts[others],
            bias_column=targets.bias_column,
            penalties=penalties,
        )
        penalties = (found.penalty,)
        mapped[described[fold]] = features[fold] @ found.coefficients + found.intercepts
    return targets.split(mapped)


def relevance_errors(model: Model, mapped: MovieVectors, described: NDArray[np.integer]) -> Floats:
    """Computes a matrix that gives, for each reviewer, the standard error of a cold movie's relevance.

    To get the standard error of a cold movie's relevance to a reviewer, append a 1 to the reviewer's vector,
    and multiply the vector by the returned matrix. The length of the resulting vector is the standard error.

    The standard error is estimated from reviewed movies, whose vectors are predicted from metadata as if the
    movies were cold. The relevance error of a reviewed movie is the relevance by the movie's trained vector
    minus the relevance by the movie's predicted vector. The standard error of a cold movie's relevance is the
    root mean square of the relevance errors of the reviewed movies in `described`.

    Args:
        model: the trained model.
        mapped: the movie vectors that `vectors_as_if_cold` predicts from metadata.
        described: the rows of the movies whose metadata has at least one word, int [num_described].

    Returns:
        A matrix, float32 [embedding_dim + 1, embedding_dim + 1], that maps a reviewer's vector (with a 1
        appended) to a vector whose length is the standard error of a cold movie's relevance.
    """
    errors = model.relevance.movie_vectors[described].astype(np.float64) - mapped.movie_vectors[described]
    sizes, directions = np.linalg.eigh(errors.T @ errors / max(len(described), 1))
    return np.asarray(directions * np.sqrt(np.maximum(sizes, 0)), dtype=np.float32)


def log_scale_shift(model: Model, mapped: MovieVectors, described: NDArray[np.integer], seed: int) -> float:
    """Finds by how much predictions of ratings for cold movies must be less certain than for reviewed movies.

    The returned number is added to a cold movie's log scale, the logarithm of the number by which the rating
    head multiplies logits. A lower log scale spreads the predicted chances over more rating levels. The
    function predicts known ratings of reviewed movies as if the movies were cold. Before a known rating is
    predicted, the review with the known rating is removed from the reviewer's history. The known ratings are
    predicted once for each number in `_SHIFTS`, with the number added to the log scale of each reviewed
    movie. The function returns the number in `_SHIFTS` whose predictions give the known ratings of reviewed
    movies the highest likelihood. The result is 0 if the model predicts no ratings, or if fewer than
    `_FEWEST_REVIEWS` reviews can be used.

    Args:
        model: the trained model.
        mapped: the movie vectors that `vectors_as_if_cold` predicts from metadata.
        described: the rows of the movies whose metadata has at least one word, int [num_described].
        seed: the seed of the random choice of reviews.
    """
    if model.rating is None or mapped.rating_movie_vectors is None:
        return 0.0
    generator = np.random.default_rng(seed)
    histories = model.histories
    reviews = np.flatnonzero(np.isin(histories.movie_rows, described))
    reviews = np.sort(generator.permutation(reviews)[:_NUM_REVIEWS])
    if len(reviews) < _FEWEST_REVIEWS:
        return 0.0
    reviewer_rows = np.searchsorted(histories.offsets, reviews, side="right") - 1
    tastes = model.rating.tastes(reviewer_rows, _without(histories, reviewer_rows, reviews))
    head = replace(model.rating, movie_vectors=mapped.rating_movie_vectors)
    location, log_scale = head.locate(tastes, histories.movie_rows[reviews], model.blend.interaction_weight)
    log_scale = log_scale + np.float32(model.blend.log_temperature)
    level_rows = histories.level_rows[reviews]

    def likelihood(shift: np.float32) -> float:
        return float(log_chances(head.probabilities(location, log_scale + shift), level_rows).mean())

    return float(max(_SHIFTS, key=likelihood))


def _without(
    histories: Histories, reviewer_rows: NDArray[np.integer], reviews: NDArray[np.integer]
) -> Histories:
    """Returns the histories of the reviewers in `reviewer_rows`, each without one of its reviews.

    Args:
        histories: the histories of all reviewers.
        reviewer_rows: the rows of the reviewers, int [num]; a reviewer may occur several times.
        reviews: for each returned history, the review to leave out, as a position in the arrays of
            `histories`, int [num].
    """
    lengths = histories.lengths[reviewer_rows]
    places = spans(histories.offsets[reviewer_rows], lengths)
    places = places[places != np.repeat(reviews, lengths)]
    offsets = np.concatenate([[0], np.cumsum(lengths - 1)])
    return Histories(offsets, histories.movie_rows[places], histories.level_rows[places])
