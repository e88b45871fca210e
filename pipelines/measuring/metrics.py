"""Measures predictions and rankings with plain functions over arrays, one metric per function.

Metrics of ratings and of probabilities take arrays with one value for each review. Metrics of rankings take
the two arrays `hits` and `num_relevant`. The array `hits`, bool [num_reviewers, k], marks the relevant movies
in each reviewer's top list, best movie first. The array `num_relevant`, int [num_reviewers], holds the number
of movies that are relevant to each reviewer. Metrics of rankings return one value for each reviewer. A few
metrics, such as coverage, return one number for all top lists together. These metrics take the movie rows of
the top lists, int [num_reviewers, k]. A list with fewer than k movies ends with -1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arrays import Doubles

CALIBRATION_BINS = 10
"""The number of bins of equal width into which `calibration_error` sorts probabilities."""
_SMALLEST = 1e-7
"""Probabilities nearer to 0 or 1 than this distance are moved to this distance, so that the logarithms in the
log loss are finite."""


def mae(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Returns the mean absolute error of ratings, `mean(|predicted - actual|)`; NaN if there are no ratings.

    The expected error is least if each prediction is the median of the probability distribution of the
    reviewer's rating.

    >>> mae([3, 5], [4, 5])
    0.5
    """
    errors = np.abs(_values(predicted) - _values(actual))
    return float(errors.mean()) if len(errors) else float("nan")


def rmse(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Returns the root mean squared error, `sqrt(mean((predicted - actual)^2))`; NaN if there are no ratings.

    The expected squared error is least if each prediction is the mean of the probability distribution of the
    reviewer's rating.

    >>> rmse([3, 5], [5, 5])
    1.4142135623730951
    """
    errors = _values(predicted) - _values(actual)
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan")


def log_loss(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """Returns the log loss of probabilities p and outcomes o: `-mean(o log p + (1 - o) log(1 - p))`.

    An outcome is 1 or 0, and the log loss is in nats. Probabilities are clipped to 1e-7 .. 1 - 1e-7, so that
    a certain but wrong prediction costs about 16 nats, and not infinitely many nats. The log loss is NaN if
    there are no outcomes.

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

    The calibration error is `sum over bins b of n_b / n * |p_b - t_b|`, where `n_b` of all `n` probabilities
    are in bin b, `p_b` is the mean probability in bin b, and `t_b` is the share of true outcomes in bin b.
    The bins divide the range from 0 to 1 into equal widths, as in most published results; the last bin
    includes 1. The calibration error is NaN if there are no outcomes.

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
    """Lists the bins of `calibration_error` that hold at least one probability, for a calibration plot.

    A bin is described by the mean probability, the share of true outcomes and the number of reviews in the
    bin.

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


def log_chances(probabilities: NDArray[np.floating], level_rows: NDArray[np.integer]) -> Doubles:
    """Returns the logarithm of the chance that was predicted for each rating that was given: float64 [num].

    Args:
        probabilities: the predicted chance of each rating level for each review, float [num, num_levels].
        level_rows: the column in `probabilities` of the rating that was given, int [num].

    The number 1e-7 is added to each chance, because the logarithm of 0 is infinite.
    """
    chances = probabilities[np.arange(len(level_rows)), level_rows]
    logarithms: Doubles = np.log(chances + 1e-7).astype(np.float64)
    return logarithms


def discounts(k: int) -> Doubles:
    """Returns what a hit at each position of a top list adds to the discounted cumulative gain: float64 [k].

    A hit is a relevant movie in a top list. A hit at position i, counted from 1, adds `1 / log2(i + 1)` to
    the discounted cumulative gain of the list (Jarvelin and Kekalainen 2002).
    """
    return 1 / np.log2(np.arange(2, k + 2))


def ndcg(hits: NDArray[np.bool_], num_relevant: ArrayLike) -> Doubles:
    """Returns each reviewer's normalised discounted cumulative gain (Jarvelin and Kekalainen 2002).

    The NDCG of a list is the sum of `hit_i / log2(i + 1)` over the positions i = 1..k, divided by the same
    sum for the best possible list; `hit_i` is 1 if the movie at position i is relevant, and otherwise 0. The
    best possible list begins with `min(k, num_relevant)` relevant movies. The NDCG is 0 for a reviewer
    without relevant movies.

    >>> ndcg(np.array([[True, False], [False, True]]), [1, 1]).round(4).tolist()
    [1.0, 0.6309]
    """
    reviewers, ranks = hits.nonzero()
    return ndcg_of_ranks(ranks, reviewers, num_relevant, hits.shape[1])


def ndcg_of_ranks(
    ranks: NDArray[np.integer], reviewers: NDArray[np.integer], num_relevant: ArrayLike, k: int
) -> Doubles:
    """Computes each reviewer's NDCG from the ranks of relevant movies; NDCG is 0 without relevant movies.

    Ranks start at 0, and relevant movies with a rank of k or more are ignored.

    Args:
        ranks: the number of movies that are ranked before each relevant movie, int [num_ranked].
        reviewers: the reviewer of each relevant movie, as a position in `num_relevant`, int [num_ranked].
        num_relevant: the number of movies that are relevant to each reviewer, int [num_reviewers].
        k: the length of the top lists.

    >>> ndcg_of_ranks(np.array([0, 1, 5]), np.array([0, 1, 1]), [1, 2], 2).round(4).tolist()
    [1.0, 0.3869]
    """
    gains = discounts(k)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])  # [k + 1]
    best = ideal[np.minimum(np.asarray(num_relevant), k)]
    found = ranks < k
    return _share(np.bincount(reviewers[found], gains[ranks[found]], len(best)), best)


def recall(hits: NDArray[np.bool_], num_relevant: ArrayLike) -> Doubles:
    """Returns each reviewer's recall, `number of hits / min(k, num_relevant)` (Liang et al. 2018).

    The best possible list of k movies has a recall of 1, even if more than k movies are relevant. The recall
    of a reviewer without relevant movies is 0.

    >>> recall(np.array([[True, False]]), [1]).tolist(), recall(np.array([[True, False]]), [4]).tolist()
    ([1.0], [0.5])
    """
    return _share(hits.sum(axis=1), np.minimum(_values(num_relevant), hits.shape[1]))


def hit_rate(hits: NDArray[np.bool_]) -> Doubles:
    """Returns a number for each top list: 1 if a relevant movie is in the top list, and 0 otherwise.

    >>> hit_rate(np.array([[False, True], [False, False]])).tolist()
    [1.0, 0.0]
    """
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def reciprocal_rank(hits: NDArray[np.bool_]) -> Doubles:
    """Returns `1 / i` for each top list, where i is the position of the first relevant movie; 0 without one.

    >>> reciprocal_rank(np.array([[False, True], [False, False]])).tolist()
    [0.5, 0.0]
    """
    if hits.shape[1] == 0:
        return np.zeros(len(hits))
    return np.asarray(np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0))


def coverage(top: NDArray[np.integer], num_movies: int) -> float:
    """Returns the share of all movies that occur in at least one top list; 0 for an empty catalogue.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    return len(np.unique(top[top >= 0])) / num_movies if num_movies else 0.0


def novelty(top: NDArray[np.integer], num_reviews: NDArray[np.integer], num_reviewers: int) -> float:
    """Measures the novelty of recommended movies as mean self-information in bits (Zhou et al. 2010).

    The self-information of a movie is `-log2(number of the movie's reviews / number of reviewers)`. Novelty
    is the mean self-information over all movies of all top lists; a movie counts once for each list that
    contains the movie. Novelty is 0 if all lists are empty. The self-information of a movie without reviews
    is computed as if the movie had one review.

    Args:
        top: the rows of the listed movies, int [num_reviewers, k]; -1 where a list has fewer than k movies.
        num_reviews: the number of training reviews of each movie, int [num_movies].
        num_reviewers: the number of reviewers.

    >>> novelty(np.array([[0, 1]]), np.array([2, 4]), 4)
    0.5
    """
    listed = top[top >= 0]
    if not len(listed):
        return 0.0
    return float(-np.log2(np.maximum(num_reviews[listed], 1) / max(num_reviewers, 1)).mean())


def gini(top: NDArray[np.integer], num_movies: int) -> float:
    """Measures how unequally often movies are recommended: 0 if all equally often, near 1 if only a few.

    The Gini coefficient of n movies is `sum over r = 1..n of (2 r - n - 1) c_r / (n sum c)`, where c_r is the
    r-th smallest number of recommendations of a movie. The Gini coefficient is 0 if no movie is recommended.

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
