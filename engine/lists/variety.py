"""Variety in a list: movies that are unlike each other, and movies that are no bestsellers.

Both choose among the reviewer's best candidates, the pool, so that a varied list still suits its reviewer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows

_LEAST_POOL = 100
_POOL_PER_PLACE = 5
_LEAST_SPREAD = 1e-9
_TRADE_OFFS = np.linspace(0.0, 1.0, 11)[:, np.newaxis]


def pool_size(k: int) -> int:
    """Candidates that a varied list of k movies is chosen from."""
    return max(_LEAST_POOL, _POOL_PER_PLACE * k)


def lean(scores: NDArray[np.floating], counts: NDArray[np.integer], novelty: float) -> Doubles:
    """Scores with bestsellers pushed down: float64 [num].

    The logarithm of a movie's reviews is taken off its score, on the scale of the scores' own spread: at
    1 a movie loses as much for standing out in reviews as it wins for standing out in score. For a fixed
    pool the mean logarithm of the best k falls with the setting, and so does their mean score.

    Args:
        scores: float [num].
        counts: int [num], each movie's reviews.
        novelty: 0 to 1; 0 leaves the scores as they are.
    """
    plain = np.asarray(scores, dtype=np.float64)
    fame = np.log1p(np.asarray(counts, dtype=np.float64))
    spread = float(fame.std()) if len(fame) else 0.0
    # Equal counts have a spread that is zero but for rounding, which would be blown up.
    if novelty == 0 or spread < _LEAST_SPREAD:
        return plain
    leaned: Doubles = plain - novelty * plain.std() / spread * (fame - fame.mean())
    return leaned


def diversify(scores: Doubles, vectors: NDArray[np.floating], k: int, diversity: float) -> Rows:
    """Chooses k movies of a pool that score high and are unlike each other.

    Lists are grown one movie at a time by maximal marginal relevance (Carbonell and Goldstein, "The use of
    MMR, diversity-based reranking", SIGIR 1998), for several trade-offs between the score and the likeness
    to what is chosen already. Greedy lists do not always get more diverse as the trade-off moves, so of
    these lists, which do not depend on the setting, the one is taken that is best by `(1 - diversity) *
    score + diversity * list_diversity`, each measured on the span that the lists cover. The best of fixed
    lists by a moving weight is monotone: a higher setting never gives a less diverse list or a higher score.

    Args:
        scores: float64 [num], highest first.
        vectors: float [num, dim].
        k: how many movies are wanted.
        diversity: 0 to 1; 0 gives the first k.

    Returns:
        Their positions in the pool, int64 [min(k, num)], ascending.
    """
    k = min(k, len(scores))
    if diversity == 0 or k == len(scores):
        return np.arange(k)
    unit = unit_vectors(vectors)
    lists = _greedy_lists(_to_unit_span(scores), unit, k)
    mean_scores = scores[lists].mean(axis=1)
    diversities = np.array([list_diversity(unit[places]) for places in lists])
    value = (1 - diversity) * _to_unit_span(mean_scores) + diversity * _to_unit_span(diversities)
    chosen: Rows = lists[int(value.argmax())]
    return chosen


def unit_vectors(vectors: NDArray[np.floating]) -> Doubles:
    """Vectors of length 1, float64 [num, dim]; one of zeros stays, and is like nothing."""
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Doubles = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit


def list_diversity(unit: Doubles) -> float:
    """The mean over all pairs of 1 less the cosine, 0 to 2; 0 for fewer than two movies.

    Args:
        unit: float64 [num, dim], as `unit_vectors` gives them.

    Example:
        >>> list_diversity(np.array([[1.0, 0.0], [0.0, 1.0]]))
        1.0
    """
    num = len(unit)
    if num < 2:
        return 0.0
    total = unit.sum(axis=0)
    return float(1 - (total @ total - (unit * unit).sum()) / (num * (num - 1)))


def _greedy_lists(gains: Doubles, unit: Doubles, k: int) -> NDArray[np.int64]:
    """A list for each trade-off, int64 [num_trade_offs, k], positions ascending; the first is plain."""
    every = np.arange(len(_TRADE_OFFS))
    lists = np.empty((len(_TRADE_OFFS), k), dtype=np.int64)
    nearest = np.zeros((len(_TRADE_OFFS), len(gains)))
    taken = np.zeros(nearest.shape, dtype=bool)
    for place in range(k):
        marginal = (1 - _TRADE_OFFS) * gains - _TRADE_OFFS * nearest
        marginal[taken] = -np.inf
        lists[:, place] = best = marginal.argmax(axis=1)
        taken[every, best] = True
        likeness = unit[best] @ unit.T  # [num_trade_offs, num]
        nearest = likeness if place == 0 else np.maximum(nearest, likeness)
    return np.sort(lists, axis=1)


def _to_unit_span(values: Doubles) -> Doubles:
    low, high = values.min(), values.max()
    scaled: Doubles = (values - low) / (high - low) if high > low else np.zeros(len(values))
    return scaled
