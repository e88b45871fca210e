"""Evaluation: what was measured, as one value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.evaluation import comparison

OURS = "ncf"
"""The engine's own model, by the name that `--models` takes."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured, by model and fold."""

    protocol: str
    """How the reviews were divided; "given" for pairs of files."""
    like_rating: float
    """The lowest rating that counted as relevant."""
    rows: Sequence[dict[str, Any]]
    """What became of the rows of the files: of all together, or of each where pairs were given."""
    splits: Sequence[dict[str, int]]
    """Of each fold, how many reviews and reviewers are on which side, and how many leaks were prevented."""
    results: comparison.Results
    """By model, the figures of each fold."""
    seconds: dict[str, Sequence[float]]
    """By model, how long fitting took, fold by fold."""
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    """By model and figure, the 95% interval over reviewers."""
    reference: str = OURS
    """The model that the others are tested against."""
    p_values: dict[str, dict[str, float]] = field(default_factory=dict)
    """By model and figure, the chance of so large a difference to the reference if there were none."""
    by_reviews: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """By model, number of training reviews, and figure."""
    similar: dict[str, Any] = field(default_factory=dict)
    """How good the engine's similar movies are; empty where it is not among the models."""
    negatives: dict[str, Any] | None = None
    """What the file of candidates held; None where the whole catalogue is ranked."""
    sentiment: dict[str, Any] | None = None
    """What the texts of the first fold's training reviews say, and whether that helped; None without them."""

    @property
    def mean(self) -> dict[str, dict[str, float]]:
        """By model, each figure's mean over the folds."""
        return comparison.mean_figures(self.results)

    @property
    def leaks_prevented(self) -> int:
        """Held-out reviews that had a copy in training and went there, over all folds."""
        return sum(split["leaks_prevented"] for split in self.splits)

    def to_dict(self) -> dict[str, Any]:
        """Gives everything as plain values; what is not a number is None."""
        folds = [
            {
                "fold": number,
                "model": model,
                **figures.figures,
                "fit_seconds": self.seconds[model][number - 1],
            }
            for model, found in self.results.items()
            for number, figures in enumerate(found, start=1)
        ]
        return _plain_items(
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


def _plain_items(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(item) for key, item in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return _plain_items(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
