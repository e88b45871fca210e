"""Holds the results of an evaluation: the metrics of each model on each fold and over all folds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.evaluation import comparison

OWN_MODEL = "ncf"
"""The name of the engine's own model in the option `--models`."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Holds the metrics of each model on each fold, and intervals and tests over all folds."""

    protocol: str
    """The name of the protocol that divided the reviews; "given" for pairs of a training and a test file."""
    like_rating: float
    """The lowest rating, in stars, with which a held-out movie counts as relevant."""
    rows: Sequence[dict[str, Any]]
    """The counts of kept and dropped rows of the review files. If a protocol divided the reviews into
    training and test reviews, `rows` has a single entry, for all review files together. If the user gave
    pairs of a training file and a test file, `rows` has one entry for each training file and for each test
    file."""
    splits: Sequence[dict[str, int]]
    """For each fold, the number of training reviews, the number of test reviews, and the number of reviews
    that left the test set because a training review is a copy."""
    results: comparison.Results
    """The metrics of each model on each fold; the keys are the names of the models."""
    seconds: dict[str, Sequence[float]]
    """The seconds that the fitting of each model took on each fold; the keys are the names of the models."""
    curves: Mapping[str, Sequence[Mapping[str, Sequence[float]]]] = field(default_factory=dict)
    """The training curves of each model on each fold; the keys are the names of the models. Only the
    baselines `base` and `final` have training curves."""
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    """The 95% bootstrap intervals over reviewers; the outer keys are the names of models, and the inner keys
    are the names of metrics."""
    reference: str = OWN_MODEL
    """The name of the model with which significance tests compare all other models."""
    p_values: dict[str, dict[str, float]] = field(default_factory=dict)
    """The p-values of the differences between a model and the model `reference`; the outer keys are the names
    of models, and the inner keys are the names of metrics."""
    by_reviews: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """The main metrics of each model for each group of reviewers. The outer keys are the names of models; the
    middle keys are groups of reviewers, such as "2-3" for two or three training reviews; the inner keys are
    the names of metrics."""
    similar: dict[str, Any] = field(default_factory=dict)
    """The recall of the engine's lists of similar movies, which `summarize` returns; empty if the engine's
    own model was not evaluated."""
    looks: dict[str, Any] = field(default_factory=dict)
    """The result of `summarize_looks` for the engine's lists of similar movies. The result says how often a
    listed movie has no category in common with the movie whose similar movies are listed, and how often a
    film's sequel is among the first movies of the film's list. The dictionary `looks` is empty if the movies
    have no metadata, or if the engine's own model was not evaluated."""
    negatives: dict[str, Any] | None = None
    """The counts of pairs and ids in the file of candidate movies; None if the models ranked the whole
    catalogue."""
    sentiment: dict[str, Any] | None = None
    """The statistics of the sentiment of training reviews, and whether sentiment helped; None if no sentiment
    was scored."""

    @property
    def mean(self) -> dict[str, dict[str, float]]:
        """Returns the mean of each model's metrics over the folds, by name of the model and of the metric."""
        return comparison.mean_figures(self.results)

    @property
    def leaks_prevented(self) -> int:
        """Returns how many held-out reviews of all folds were not tested, as copies of training reviews."""
        return sum(split["leaks_prevented"] for split in self.splits)

    def to_dict(self) -> dict[str, Any]:
        """Returns all results but the training curves as JSON values, with None for NaN and infinity."""
        folds = [
            {"fold": number, "model": model, **figures.figures, "fit_seconds": seconds}
            for model, found in self.results.items()
            for number, (figures, seconds) in enumerate(zip(found, self.seconds[model], strict=True), start=1)
        ]
        values: dict[str, Any] = _finite(
            {
                "protocol": self.protocol,
                "like_rating": self.like_rating,
                "leaks_prevented": self.leaks_prevented,
                "rows": list(self.rows),
                "splits": list(self.splits),
                "folds": folds,
                "mean": self.mean,
                "intervals": self.intervals,
                "tests": {"against": self.reference, "p_values": self.p_values},
                "by_reviews": self.by_reviews,
                "similar": self.similar,
                "looks": self.looks,
                "negatives": self.negatives,
                "sentiment": self.sentiment,
            }
        )
        return values


def _finite(value: Any) -> Any:
    """Replaces NaN and infinity, which JSON cannot hold, by None in nested dictionaries and lists."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
