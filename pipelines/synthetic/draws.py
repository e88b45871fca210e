"""Draws random numbers that are the same on every machine and under every NumPy version.

NumPy promises stable streams for its bit generators only, not for methods such as `Generator.normal`. All
draws are made from PCG64's raw bits with plain arithmetic, so that a seed names one data set for ever.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class Draws:
    """One stream of random numbers, named by a few integers (a seed, a purpose, a chunk)."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def uniform(self, count: int) -> FloatArray:
        """Draws numbers spread evenly over [0, 1): float64 [count]."""
        raw: NDArray[np.uint64] = self._bits.random_raw(count)
        return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def bell(self, count: int) -> FloatArray:
        """Draws bell-shaped numbers, mean 0 and deviation 1, as sums of four uniforms: float64 [count]."""
        sums = self.uniform(4 * count).reshape(4, count).sum(axis=0)
        return np.asarray((sums - 2.0) * np.sqrt(3.0))

    def integers(self, count: int, below: int) -> IntArray:
        """Draws whole numbers spread evenly over 0 to below - 1: int64 [count]."""
        return (self.uniform(count) * below).astype(np.int64)

    def choose(self, population: int, count: int) -> IntArray:
        """Draws `count` different positions below the population, in random order: int64 [count]."""
        return np.argsort(self.uniform(population), kind="stable")[:count]

    def shuffled(self, count: int) -> IntArray:
        """Returns all positions below the count in random order: int64 [count]."""
        return self.choose(count, count)

    def labels(self, count: int, *rates: float) -> IntArray:
        """Labels positions at exact rates, so that the number of planted positions is known: int64 [count].

        The rates are the shares of label 1, label 2, and so on; the other positions have label 0. A rate
        above zero labels at least one position while there are positions left.
        """
        order = self.shuffled(count)
        labels = np.zeros(count, dtype=np.int64)
        start = 0
        for label, rate in enumerate(rates, start=1):
            stop = start + (max(1, round(count * rate)) if rate > 0 else 0)
            labels[order[start:stop]] = label
            start = stop
        return labels
