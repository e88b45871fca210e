"""Computes the vectors, biases and scales of newcomers: reviewers whose reviews were not used in training.

A newcomer's vectors are computed from the newcomer's history. Two numbers of the rating head, a newcomer's
bias and log scale, are fitted to the newcomer's ratings in a few steps of Fisher scoring. A newcomer's log
scale is the logarithm of the newcomer's scale: the higher the scale, the narrower the distribution of a
predicted rating. Newcomers have no embedding in the relevance head, because in `benchmarks/newcomers.py`
embeddings that were fitted to newcomers' reviews did not improve the newcomers' top lists.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Doubles, Floats, sums
from engine.model.heads import RatingHead, Tastes
from engine.model.histories import Histories, History
from engine.model.scorer import Model
from engine.model.values import Reviewer

BIAS_PENALTY, SCALE_PENALTY = 4.0, 5.0
"""Two factors that keep a newcomer's bias and log scale near 0 when the bias and the log scale are fitted to
the newcomer's ratings. The log scale is the logarithm of a reviewer's scale in the rating head: the higher
the scale, the narrower the distribution of a predicted rating. The fitted bias and log scale maximize the log
likelihood of the newcomer's ratings minus the penalty `BIAS_PENALTY * bias**2 + SCALE_PENALTY *
log_scale**2`. `BIAS_PENALTY` and `SCALE_PENALTY` were chosen on held-out reviews, for newcomers with 1 to 500
reviews. The training of the rating head uses other penalty factors, with which the bias and log scale of a
newcomer would follow the ratings of a short history too closely."""

_STEPS = 8
"""The number of steps of Fisher scoring, which is enough for biases and log scales to converge."""
_LONGEST_STEP = 1.0
"""The largest change of a bias or a log scale in one step of Fisher scoring; with larger changes, the steps
may diverge."""


def newcomer(model: Model, history: History) -> Reviewer:
    """Computes a newcomer's vectors, bias and scale from the newcomer's history, which may be empty."""
    reviewer = model.reviewer(None, history)
    if model.rating is None or reviewer.taste is None or not len(history.movie_rows):
        return reviewer
    own = rating_biases(model.rating, Histories.of_one(history))
    return reviewer._replace(taste=Tastes(reviewer.taste.vectors, own[:, 0], own[:, 1]))


def rating_biases(head: RatingHead, histories: Histories) -> Floats:
    """Computes, from each newcomer's ratings, the newcomer's bias and log scale in the rating head.

    A log scale is the logarithm of a reviewer's scale, which sets how narrow the distribution of a predicted
    rating is. As in training, each rating of a newcomer is predicted from the newcomer's other reviews.
    For each newcomer, Fisher scoring maximizes the log likelihood of the newcomer's ratings in an ordinal
    model (McCullagh 1980), minus the penalty `BIAS_PENALTY * bias**2 + SCALE_PENALTY * log_scale**2`.

    Returns:
        A bias and a log scale for each history, float32 [num, 2]; the bias and the log scale are 0 for an
        empty history.
    """
    places, offsets = histories.places, histories.offsets
    own = np.zeros((len(histories), 2))
    if not len(places):
        return own.astype(np.float32)
    location, log_scale = head.locate(_leaving_each_out(head, histories), histories.movie_rows)
    distance = (head.thresholds[None, :] - location[:, None]).astype(np.float64)
    chosen = np.asarray(histories.level_rows, dtype=np.int64)[:, None]
    penalties = 2.0 * np.array([BIAS_PENALTY, SCALE_PENALTY])
    for _ in range(_STEPS):
        chances, by_bias, by_scale = _slopes(distance, log_scale, own[places])
        slopes = np.stack([by_bias, by_scale]) / chances  # [2, num_reviews, num_levels]
        of_chosen = np.take_along_axis(slopes, chosen[None], axis=2)[:, :, 0].T
        gradient = sums(of_chosen, offsets) - penalties * own
        information = [
            sums((slopes[one] * slopes[other] * chances).sum(axis=1), offsets)
            for one, other in ((0, 0), (1, 1), (0, 1))
        ]
        step = _solve(information[0] + penalties[0], information[1] + penalties[1], information[2], gradient)
        own += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
    return own.astype(np.float32)


def _leaving_each_out(head: RatingHead, histories: Histories) -> Tastes:
    """Computes, for each review, the reviewer's rating-head vector from the reviewer's other reviews."""
    pulls = head.pulls(histories)
    others = sums(pulls, histories.offsets)[histories.places] - pulls
    # `RatingHead.tastes` divides by the root of the number of reviews plus 1; without one review, this is the
    # root of the history's length.
    lengths = histories.lengths[histories.places].astype(np.float32)
    zeros = np.zeros(len(pulls), dtype=np.float32)
    vectors: Floats = (others / np.sqrt(lengths)[:, None]).astype(np.float32)
    return Tastes(vectors, zeros, zeros)


def _slopes(distance: Doubles, log_scale: Floats, own: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Returns the probabilities of rating levels, and their derivatives by the reviewer's bias and log scale.

    Returns:
        Three arrays, float64 [num_reviews, num_levels]: the probabilities of the rating levels; the
        derivatives of the probabilities by the reviewer's bias; and the derivatives of the probabilities by
        the reviewer's log scale.
    """
    scale = np.exp(np.clip(log_scale + own[:, 1], -8.0, 8.0))[:, None]
    argument = scale * (distance - own[:, :1])
    cumulative = 0.5 * np.tanh(0.5 * argument) + 0.5
    density = cumulative * (1.0 - cumulative)
    ends = np.zeros((len(argument), 1))
    chances = np.diff(np.concatenate([ends, cumulative, ends + 1], axis=1), axis=1)
    by_bias = np.diff(np.concatenate([ends, -scale * density, ends], axis=1), axis=1)
    by_scale = np.diff(np.concatenate([ends, argument * density, ends], axis=1), axis=1)
    return np.maximum(chances, 1e-7), by_bias, by_scale


def _solve(first: Doubles, second: Doubles, mixed: Doubles, right: Doubles) -> Doubles:
    """Solves systems of two linear equations with symmetric matrices, by Cramer's rule: [num, 2]."""
    determinant = first * second - mixed**2
    one = (second * right[:, 0] - mixed * right[:, 1]) / determinant
    other = (first * right[:, 1] - mixed * right[:, 0]) / determinant
    return np.stack([one, other], axis=1)
