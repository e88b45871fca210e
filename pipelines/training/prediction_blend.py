"""Chooses on held-out reviews the weights with which the components of a predicted rating are added up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from engine.arrays import Doubles, Floats, Rows
from engine.model.heads import RatingHead
from engine.model.scorer import Model
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews
from pipelines.measuring.metrics import log_chances

logger = logging.getLogger(__name__)

_MAX_PAIRS = 50_000
"""The largest number of held-out reviews to which the weights are fitted. If there are several models, at
most an equal share of this number is sampled from the held-out reviews of each model."""
_PRIOR = 20.0
"""The strength of a penalty that keeps the fitted weights near the default weights if held-out reviews are
few. The penalty, which is added to the loss, is _PRIOR times the squared distance of the fitted weights from
the default weights. With the default weights, a predicted rating is exactly the rating that the rating head
predicts."""


class _Parts(NamedTuple):
    """Holds the levels of held-out ratings, and the numbers, such as biases, that predict the ratings."""

    head: RatingHead
    biases: Floats
    """float32 [num_reviews], the sum of the reviewer's bias and the movie's bias, in logits."""
    interaction: Floats
    """float32 [num_reviews], in logits: the number that is added to `biases` for the pair of reviewer and
    movie. With the default weights, the sum of `biases` and `interaction` is the location, which is the
    centre of the predicted distribution of ratings."""
    log_scale: Floats
    """float32 [num_reviews], the logarithm of the scale of the predicted distribution of ratings; a high
    scale makes the distribution narrow."""
    near: Doubles
    """float64 [num_reviews], the number of stars by which the reviewer rated similar movies above
    expectation."""
    level_rows: Rows
    """int64 [num_reviews], the position of the true rating in the rating levels."""


def choose_rating_blend(models: Sequence[Model], held_out: Sequence[Reviews], seed: int) -> Blend:
    """Returns the blend, an object of weights, that predicts held-out ratings with the least log loss.

    The fields `interaction_weight`, `rating_neighbour_weight`, `log_temperature` and `location_offset` of the
    blend are fitted. All fields of the returned blend besides these four fields are copied from the blend of
    the given models.

    Args:
        models: models that all have the same blend.
        held_out: for each model, the reviews that were held out of the model's training.
        seed: the seed of the random sample of held-out reviews that is used if the held-out reviews are many.
    """
    from scipy.optimize import minimize

    blend = models[0].blend
    most = _MAX_PAIRS // len(models)
    parts = [
        _parts(model, model.rating, reviews, most, seed)
        for model, reviews in zip(models, held_out, strict=True)
        if model.rating is not None and len(reviews)
    ]
    if not parts:
        return blend

    def loss(weights: Doubles) -> float:
        distance = (weights[0] - 1) ** 2 + weights[1] ** 2 / 4 + weights[2] ** 2 + weights[3] ** 2
        return float(sum(_loss(part, weights) for part in parts) + _PRIOR * distance)

    # The initial simplex of the search is given, because SciPy's default simplex is tiny for weights of zero.
    start = np.array([1.0, 0.0, 0.0, 0.0])
    simplex = np.stack([start, *(start + np.diag([-0.3, 1.0, -0.3, 0.2]))])
    bounds = [(0.0, 2.0), (0.0, 5.0), (-2.0, 2.0), (-1.0, 1.0)]
    options = {"xatol": 1e-3, "fatol": 1e-2, "initial_simplex": simplex}
    found = minimize(loss, start, method="Nelder-Mead", bounds=bounds, options=options).x
    logger.info(
        "Chose interaction weight %.3f, rating neighbour weight %.3f, log temperature %.3f, offset %.3f",
        *found,
    )
    names = ("interaction_weight", "rating_neighbour_weight", "log_temperature", "location_offset")
    return replace(blend, **dict(zip(names, map(float, found), strict=True)))


def blended(model: Model, blend: Blend) -> Model:
    """Returns a copy of a model that scores movies and predicts ratings with `blend`.

    The number `blend.location_offset` is subtracted from all thresholds of the rating head. The subtraction
    has the same effect as adding `blend.location_offset` to the location (the centre, in logits) of the
    predicted distribution of each rating.
    """
    if model.rating is None:
        return replace(model, blend=blend)
    thresholds = model.rating.thresholds - np.float32(blend.location_offset)
    return replace(model, rating=replace(model.rating, thresholds=thresholds), blend=blend)


def _loss(parts: _Parts, weights: Doubles) -> float:
    """Sums the log losses of held-out ratings that are predicted with the given weights."""
    location = parts.biases + weights[0] * parts.interaction + weights[1] * parts.near + weights[3]
    log_scale = parts.log_scale + np.float32(weights[2])
    probabilities = parts.head.probabilities(location.astype(np.float32), log_scale)
    return float(-log_chances(probabilities, parts.level_rows).sum())


def _parts(model: Model, head: RatingHead, held_out: Reviews, most: int, seed: int) -> _Parts:
    """Computes the components of predicted ratings, such as biases, for a sample of the held-out reviews.

    The sample of held-out reviews is random, and holds at most `most` reviews. The fields `biases`,
    `interaction`, `log_scale` and `near` of the returned `_Parts` hold the components of the predicted
    ratings.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(held_out))[:most])
    rows, places = np.unique(held_out.reviewer_rows[chosen], return_inverse=True)
    movie_rows = held_out.movie_rows[chosen]
    parts = []
    for begin, end in model.histories.batches(rows):
        within = slice(*np.searchsorted(places, [begin, end]))
        reviewers = model.reviewers(rows[begin:end])
        assert reviewers.tastes is not None
        own_places, movies = places[within] - begin, movie_rows[within]
        tastes = reviewers.tastes.take(own_places)
        location, log_scale = head.locate(tastes, movies)
        biases, _ = head.locate(tastes, movies, 0.0)
        ratings = reviewers.neighbour_ratings
        near = np.zeros(len(movies)) if ratings is None else ratings.at(model.keys(own_places, movies))
        parts.append((biases, location - biases, log_scale, near))
    biases, interaction, log_scale, near = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Parts(head, biases, interaction, log_scale, near, held_out.level_rows[chosen].astype(np.int64))
