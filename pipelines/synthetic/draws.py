"""Draws random numbers that are the same on every machine and under every NumPy version.

NumPy promises the same numbers in all versions for bit generators, but not for methods such as
`Generator.normal`. All random numbers of synthetic data are computed with plain arithmetic from the raw bits
of the bit generator PCG64, so that a seed always gives the same data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class Draws:
    """Generates one stream of random numbers, seeded by integers such as a seed and a chunk's number."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def uniform(self, count: int) -> FloatArray:
        """Draws random numbers that are uniform over [0, 1): float64 [count]."""
        raw: NDArray[np.uint64] = self._bits.random_raw(count)
        return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def bell(self, count: int) -> FloatArray:
        """Draws nearly normal numbers of mean 0 and standard deviation 1: float64 [count].

        Each number is a scaled sum of four uniform random numbers.
        """
        sums = self.uniform(4 * count).reshape(4, count).sum(axis=0)
        return np.asarray((sums - 2.0) * np.sqrt(3.0))

    def integers(self, count: int, below: int) -> IntArray:
        """Draws random integers that are uniform over 0 to `below - 1`: int64 [count]."""
        return (self.uniform(count) * below).astype(np.int64)

    def choose(self, population: int, count: int) -> IntArray:
        """Draws `count` different integers from 0 to `population - 1`, in random order: int64 [count]."""
        return np.argsort(self.uniform(population), kind="stable")[:count]

    def shuffled(self, count: int) -> IntArray:
        """Returns a random permutation of the integers from 0 to `count - 1`: int64 [count]."""
        return self.choose(count, count)

    def labels(self, count: int, *rates: float) -> IntArray:
        """Gives each of `count` items a label; chance decides which items get a certain label: int64 [count].

        The argument `rates` holds the share of items that get label 1, the share of items that get label 2,
        and so on; all other items get label 0. The number of items with a label is `count` times the label's
        share, rounded. A label with a share above 0 is given to at least one item, unless the labels before
        it have used up all items.
        """
        order = self.shuffled(count)
        labels = np.zeros(count, dtype=np.int64)
        start = 0
        for label, rate in enumerate(rates, start=1):
            stop = start + (max(1, round(count * rate)) if rate > 0 else 0)
            labels[order[start:stop]] = label
            start = stop
        return labels
