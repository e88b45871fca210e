"""How sure a figure is: intervals and tests over reviewers, who are independent where reviews are not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Interval(NamedTuple):
    """Where a figure lies, with the confidence asked for."""

    low: float
    high: float


def bootstrap_interval(
    sums: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    num_samples: int = 1000,
    seed: int = 42,
) -> Interval:
    """Percentile bootstrap (Efron 1979) of `sum(sums) / sum(weights)`, drawing reviewers with replacement.

    Args:
        sums: float [n], one value a reviewer: a metric, or the sum of their reviews' errors.
        weights: float [n], how many reviews each sum is of; by default 1, for a plain mean.
        confidence: share of the samples that lie inside, between 0 and 1.
        num_samples: how many times the reviewers are drawn.
        seed: of the draws.

    Returns:
        The interval; not a number at both ends where there are no reviewers.

    >>> bootstrap_interval([1.0, 1.0, 1.0])
    Interval(low=1.0, high=1.0)
    """
    values = np.asarray(sums, dtype=np.float64)
    sizes = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(values):
        return Interval(float("nan"), float("nan"))
    generator = np.random.default_rng(seed)
    figures = np.empty(num_samples)
    for sample in range(num_samples):
        drawn = generator.integers(0, len(values), len(values))
        figures[sample] = values[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(figures, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def paired_test(ours: ArrayLike, theirs: ArrayLike, *, num_samples: int = 2000, seed: int = 42) -> float:
    """Chance of a difference in means at least this large if the two were equally good, in either direction.

    Fisher's randomisation test: the sign of each reviewer's difference is flipped at random. Unlike
    Wilcoxon's test it asks about the mean, which is the figure that is reported, and takes ties as they are
    (Smucker, Allan and Carterette 2007).

    Args:
        ours: float [n], one value a reviewer.
        theirs: float [n], of the same reviewers in the same order.
        num_samples: how many times the signs are drawn; no result is below `1 / (num_samples + 1)`.
        seed: of the draws.

    Returns:
        The p-value; 1 where there is no difference or nobody to compare.

    >>> paired_test([1.0, 2.0], [1.0, 2.0])
    1.0
    """
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    observed = abs(differences.sum()) * (1 - 1e-12)
    generator = np.random.default_rng(seed)
    beyond = sum(abs(_flipped(differences, generator)) >= observed for _ in range(num_samples))
    return (1 + int(beyond)) / (1 + num_samples)


def _flipped(differences: NDArray[np.float64], generator: np.random.Generator) -> float:
    flips = generator.integers(0, 2, len(differences), dtype=np.int8).astype(bool)
    return float(differences.sum() - 2 * differences[flips].sum())
