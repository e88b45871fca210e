"""Vectors at random, and in clusters, for tests of indexes."""

import numpy as np
from numpy.typing import NDArray

from indexes.base import VectorIndex
from indexes.faiss_index import InvertedFileIndex


def make_vectors(number: int, dim: int = 8, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(number, dim)).astype(np.float32)


def make_clusters(number: int) -> NDArray[np.float32]:
    centres = make_vectors(40, seed=5) * 4
    return (centres[np.arange(number) % 40] + 0.3 * make_vectors(number)).astype(np.float32)


def codes_of(index: VectorIndex) -> str:
    return index.codes if isinstance(index, InvertedFileIndex) else "full"
