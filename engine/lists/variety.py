"""Varies a top list: chooses movies that are unlike each other, and prefers movies with few reviews.

The movies of a varied list are chosen from the candidates with the highest scores, because candidates with
low scores do not suit the reviewer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Doubles, Rows

_LEAST_POOL = 100
"""The least number of candidates from which a varied list is chosen, even if the list is short."""
_POOL_PER_PLACE = 5
"""A long varied list of k movies is chosen from `_POOL_PER_PLACE * k` candidates."""
_LEAST_SPREAD = 1e-9
"""A standard deviation below this number counts as 0; rounding errors can give equal values such a standard
deviation."""
_TRADE_OFFS = np.linspace(0.0, 1.0, 11)[:, np.newaxis]
"""The weights, from 0 to 1, with which lists are made. The next movie of a list is the movie with the highest
`(1 - weight) * score - weight * similarity`, where `similarity` is the cosine to the most similar movie in
the list."""


def pool_size(k: int) -> int:
    """Returns the number of candidates from which the k movies of a varied list are chosen."""
    return max(_LEAST_POOL, _POOL_PER_PLACE * k)


def lean(scores: NDArray[np.floating], counts: NDArray[np.integer], novelty: float) -> Doubles:
    """Lowers the scores of movies with many reviews, so that a list prefers lesser known movies.

    The fame of a movie is `log(1 + number of reviews)`. The function returns a new score for each movie:
    `score - novelty * std(scores) * (fame - mean(fames)) / std(fames)`. A higher `novelty` never raises the
    mean fame, `log(1 + number of reviews)`, of the k movies with the highest returned scores.

    Args:
        scores: the score of each movie, float [num].
        counts: the number of reviews of each movie, int [num].
        novelty: how strongly many reviews lower the score of a movie, and few reviews raise the score, from 0
            (not at all) to 1.
    """
    plain = np.asarray(scores, dtype=np.float64)
    fame = np.log1p(np.asarray(counts, dtype=np.float64))
    spread = float(fame.std()) if len(fame) else 0.0
    # Equal counts have a standard deviation of about 0, a rounding error, and division by this error would
    # give huge numbers.
    if novelty == 0 or spread < _LEAST_SPREAD:
        return plain
    leaned: Doubles = plain - novelty * plain.std() / spread * (fame - fame.mean())
    return leaned


def diversify(scores: Doubles, vectors: NDArray[np.floating], k: int, diversity: float) -> Rows:
    """Chooses k movies that score high and are unlike each other; returns their positions, ascending.

    The function makes several lists of k movies, and returns one of these lists. For each weight in
    `_TRADE_OFFS`, one list is made by maximal marginal relevance (Carbonell and Goldstein, "The use of MMR,
    diversity-based reranking", SIGIR 1998). The function returns the list with the highest `(1 - diversity) *
    score + diversity * list_diversity`, where `score` is the mean score of a list's movies, and
    `list_diversity` is the diversity of the list. Before the lists made are compared, the mean scores of
    all these lists are scaled together to the range from 0 to 1, and so are the diversities of these lists.

    Several weights of the similarity between movies are tried, because a higher weight does not always give a
    more diverse list. For every value of `diversity`, the function makes the same lists, one for each weight
    in `_TRADE_OFFS`; `diversity` only decides which list is returned. A higher `diversity` never returns a
    less diverse list, and never a list with a higher mean score.

    Args:
        scores: the score of each movie, float64 [num], descending.
        vectors: the vector of each movie, float [num, dim].
        k: the number of movies to choose.
        diversity: the weight of the diversity of a list, from 0 to 1; at 0, the first k positions are
            returned.
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
    """Scales vectors to length 1: float64 [num, dim]; a vector of zeros stays unchanged."""
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Doubles = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit


def list_diversity(unit: Doubles) -> float:
    """Returns the diversity of a list, from 0 to 2: the mean of `1 - cosine` over all pairs of movies.

    The array `unit`, float64 [num, dim], holds the vectors of the movies, scaled to length 1. A list of fewer
    than two movies has the diversity 0.

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
    """Makes a list of k movies for each weight in `_TRADE_OFFS`, choosing one movie after the other.

    Returns:
        int64 [num_trade_offs, k]: for each weight, the positions of the k chosen movies in `gains`,
        ascending.
    """
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
