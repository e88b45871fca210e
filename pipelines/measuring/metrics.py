"""Measures predictions and rankings with plain functions over arrays, one formula each.

Figures of ratings and probabilities take one value a review. Figures of rankings take `hits`, bool
[num_reviewers, k], which marks the relevant movies in top lists, best place first, and `num_relevant`, int
[num_reviewers]. They return one value a reviewer: the mean is the figure to report, and the spread says how
sure it is. Figures of whole top lists take movie rows, int [num_reviewers, k], where -1 stands for a place
that could not be filled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arrays import Doubles

CALIBRATION_BINS = 10
"""Bins of equal width that `calibration_error` sorts probabilities into."""
_SMALLEST = 1e-7
"""How far probabilities are kept from 0 and 1, whose logarithms are not finite."""


def mae(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Returns the mean absolute error, `mean(|predicted - actual|)`; not a number where nothing is compared.

    The median is the best constant for this error, so a model answers with its distribution's median.

    >>> mae([3, 5], [4, 5])
    0.5
    """
    errors = np.abs(_values(predicted) - _values(actual))
    return float(errors.mean()) if len(errors) else float("nan")


def rmse(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Returns the root mean squared error, `sqrt(mean((predicted - actual)^2))`; not a number for no ratings.

    The mean is the best constant for this error, so a model answers with its distribution's mean.

    >>> rmse([3, 5], [5, 5])
    1.4142135623730951
    """
    errors = _values(predicted) - _values(actual)
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan")


def log_loss(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """Returns the mean surprise `-mean(o log p + (1 - o) log(1 - p))` in nats; not a number for no outcomes.

    Probabilities are kept 1e-7 away from 0 and 1, so one wrong certainty costs 16 and not infinity.

    >>> round(log_loss([0.5, 0.5], [True, False]), 4)
    0.6931
    """
    chances = np.clip(_values(probabilities), _SMALLEST, 1 - _SMALLEST)
    happened = _values(outcomes)
    if not len(chances):
        return float("nan")
    return float(-np.mean(happened * np.log(chances) + (1 - happened) * np.log1p(-chances)))


def calibration_error(
    probabilities: ArrayLike, outcomes: ArrayLike, *, bins: int = CALIBRATION_BINS
) -> float:
    """Returns the expected calibration error (Naeini et al. 2015) of stated chances.

    `sum over bins of n_b / n * |mean probability_b - share that happened_b|`. The bins are of equal width, as
    in most published figures, the last one closed; empty bins count for nothing. Not a number where there are
    no outcomes.

    >>> round(calibration_error([0.8, 0.8, 0.8, 0.8], [True, True, True, False]), 4)
    0.05
    """
    chances, happened = _values(probabilities), _values(outcomes)
    if not len(chances):
        return float("nan")
    bin_of = np.minimum((chances * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(bin_of, weights=chances - happened, minlength=bins)  # [bins]
    return float(np.abs(gaps).sum() / len(chances))


def calibration_bins(
    probabilities: ArrayLike, outcomes: ArrayLike, *, bins: int = CALIBRATION_BINS
) -> list[dict[str, float]]:
    """Lists the non-empty bins of `calibration_error`.

    A bin has the mean predicted chance, the share of likes and the number of reviews.

    >>> calibration_bins([0.5, 0.5], [True, False])
    [{'mean_predicted': 0.5, 'share_liked': 0.5, 'count': 2}]
    """
    chances, happened = _values(probabilities), _values(outcomes)
    bin_of = np.minimum((chances * bins).astype(np.int64), bins - 1)
    return [
        {
            "mean_predicted": float(chances[bin_of == number].mean()),
            "share_liked": float(happened[bin_of == number].mean()),
            "count": int((bin_of == number).sum()),
        }
        for number in np.unique(bin_of)
    ]


def ndcg(hits: NDArray[np.bool_], num_relevant: ArrayLike) -> Doubles:
    """Returns each reviewer's normalised discounted cumulative gain (Jarvelin and Kekalainen 2002).

    `sum of hit_i / log2(i + 1)` over places i = 1..k, divided by the same sum for the best possible list,
    which has `min(k, num_relevant)` hits in front. 0 where nothing is relevant.

    >>> ndcg(np.array([[True, False], [False, True]]), [1, 1]).round(4).tolist()
    [1.0, 0.6309]
    """
    reviewers, ranks = hits.nonzero()
    return ndcg_of_ranks(ranks, reviewers, num_relevant, hits.shape[1])


def ndcg_of_ranks(
    ranks: NDArray[np.integer], reviewers: NDArray[np.integer], num_relevant: ArrayLike, k: int
) -> Doubles:
    """Returns each reviewer's `ndcg` by the ranks of their relevant movies; 0 where nothing is relevant.

    `ranks` are int [n]: how many movies stand before each relevant movie. Only ranks below k count.
    `reviewers` are int [n]: the position in `num_relevant` of the reviewer to whom each movie is relevant.

    >>> ndcg_of_ranks(np.array([0, 1, 5]), np.array([0, 1, 1]), [1, 2], 2).round(4).tolist()
    [1.0, 0.3869]
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))  # [k]
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])  # [k + 1]
    best = ideal[np.minimum(np.asarray(num_relevant), k)]
    found = ranks < k
    return _share(np.bincount(reviewers[found], discounts[ranks[found]], len(best)), best)


def recall(hits: NDArray[np.bool_], num_relevant: ArrayLike) -> Doubles:
    """Returns the share found of what a list could hold, `hits / min(k, num_relevant)` (Liang et al. 2018).

    The best possible list has 1, even where more movies are relevant than it has places. 0 where nothing is
    relevant.

    >>> recall(np.array([[True, False]]), [1]).tolist(), recall(np.array([[True, False]]), [4]).tolist()
    ([1.0], [0.5])
    """
    return _share(hits.sum(axis=1), np.minimum(_values(num_relevant), hits.shape[1]))


def hit_rate(hits: NDArray[np.bool_]) -> Doubles:
    """Returns 1 for each list with a relevant movie, and 0 for a list without any.

    >>> hit_rate(np.array([[False, True], [False, False]])).tolist()
    [1.0, 0.0]
    """
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def reciprocal_rank(hits: NDArray[np.bool_]) -> Doubles:
    """Returns one over the place of the first relevant movie, `1 / i`, of each list; 0 where a list has none.

    >>> reciprocal_rank(np.array([[False, True], [False, False]])).tolist()
    [0.5, 0.0]
    """
    if hits.shape[1] == 0:
        return np.zeros(len(hits))
    return np.asarray(np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0))


def coverage(top: NDArray[np.integer], num_movies: int) -> float:
    """Returns the share of the catalogue that is in anyone's list; 0 for an empty catalogue.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    return len(np.unique(top[top >= 0])) / num_movies if num_movies else 0.0


def novelty(top: NDArray[np.integer], num_reviews: NDArray[np.integer], num_reviewers: int) -> float:
    """Measures how unexpected the recommended movies are, in bits (Zhou et al. 2010).

    `mean of -log2(reviews of the movie / reviewers)` over all places of all lists. A movie without reviews
    counts as reviewed once. 0 where nothing is recommended. `num_reviews` are int [num_movies], in training.

    >>> novelty(np.array([[0, 1]]), np.array([2, 4]), 4)
    0.5
    """
    listed = top[top >= 0]
    if not len(listed):
        return 0.0
    return float(-np.log2(np.maximum(num_reviews[listed], 1) / max(num_reviewers, 1)).mean())


def gini(top: NDArray[np.integer], num_movies: int) -> float:
    """Measures how unevenly the places in the lists fall to the movies: 0 equally to all, near 1 to a few.

    `sum over movies of (2 r - n - 1) c_r / (n sum c)`, where c are the times recommended, ascending, and r
    is 1..n. 0 where nothing is recommended.

    >>> gini(np.array([[0], [1]]), 2), gini(np.array([[0], [0]]), 2)
    (0.0, 0.5)
    """
    counts = np.sort(np.bincount(top[top >= 0], minlength=num_movies))
    if not counts.sum():
        return 0.0
    ranks = np.arange(1, len(counts) + 1)
    return float(((2 * ranks - len(counts) - 1) * counts).sum() / (len(counts) * counts.sum()))


def _values(given: ArrayLike) -> Doubles:
    return np.asarray(given, dtype=np.float64)


def _share(part: NDArray[np.floating] | NDArray[np.integer], whole: ArrayLike) -> Doubles:
    wholes = _values(whole)
    shares = np.zeros(len(wholes))
    np.divide(part, wholes, out=shares, where=wholes > 0)
    return shares
