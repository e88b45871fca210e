"""What metadata says of movies, as a few numbers each: their words weighed by rarity, and reduced."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float32]

FEWEST_DESCRIBED = 20
"""With fewer movies that are both described and reviewed nothing can be learned from descriptions."""


class WordFeatures(NamedTuple):
    """Words that are known, and what they are reduced to; latent semantic analysis."""

    columns: NDArray[np.int32]
    """int32 [num_words], their hash columns."""
    rarities: Floats
    """float32 [num_words], see TF-IDF."""
    components: Floats
    """float32 [num_words, num_features], by which weighed words are multiplied."""


def learn_features(words: csr_array, max_words: int, num_features: int) -> WordFeatures:
    """Learns which words are known, how rare they are, and which ones go together.

    Args:
        words: counted words, float32 [num_movies, NUM_COLUMNS].
        max_words: the most common words are known, so many of them.
        num_features: how many numbers a movie gets; fewer where there are few words or movies.
    """
    from sklearn.decomposition import TruncatedSVD

    found = np.bincount(words.indices, minlength=words.shape[1])
    columns = np.flatnonzero(found >= 2)
    if len(columns) > max_words:
        columns = np.sort(columns[np.argsort(-found[columns], kind="stable")[:max_words]])
    rarities = np.log((1 + words.shape[0]) / (1 + found[columns])).astype(np.float32)
    dim = min(num_features, len(columns) - 1, words.shape[0] - 2)
    components = np.zeros((len(columns), 0), dtype=np.float32)
    if dim >= 1:
        weighed = weigh_words(words[:, columns], rarities)
        components = TruncatedSVD(dim, random_state=0).fit(weighed).components_.T.astype(np.float32)
    return WordFeatures(columns.astype(np.int32), rarities, components)


def weigh_words(counts: csr_array, rarities: Floats) -> csr_array:
    """Weighs counts by rarity and gives each movie the length 1, or 0 where it has no word.

    Args:
        counts: float32 [num_movies, num_words], of known words.
        rarities: float32 [num_words].
    """
    weighed = counts.copy()
    weighed.data = weighed.data * rarities[weighed.indices]
    lengths = np.sqrt(weighed.multiply(weighed).sum(axis=1))
    weighed.data = weighed.data / np.repeat(np.maximum(lengths, 1e-9), np.diff(weighed.indptr))
    return weighed
