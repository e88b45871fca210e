"""Tells how sure a figure is, by intervals and tests over reviewers, who are independent; reviews are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_CONFIDENCE = 0.95
"""Share of the samples that lie inside an interval."""
_NUM_SAMPLES = 1000
"""How many times n reviewers are drawn, with replacement, for an interval."""


def bootstrap_interval(
    sums: ArrayLike, weights: ArrayLike | None = None, *, seed: int = 42
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval (Efron 1979) of `sum(sums) / sum(weights)` over reviewers.

    Both ends are not a number where there are no reviewers.

    Args:
        sums: float [n], one value a reviewer: a metric, or the sum of their reviews' errors.
        weights: float [n], how many reviews each sum is of; by default 1, for a plain mean.
        seed: decides the draws.

    >>> bootstrap_interval([1.0, 1.0, 1.0])
    (1.0, 1.0)
    """
    values = np.asarray(sums, dtype=np.float64)
    sizes = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(values):
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    figures = np.empty(_NUM_SAMPLES)
    for sample in range(_NUM_SAMPLES):
        drawn = generator.integers(0, len(values), len(values))
        figures[sample] = values[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(figures, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return float(low), float(high)


def paired_test(ours: ArrayLike, theirs: ArrayLike, *, num_samples: int = 2000, seed: int = 42) -> float:
    """Returns the chance of a difference in means this large in either direction between equally good models.

    Fisher's randomisation test flips the sign of each reviewer's difference at random. Unlike Wilcoxon's test
    it asks about the mean, which is the figure that is reported, and takes ties as they are (Smucker, Allan
    and Carterette 2007). The chance is 1 where there is no difference, or nobody to compare.

    Args:
        ours: float [n], one value a reviewer.
        theirs: float [n], of the same reviewers in the same order.
        num_samples: how many times the signs are drawn; the result is at least `1 / (num_samples + 1)`.
        seed: decides the draws.

    >>> paired_test([1.0, 2.0], [1.0, 2.0])
    1.0
    """
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    observed = abs(differences.sum()) * (1 - 1e-12)
    generator = np.random.default_rng(seed)
    beyond = 0
    for _ in range(num_samples):
        flips = generator.integers(0, 2, len(differences), dtype=np.int8).astype(bool)
        beyond += bool(abs(differences.sum() - 2 * differences[flips].sum()) >= observed)
    return (1 + beyond) / (1 + num_samples)
