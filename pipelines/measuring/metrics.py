"""Measures predictions and rankings with plain functions over arrays, one metric per function.

Metrics of ratings and probabilities take one value per review. Metrics of rankings take `hits`, bool
[num_reviewers, k], which marks the relevant movies in each reviewer's top list, best place first, and
`num_relevant`, int [num_reviewers], the number of movies relevant to each reviewer. Metrics of rankings
return one value per reviewer, of which the mean is reported. Metrics of whole top lists take movie rows, int
[num_reviewers, k], where -1 is a place without a movie.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arrays import Doubles

CALIBRATION_BINS = 10
"""Number of bins of equal width into which `calibration_error` sorts probabilities."""
_SMALLEST = 1e-7
"""Least distance of clipped probabilities from 0 and 1, so that the logarithms stay finite."""


def mae(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Returns the mean absolute error of ratings, `mean(|predicted - actual|)`; NaN if there are no ratings.

    The median is the constant with the least mean absolute error, so `predicted` should be medians.

    >>> mae([3, 5], [4, 5])
    0.5
    """
    errors = np.abs(_values(predicted) - _values(actual))
    return float(errors.mean()) if len(errors) else float("nan")


def rmse(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Returns the root mean squared error, `sqrt(mean((predicted - actual)^2))`; NaN if there are no ratings.

    The mean is the constant with the least squared error, so `predicted` should be means.

    >>> rmse([3, 5], [5, 5])
    1.4142135623730951
    """
    errors = _values(predicted) - _values(actual)
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan")


def log_loss(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """Returns the log loss `-mean(o log p + (1 - o) log(1 - p))` in nats; NaN if there are no outcomes.

    Probabilities are clipped to 1e-7 .. 1 - 1e-7, so a certain but wrong prediction costs 16, not infinity.

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
    """Returns the expected calibration error (Naeini et al. 2015) of probabilities.

    The error is `sum over bins of n_b / n * |mean probability_b - share of true outcomes_b|`. The bins divide
    0 to 1 in equal widths, as in most published results, and the last bin includes 1. Returns NaN if there
    are no outcomes.

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
    """Lists the non-empty bins of `calibration_error`, for a calibration plot.

    Each bin has the mean predicted probability, the share of likes and the number of reviews.

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

    NDCG is `sum of hit_i / log2(i + 1)` over places i = 1..k, divided by the same sum for the best possible
    list, which starts with `min(k, num_relevant)` hits. NDCG is 0 for a reviewer without relevant movies.

    >>> ndcg(np.array([[True, False], [False, True]]), [1, 1]).round(4).tolist()
    [1.0, 0.6309]
    """
    reviewers, ranks = hits.nonzero()
    return ndcg_of_ranks(ranks, reviewers, num_relevant, hits.shape[1])


def ndcg_of_ranks(
    ranks: NDArray[np.integer], reviewers: NDArray[np.integer], num_relevant: ArrayLike, k: int
) -> Doubles:
    """Computes each reviewer's `ndcg` from ranks; 0 for a reviewer without relevant movies.

    `ranks`, int [n], are the numbers of movies ranked before each relevant movie. Only ranks below k count.
    `reviewers`, int [n], give for each relevant movie the position of the reviewer in `num_relevant`.

    >>> ndcg_of_ranks(np.array([0, 1, 5]), np.array([0, 1, 1]), [1, 2], 2).round(4).tolist()
    [1.0, 0.3869]
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))  # [k]
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])  # [k + 1]
    best = ideal[np.minimum(np.asarray(num_relevant), k)]
    found = ranks < k
    return _share(np.bincount(reviewers[found], discounts[ranks[found]], len(best)), best)


def recall(hits: NDArray[np.bool_], num_relevant: ArrayLike) -> Doubles:
    """Returns each reviewer's recall, `hits / min(k, num_relevant)` (Liang et al. 2018).

    The best possible list has a recall of 1, even if more than k movies are relevant. Recall is 0 for a
    reviewer without relevant movies.

    >>> recall(np.array([[True, False]]), [1]).tolist(), recall(np.array([[True, False]]), [4]).tolist()
    ([1.0], [0.5])
    """
    return _share(hits.sum(axis=1), np.minimum(_values(num_relevant), hits.shape[1]))


def hit_rate(hits: NDArray[np.bool_]) -> Doubles:
    """Returns 1 for each top list with a relevant movie, and 0 for each top list without relevant movies.

    >>> hit_rate(np.array([[False, True], [False, False]])).tolist()
    [1.0, 0.0]
    """
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def reciprocal_rank(hits: NDArray[np.bool_]) -> Doubles:
    """Returns for each top list `1 / i`, with i the place of the first relevant movie, or 0 if none.

    >>> reciprocal_rank(np.array([[False, True], [False, False]])).tolist()
    [0.5, 0.0]
    """
    if hits.shape[1] == 0:
        return np.zeros(len(hits))
    return np.asarray(np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0))


def coverage(top: NDArray[np.integer], num_movies: int) -> float:
    """Returns the share of all movies that are in at least one top list; 0 for an empty catalogue.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    return len(np.unique(top[top >= 0])) / num_movies if num_movies else 0.0


def novelty(top: NDArray[np.integer], num_reviews: NDArray[np.integer], num_reviewers: int) -> float:
    """Measures the novelty of recommended movies, the mean self-information in bits (Zhou et al. 2010).

    Novelty is `mean of -log2(reviews of the movie / reviewers)` over all places of all top lists, or 0 if all
    lists are empty. A movie without reviews counts as reviewed once. `num_reviews`, int [num_movies], are the
    numbers of training reviews.

    >>> novelty(np.array([[0, 1]]), np.array([2, 4]), 4)
    0.5
    """
    listed = top[top >= 0]
    if not len(listed):
        return 0.0
    return float(-np.log2(np.maximum(num_reviews[listed], 1) / max(num_reviewers, 1)).mean())


def gini(top: NDArray[np.integer], num_movies: int) -> float:
    """Measures how unequally often movies are recommended: 0 if all equally often, near 1 if only a few.

    The Gini coefficient is `sum over movies of (2 r - n - 1) c_r / (n sum c)`, where c are the numbers of
    recommendations per movie, ascending, and r is 1..n. The coefficient is 0 if no movie is recommended.

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
