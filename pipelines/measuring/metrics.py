"""How good predictions and rankings are: plain functions over arrays, one formula each.

Figures of ratings and probabilities take one value a review. Figures of rankings take `hits`, bool
[num_reviewers, k] (whether the movie at each place of a top list is relevant, best place first), and
`num_relevant`, int [num_reviewers], and give one value a reviewer: their mean is the figure to report, and
their spread says how sure it is. Figures of whole top lists take movie rows, int [num_reviewers, k], where -1
stands for a place that could not be filled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

CALIBRATION_BINS = 10
"""Bins of equal width that `calibration_error` sorts probabilities into."""
_SMALLEST = 1e-7


def mae(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Mean absolute error, `mean(|predicted - actual|)`; not a number where there is nothing to compare.

    The best constant for it is the median, so a model answers with the median of its rating distribution.

    >>> mae([3, 5], [4, 5])
    0.5
    """
    errors = np.abs(_values(predicted) - _values(actual))
    return float(errors.mean()) if len(errors) else float("nan")


def rmse(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Root mean squared error, `sqrt(mean((predicted - actual)^2))`; not a number where there is nothing.

    The best constant for it is the mean, so a model answers with the mean of its rating distribution.

    >>> rmse([3, 5], [5, 5])
    1.4142135623730951
    """
    errors = _values(predicted) - _values(actual)
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan")


def log_loss(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """Mean surprise `-mean(o log p + (1 - o) log(1 - p))` in nats; not a number where there is nothing.

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
    """Expected calibration error (Naeini et al. 2015): how far stated chances are from what then happened.

    `sum over bins of n_b / n * |mean probability_b - share that happened_b|`. The bins are of equal width, as
    in most published figures, the last one closed; empty bins count for nothing. Not a number where there is
    nothing.

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
    """What `calibration_error` adds up: of each bin that is not empty, the means of both, and how many.

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


def ndcg(hits: NDArray[np.bool_], num_relevant: ArrayLike) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain (Jarvelin and Kekalainen 2002) with gains of 0 and 1, a reviewer.

    `sum of hit_i / log2(i + 1)` over places i = 1..k, divided by what the best possible list would have, with
    `min(k, num_relevant)` hits in front. 0 where nothing is relevant.

    >>> ndcg(np.array([[True, False], [False, True]]), [1, 1]).round(4).tolist()
    [1.0, 0.6309]
    """
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))  # [k]
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])  # [k + 1]
    best = ideal[np.minimum(np.asarray(num_relevant), hits.shape[1])]
    return _share(hits @ discounts, best)


def recall(hits: NDArray[np.bool_], num_relevant: ArrayLike) -> NDArray[np.float64]:
    """Share found of what the list could hold, `hits / min(k, num_relevant)` (Liang et al. 2018), or 0.

    Divided by the places of the list where more movies are relevant than it has places, so that the best
    possible list has 1.

    >>> recall(np.array([[True, False]]), [1]).tolist(), recall(np.array([[True, False]]), [4]).tolist()
    ([1.0], [0.5])
    """
    return _share(hits.sum(axis=1), np.minimum(_values(num_relevant), hits.shape[1]))


def hit_rate(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Whether a reviewer's list has a relevant movie at all, 1 or 0.

    >>> hit_rate(np.array([[False, True], [False, False]])).tolist()
    [1.0, 0.0]
    """
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def reciprocal_rank(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """One over the place of the first relevant movie, `1 / i`; 0 where the list has none.

    >>> reciprocal_rank(np.array([[False, True], [False, False]])).tolist()
    [0.5, 0.0]
    """
    if hits.shape[1] == 0:
        return np.zeros(len(hits))
    return np.asarray(np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0))


def coverage(top: NDArray[np.integer], num_movies: int) -> float:
    """Share of the catalogue that is in anyone's list; 0 for an empty catalogue.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    return len(np.unique(top[top >= 0])) / num_movies if num_movies else 0.0


def novelty(top: NDArray[np.integer], num_reviews: NDArray[np.integer], num_reviewers: int) -> float:
    """How unexpected the recommended movies are, in bits (Zhou et al. 2010).

    `mean of -log2(reviews of the movie / reviewers)` over all places of all lists. A movie without reviews
    counts as reviewed once. 0 where nothing is recommended.

    Args:
        top: int [n, k], movie rows.
        num_reviews: int [num_movies], how often each was reviewed in training.
        num_reviewers: how many reviewers there were.

    >>> novelty(np.array([[0, 1]]), np.array([2, 4]), 4)
    0.5
    """
    listed = top[top >= 0]
    if not len(listed):
        return 0.0
    return float(-np.log2(np.maximum(num_reviews[listed], 1) / max(num_reviewers, 1)).mean())


def gini(top: NDArray[np.integer], num_movies: int) -> float:
    """How unevenly the places in the lists fall to the movies: 0 equally to all, near 1 to a few.

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


def _values(given: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(given, dtype=np.float64)


def _share(part: NDArray[np.floating] | NDArray[np.integer], whole: ArrayLike) -> NDArray[np.float64]:
    wholes = _values(whole)
    shares = np.zeros(len(wholes))
    np.divide(part, wholes, out=shares, where=wholes > 0)
    return shares
