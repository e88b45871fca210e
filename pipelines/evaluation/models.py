"""Fits one model to the training reviews of one fold, and measures the model on the test reviews."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.arrays import Floats, Rows
from engine.config.sections import Config, SentimentConfig
from pipelines.baselines.registry import BASELINES, Fitted, fit_baseline
from pipelines.baselines.seed import SeedBase, SeedFinal
from pipelines.dataset.sentiment import BLEND, SENTIMENT, training_reviews
from pipelines.evaluation.fold_figures import FoldFigures, measure
from pipelines.evaluation.protocols import Fold
from pipelines.evaluation.results import OWN_MODEL
from pipelines.evaluation.similar_movies import (
    Compared,
    Looks,
    SimilarLists,
    measure_looks,
    measure_similar,
)
from pipelines.similar.traits import Traits
from pipelines.training.fit import FittedModel, fit_model


class FoldWork(NamedTuple):
    """Holds the data and the settings with which all models of a fold are fitted and measured."""

    fold: Fold
    like_rating: float
    """The lowest rating that counts as a like."""
    config: Config
    """The settings with which models are measured."""
    fitting: Config
    """The settings with which models are fitted. If the test reviews are a random sample, the value "auto" of
    `split.order` is replaced by "none"; validation reviews are then drawn at random, too."""
    features: Floats | None
    """The metadata vectors of movies that `content_features` computes; None if no model needs metadata
    vectors."""
    learned: Traits
    """The metadata from which the engine's model learns to find similar movies. The field `learned` holds
    only some of the links from movies to other movies, such as by "also bought". An evaluation measures lists
    of similar movies with all other links."""
    traits: Traits
    """The metadata by which movies are compared, such as categories and series, and all links from a movie's
    metadata to other movies, such as by "also bought"."""
    candidates: Rows | None
    """The pairs of reviewer and movie that models rank, each as one number `reviewer_row * num_movies +
    movie_row`, int64 [num_pairs], ascending; None if models rank the whole catalogue."""
    max_reviewers: int | None
    """The largest number of reviewers for whom movies are ranked; None for all reviewers."""


class MeasuredModel(NamedTuple):
    """Holds the results of one model on one fold."""

    seconds: float
    """The seconds that the fitting of the model took."""
    figures: FoldFigures
    curves: Mapping[str, Sequence[float]]
    """The training curves of the model, if the model is one of the baselines `base` and `final`; empty for
    other models."""
    similar: Mapping[str, Compared]
    """The recall of the engine's lists of similar movies; empty for every model but the engine's own."""
    looks: Looks | None
    """The result of `measure_looks` for the engine's lists of similar movies. The result says how often a
    listed movie has no category in common with the movie whose similar movies are listed. The result also
    says how often a film's sequel is among the first movies of the film's list. The field `looks` is None for
    every model but the engine's own."""


def measure_model(work: FoldWork, model: str) -> MeasuredModel:
    """Fits a model to the training reviews of a fold, and measures the model on the fold's test reviews."""
    started = time.perf_counter()
    fitted = _fit(model, work)
    seconds = round(time.perf_counter() - started, 3)
    fold, config = work.fold, work.config
    measured = fitted.model if isinstance(fitted, FittedModel) else fitted
    figures = measure(measured, fold, config, work.like_rating, work.max_reviewers, work.candidates)
    similar: Mapping[str, Compared] = {}
    looks = None
    if model == OWN_MODEL and isinstance(fitted, FittedModel):
        lists = SimilarLists.of(fitted.model, fitted.findings.likeness, work.traits)
        similar = measure_similar(lists, fold, work.traits.links, seed=config.seed)
        looks = measure_looks(lists, work.traits)
    curves = fitted.curves if isinstance(fitted, SeedBase | SeedFinal) else {}
    return MeasuredModel(seconds, figures, curves, similar, looks)


def needs_ratings(model: str) -> bool:
    """Tells whether a model needs reviews with ratings."""
    return model in BASELINES and BASELINES[model].needs_ratings


def _fit(model: str, work: FoldWork) -> Fitted | FittedModel:
    train, config = work.fold.train, work.fitting
    if model in BASELINES:
        return fit_baseline(model, train, like_rating=work.like_rating, seed=config.seed)
    weight = {OWN_MODEL: 0.0, SENTIMENT: 1.0, BLEND: config.sentiment.weight}[model]
    reviews = training_reviews(train, SentimentConfig(use=model != OWN_MODEL, weight=weight))
    traits = work.learned if model == OWN_MODEL else None
    return fit_model(reviews, config, features=work.features, traits=traits)
