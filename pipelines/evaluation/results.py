"""Holds what an evaluation measured, as one value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.evaluation import comparison

OWN_MODEL = "ncf"
"""The engine's own model, by the name that `--models` takes."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Holds what was measured, by model and fold."""

    protocol: str
    """The protocol that divided the reviews; "given" for pairs of files."""
    like_rating: float
    """The lowest rating that counted as relevant."""
    rows: Sequence[dict[str, Any]]
    """What became of the rows of the files: of all together, or of each file where pairs were given."""
    splits: Sequence[dict[str, int]]
    """Of each fold, the reviews and reviewers on both sides, and how many leaks were prevented."""
    results: comparison.Results
    """By model, the figures of each fold."""
    seconds: dict[str, Sequence[float]]
    """By model, how long fitting took, fold by fold."""
    curves: Mapping[str, Sequence[Mapping[str, Sequence[float]]]] = field(default_factory=dict)
    """By model, the training curves of each fold, by name; only of the models `base` and `final`."""
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    """By model and figure, the 95% interval over reviewers."""
    reference: str = OWN_MODEL
    """The model that the other models are tested against."""
    p_values: dict[str, dict[str, float]] = field(default_factory=dict)
    """By model and figure, the chance of so large a difference to the reference if there were none."""
    by_reviews: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """By model, number of training reviews, and figure."""
    similar: dict[str, Any] = field(default_factory=dict)
    """How good the engine's similar movies are; empty where its model was not evaluated."""
    negatives: dict[str, Any] | None = None
    """What the file of candidates held; None where the whole catalogue is ranked."""
    sentiment: dict[str, Any] | None = None
    """What the texts of the first fold's training reviews say, and whether it helped; None without them."""

    @property
    def mean(self) -> dict[str, dict[str, float]]:
        """Returns each model's figures as means over the folds."""
        return comparison.mean_figures(self.results)

    @property
    def leaks_prevented(self) -> int:
        """Returns how many held-out reviews had a copy in training and moved there, over all folds."""
        return sum(split["leaks_prevented"] for split in self.splits)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything but the training curves as JSON can hold it; what is not a number is None."""
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
    """Returns a value in which None stands for every number that is not finite, since JSON has none."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
