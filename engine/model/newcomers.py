"""Someone new: a history that was never trained on, and what is learned of its reviewer at once.

Their vectors are pooled from the history, as they are of everyone. What they add to that themselves is their
generosity and how sharply their ratings follow the prediction, which a few steps find from the ratings alone.
An embedding of their own, found by steps on the softmax of the movies that they came to, made no list better
(`benchmarks/newcomers.py`), so they have none.
"""

from __future__ import annotations

import logging

import numpy as np

from engine.arrays import Doubles, Floats, sums
from engine.model.heads import RatingHead, Tastes
from engine.model.histories import Histories, History
from engine.model.scorer import Model, Reviewer

BIAS_PENALTY, SCALE_PENALTY = 4.0, 5.0
"""What the squares of a bias and a log scale cost in log likelihood: chosen on held-out reviews of histories
of 1 to 500 reviews, where the penalties of training, which grow with the history, overfit short ones."""
logger = logging.getLogger(__name__)

_STEPS = 8
_LONGEST_STEP = 1.0


def newcomer(model: Model, history: History) -> Reviewer:
    """Works out the side of someone who was not trained on.

    Args:
        model: scores for them.
        history: what they reviewed, oldest first; it may be empty.
    """
    reviewer = model.reviewer(None, history)
    if model.rating is None or reviewer.taste is None or not len(history.movie_rows):
        return reviewer
    own = rating_biases(model.rating, Histories.of_one(history))
    return reviewer._replace(taste=Tastes(reviewer.taste.vectors, own[:, 0], own[:, 1]))


def rating_biases(head: RatingHead, histories: Histories) -> Floats:
    """Finds how generous new reviewers are, and how sharply their ratings follow the prediction.

    Each review is predicted from the others of its history, as in training; Fisher scoring maximizes the
    penalized ordinal log likelihood of all (McCullagh 1980).

    Args:
        head: frozen.
        histories: what each of them reviewed.

    Returns:
        Bias and log scale, float32 [num, 2], as `RatingHead.reviewer_biases` has them; 0 without reviews.
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
    """Of each review its reviewer's taste by the other reviews."""
    rows = head.history_vectors[histories.movie_rows]
    residuals = head.levels[histories.level_rows] - head.baselines[histories.movie_rows]
    parts: Floats = rows[:, : head.dim] + residuals[:, None] * rows[:, head.dim :]
    others = sums(parts, histories.offsets)[histories.places] - parts
    lengths = histories.lengths[histories.places].astype(np.float32)  # Of the others one less, and one more.
    zeros = np.zeros(len(parts), dtype=np.float32)
    vectors: Floats = (others / np.sqrt(lengths)[:, None]).astype(np.float32)
    return Tastes(vectors, zeros, zeros)


def _slopes(distance: Doubles, log_scale: Floats, own: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """The chance of each level and its derivatives by bias and log scale, each [num_reviews, num_levels]."""
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
    """Solves symmetric systems of two equations, [num, 2]."""
    determinant = first * second - mixed**2
    return np.stack(
        [
            (second * right[:, 0] - mixed * right[:, 1]) / determinant,
            (first * right[:, 1] - mixed * right[:, 0]) / determinant,
        ],
        axis=1,
    )
