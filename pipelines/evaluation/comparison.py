"""Compares models over all folds by mean metrics, confidence intervals, paired tests and reviewer groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from pipelines.dataset.sentiment import SIGNALS
from pipelines.evaluation.fold_figures import FoldFigures, PerReviewer
from pipelines.measuring.significance import bootstrap_interval, paired_test

REVIEW_GROUPS: Mapping[str, tuple[int, int | None]] = {
    "0-1": (0, 1),
    "2-3": (2, 3),
    "4-10": (4, 10),
    "11-50": (11, 50),
    ">50": (51, None),
}
"""The groups of reviewers. The key is the name of a group; the value is the smallest and the largest number
of training reviews of a reviewer in the group, with None for no limit."""
_MAIN = ("mae", "rmse", "ndcg@10", "recall@10", "recall@20")
"""The names of the main metrics, for which confidence intervals and p-values are computed."""
_HIGHER_IS_BETTER = {"ndcg@10": True, "recall@10": True, "recall@20": True, "mae": False, "rmse": False}
_SURE = 0.01
"""The p-value below which a difference between two models in one main metric counts as real.

Each of the five main metrics is tested at the level 0.05 / 5 (Bonferroni correction), so that two equally
good models are called different in at most 5% of cases."""

Results = Mapping[str, Sequence[FoldFigures]]
"""The metrics of each model on each fold; the keys are the names of the models."""
Figures = Mapping[str, Mapping[str, float]]
"""The values of metrics; the outer keys are the names of models, and the inner keys are the names of
metrics."""


def mean_figures(results: Results) -> dict[str, dict[str, float]]:
    """Averages the metrics of each model over the folds."""
    return {
        model: {
            name: float(np.mean([fold.figures[name] for fold in folds if name in fold.figures]))
            for name in dict.fromkeys(name for fold in folds for name in fold.figures)
        }
        for model, folds in results.items()
    }


def intervals(results: Results, *, seed: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Computes, for each model and main metric, the 95% bootstrap interval over reviewers."""
    return {
        model: {
            name: _interval(name, pooled, seed)
            for name in _MAIN
            if (pooled := _pooled(folds, name)) is not None
        }
        for model, folds in results.items()
    }


def tests_against(results: Results, reference: str, *, seed: int) -> dict[str, dict[str, float]]:
    """Tests whether models differ from the model `reference`; returns a p-value per model and main metric."""
    found: dict[str, dict[str, float]] = {}
    for model, folds in results.items():
        if model == reference:
            continue
        found[model] = {}
        for name in _MAIN:
            ours, theirs = _pooled(results[reference], name), _pooled(folds, name)
            if ours is not None and theirs is not None:
                found[model][name] = paired_test(ours.sums, theirs.sums, seed=seed)
    return found


def by_reviews(results: Results, counts: Sequence[Rows]) -> dict[str, dict[str, dict[str, float]]]:
    """Computes each model's main metrics for each group of reviewers in REVIEW_GROUPS.

    A group of REVIEW_GROUPS has no entry in the returned dictionary if no reviewer of the group was measured.
    The argument `counts` holds, for each fold, the number of training reviews of each reviewer, int64
    [num_reviewers].
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for model, folds in results.items():
        found[model] = {}
        for group, (fewest, most) in REVIEW_GROUPS.items():
            inside = [(fewest <= count) & (count <= (most or np.inf)) for count in counts]
            pooled = {name: _pooled(folds, name, inside) for name in _MAIN}
            figures = {
                name: _figure(name, parts) for name, parts in pooled.items() if parts and parts.weights.any()
            }
            if figures:
                found[model][group] = figures
    return found


def _pooled(
    folds: Sequence[FoldFigures], name: str, inside: Sequence[NDArray[np.bool_]] | None = None
) -> PerReviewer | None:
    """Adds up, over all folds, each reviewer's contribution to the metric `name`.

    A reviewer's contribution to a metric is two numbers, a sum and a weight (see `PerReviewer`). For MAE, the
    sum adds up the absolute errors of the reviewer's predicted ratings, and the weight is the number of the
    reviewer's predicted ratings.

    The masks in `inside`, one for each fold, mark the reviewers that count; None if all reviewers count. The
    function returns None if the metric `name` was measured on no fold.
    """
    parts = [fold.by_reviewer[name] for fold in folds if name in fold.by_reviewer]
    if not parts:
        return None
    chosen = inside or [np.ones(len(part.sums), dtype=bool) for part in parts]
    return PerReviewer(
        np.sum([np.where(some, part.sums, 0) for part, some in zip(parts, chosen, strict=True)], axis=0),
        np.sum([np.where(some, part.weights, 0) for part, some in zip(parts, chosen, strict=True)], axis=0),
    )


def _figure(name: str, parts: PerReviewer) -> float:
    ratio = float(parts.sums.sum() / parts.weights.sum())
    return float(np.sqrt(ratio)) if name == "rmse" else ratio


def _interval(name: str, parts: PerReviewer, seed: int) -> tuple[float, float]:
    present = parts.weights > 0
    low, high = bootstrap_interval(parts.sums[present], parts.weights[present], seed=seed)
    return (float(np.sqrt(low)), float(np.sqrt(high))) if name == "rmse" else (low, high)


def verdicts(mean: Figures, p_values: Figures, reference: str) -> dict[str, str]:
    """Returns, for each model that learns from sentiment, a sentence that says whether sentiment helped.

    The mean metrics of each model that learns from sentiment are compared with the mean metrics of
    `reference`, the model that learns from stars alone. A difference between two models counts as real if the
    p-value of the difference is below 0.01.
    """
    return {
        model: _verdict(mean[model], mean[reference], p_values.get(model, {}))
        for model in SIGNALS
        if model in mean and reference in mean and model != reference
    }


def _verdict(ours: Mapping[str, float], stars: Mapping[str, float], p_values: Mapping[str, float]) -> str:
    found: dict[str, list[str]] = {"better": [], "worse": []}
    for name, higher in _HIGHER_IS_BETTER.items():
        if name not in p_values:
            continue
        text = f"{name} {ours[name]:.4f} against {stars[name]:.4f} (p = {p_values[name]:.2g})"
        if p_values[name] < _SURE:
            found["better" if (ours[name] > stars[name]) == higher else "worse"].append(text)
    if not any(found.values()):
        return "It made no difference that these reviews could show."
    parts = [f"{word} in {', '.join(texts)}" for word, texts in found.items() if texts]
    lead = {(True, False): "It helped", (False, True): "It did harm", (True, True): "It helped and did harm"}
    return f"{lead[bool(found['better']), bool(found['worse'])]}: {'; '.join(parts)}."
