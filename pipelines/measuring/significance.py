"""Computes confidence intervals and significance tests from one number per reviewer.

Reviewers are sampled, and not reviews, because reviews by the same reviewer are not independent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_CONFIDENCE = 0.95
"""The confidence level of bootstrap intervals."""
_NUM_SAMPLES = 1000
"""The number of bootstrap samples of the reviewers for one interval."""


def bootstrap_interval(
    sums: ArrayLike, weights: ArrayLike | None = None, *, seed: int = 42
) -> tuple[float, float]:
    """Returns the 95% percentile bootstrap interval (Efron 1979) of the ratio `sum(sums) / sum(weights)`.

    The bootstrap draws reviewers with replacement. Both ends of the bootstrap interval are NaN if there are
    no reviewers.

    Args:
        sums: one value per reviewer, float [num_reviewers]: the reviewer's metric, or a sum over all reviews
            by the reviewer, such as the sum of absolute errors.
        weights: the number of reviews of each reviewer, float [num_reviewers], if `sums` holds sums over
            reviews. None if `sums` holds metrics: then every weight is 1, and the interval is an interval of
            the mean of `sums`.
        seed: seed of the bootstrap samples.

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
    """Returns the two-sided p-value of Fisher's randomisation test for the difference of two models' means.

    A reviewer's difference is the metric of the first model minus the metric of the second model, for this
    reviewer. Fisher's randomisation test draws a random sign for each reviewer's difference, many times.
    Unlike Wilcoxon's test, Fisher's randomisation test compares means, and needs no special treatment of ties
    (Smucker, Allan and Carterette 2007). The p-value is 1 if the metrics of both models are equal for every
    reviewer.

    Args:
        ours: the metric of one model for each reviewer, float [num_reviewers].
        theirs: the metric of the other model for the reviewers of `ours`, in the same order, float
            [num_reviewers].
        num_samples: number of random sign flips; the p-value is at least `1 / (num_samples + 1)`.
        seed: seed of the sign flips.

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
