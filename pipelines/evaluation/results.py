"""Holds the figures that an evaluation measured: of each model and fold, and over all folds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.evaluation import comparison

OWN_MODEL = "ncf"
"""Name of the engine's own model in the option `--models`."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Holds the figures of each model in each fold, with intervals and tests over all folds."""

    protocol: str
    """Name of the protocol that divided the reviews; "given" for pairs of a training and a test file."""
    like_rating: float
    """The lowest rating, in stars, with which a held-out movie counted as relevant."""
    rows: Sequence[dict[str, Any]]
    """Counts of kept and dropped rows: one entry for all files, or one for each file of given pairs."""
    splits: Sequence[dict[str, int]]
    """Numbers of training reviews, test reviews, and copies moved to training, for each fold."""
    results: comparison.Results
    """The figures of each fold, by model."""
    seconds: dict[str, Sequence[float]]
    """Seconds that fitting took in each fold, by model."""
    curves: Mapping[str, Sequence[Mapping[str, Sequence[float]]]] = field(default_factory=dict)
    """The training curves of each fold, by model; only the models `base` and `final` have curves."""
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    """The 95% bootstrap interval over reviewers, by model and figure."""
    reference: str = OWN_MODEL
    """Name of the model against which all other models are tested."""
    p_values: dict[str, dict[str, float]] = field(default_factory=dict)
    """The p-value of the difference between a model and `reference`, by model and figure."""
    by_reviews: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """The main figures by model, group of reviewers ("2-3" training reviews), and name of the figure."""
    similar: dict[str, Any] = field(default_factory=dict)
    """Recall of the engine's lists of similar movies; empty if the engine's own model was not evaluated."""
    negatives: dict[str, Any] | None = None
    """Counts of the file of candidate movies; None if the whole catalogue was ranked."""
    sentiment: dict[str, Any] | None = None
    """Statistics of sentiment in training texts, and whether sentiment helped; None if not measured."""

    @property
    def mean(self) -> dict[str, dict[str, float]]:
        """Returns the mean of each figure over the folds, by model and figure."""
        return comparison.mean_figures(self.results)

    @property
    def leaks_prevented(self) -> int:
        """Returns how many held-out reviews, in all folds, moved to training because training had a copy."""
        return sum(split["leaks_prevented"] for split in self.splits)

    def to_dict(self) -> dict[str, Any]:
        """Returns all results except the training curves as JSON values; None stands for NaN and infinity."""
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
                "negatives": self.negatives,
                "sentiment": self.sentiment,
            }
        )
        return values


def _finite(value: Any) -> Any:
    """Replaces NaN and infinity by None inside nested dictionaries and lists, since JSON has neither."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
