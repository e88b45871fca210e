"""Holds the results of an evaluation: the figures of each model in each fold, and over all folds."""

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
    """Holds the figures of each model in each fold, and intervals and tests over all folds."""

    protocol: str
    """The name of the protocol that divided the reviews; "given" for pairs of a training and a test file."""
    like_rating: float
    """The lowest rating, in stars, with which a held-out movie counted as relevant."""
    rows: Sequence[dict[str, Any]]
    """Counts of kept and dropped rows: one entry for all files, or one for each file of given pairs."""
    splits: Sequence[dict[str, int]]
    """For each fold, the numbers of training reviews, of test reviews, and of copies that moved to
    training."""
    results: comparison.Results
    """The figures of each fold, by model."""
    seconds: dict[str, Sequence[float]]
    """The seconds that fitting took in each fold, by model."""
    curves: Mapping[str, Sequence[Mapping[str, Sequence[float]]]] = field(default_factory=dict)
    """The training curves of each fold, by model; only the models `base` and `final` have curves."""
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    """The 95% bootstrap interval over reviewers, by model and figure."""
    reference: str = OWN_MODEL
    """The name of the model with which all other models are compared in tests."""
    p_values: dict[str, dict[str, float]] = field(default_factory=dict)
    """The p-value of the difference between a model and `reference`, by model and figure."""
    by_reviews: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """The main figures by model, group of reviewers ("2-3" training reviews), and name of the figure."""
    similar: dict[str, Any] = field(default_factory=dict)
    """The recall of the engine's lists of similar movies; empty if the engine's own model was not
    evaluated."""
    looks: dict[str, Any] = field(default_factory=dict)
    """How alike the movies of the engine's lists of similar movies look, by metadata; empty without
    metadata."""
    negatives: dict[str, Any] | None = None
    """The counts of the file of candidate movies; None if the whole catalogue was ranked."""
    sentiment: dict[str, Any] | None = None
    """The statistics of sentiment in training texts, and whether sentiment helped; None if sentiment was not
    used."""

    @property
    def mean(self) -> dict[str, dict[str, float]]:
        """Returns the mean of each figure over the folds, by model and figure."""
        return comparison.mean_figures(self.results)

    @property
    def leaks_prevented(self) -> int:
        """Returns how many held-out reviews of all folds moved to training because training has a copy."""
        return sum(split["leaks_prevented"] for split in self.splits)

    def to_dict(self) -> dict[str, Any]:
        """Returns all results except the training curves as JSON values; NaN and infinity become None."""
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
    """Replaces NaN and infinity, which JSON lacks, by None in nested dictionaries and lists."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
