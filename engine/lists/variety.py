"""Varies a list: prefers movies that are unlike each other, and movies that are no bestsellers.

Both choose among the reviewer's best candidates, the pool, so that a varied list still suits its reviewer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows

_LEAST_POOL = 100
"""Candidates that even a short list is chosen from."""
_POOL_PER_PLACE = 5
"""Candidates for each place of a long list."""
_LEAST_SPREAD = 1e-9
"""Spreads below this are rounding errors of equal values."""
_TRADE_OFFS = np.linspace(0.0, 1.0, 11)[:, np.newaxis]
"""Trade-offs between the score and the likeness to the movies chosen before, one list each."""


def pool_size(k: int) -> int:
    """Returns how many candidates a varied list of k movies is chosen from."""
    return max(_LEAST_POOL, _POOL_PER_PLACE * k)


def lean(scores: NDArray[np.floating], counts: NDArray[np.integer], novelty: float) -> Doubles:
    """Lowers the scores of bestsellers.

    The logarithm of a movie's reviews is taken off its score, on the scale of the scores' own spread. With
    novelty 1 a movie loses as much for standing out in reviews as it wins for standing out in score. More
    novelty lowers the mean logarithm of the reviews of the best k of a fixed pool, and their mean score.

    Scores and counts of reviews are [num]. The novelty is 0, which leaves the scores as they are, to 1.
    """
    plain = np.asarray(scores, dtype=np.float64)
    fame = np.log1p(np.asarray(counts, dtype=np.float64))
    spread = float(fame.std()) if len(fame) else 0.0
    # The spread of equal counts is a rounding error, and dividing by it would blow it up.
    if novelty == 0 or spread < _LEAST_SPREAD:
        return plain
    leaned: Doubles = plain - novelty * plain.std() / spread * (fame - fame.mean())
    return leaned


def diversify(scores: Doubles, vectors: NDArray[np.floating], k: int, diversity: float) -> Rows:
    """Returns the positions of k movies of a pool that score high and are unlike each other, ascending.

    1. Grow one list for each of several trade-offs between the score and the likeness to the movies chosen
       before, movie by movie, by maximal marginal relevance (Carbonell and Goldstein, "The use of MMR,
       diversity-based reranking", SIGIR 1998). These lists do not depend on `diversity`.
    2. Take the list with the highest `(1 - diversity) * score + diversity * list_diversity`, each measured on
       the span that the lists cover.

    Greedy lists do not always get more diverse with the trade-off; but the best of fixed lists by a moving
    weight is monotone, so more diversity never gives a less diverse list or a higher score.

    The scores fall; the vectors are [num, dim]. The diversity is 0, which gives the first k movies, to 1.
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
    """Scales vectors to length 1, float64 [num, dim]; a vector of zeros stays, and is like nothing."""
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Doubles = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit


def list_diversity(unit: Doubles) -> float:
    """Measures how unlike the movies of a list are: the mean over all pairs of 1 less the cosine, 0 to 2.

    The vectors, float64 [num, dim], have length 1 each. Fewer than two movies give 0.

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
    """Grows a list for each trade-off: positions, int64 [num_trade_offs, k], ascending."""
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
