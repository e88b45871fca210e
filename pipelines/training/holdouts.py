"""Trains models on most reviews, so that rounds and score weights can be chosen on the held-out reviews."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import numpy as np

from engine.arrays import Floats
from engine.config.sections import Config
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.splits import Split, follows_time, hold_out_last, in_order
from pipelines.neighbours.tables import SUCCESSORS, neighbour_kinds
from pipelines.training.one_model import TrainedModel, begin_model
from pipelines.work.checkpoints import Checkpoints
from pipelines.work.runners import HERE, Runner

logger = logging.getLogger(__name__)

FEWEST_VALIDATED = 10
"""The least number of reviewers with a held-out like for which a validation metric is meaningful."""
VALIDATION_SHARE = 0.1
"""The share of each reviewer's reviews that is held out for validation; the latest reviews are held out."""
ENOUGH_LIKES = 1000
"""The number of held-out likes that is enough to choose score weights. If the held-out reviews of the first
model contain fewer likes, several models are trained, each with different held-out reviews. As many models
are trained as are needed for about ENOUGH_LIKES held-out likes in total, but at most
`config.split.max_holdouts` models."""
_SEEDS_APART = 7919
"""The difference between the seeds of two successive random orders of the reviews. If reviews are not ordered
by time, each model gets held-out reviews from another random order."""


class Holdout(NamedTuple):
    """Holds a trained model, and the reviews that were held out of the model's training."""

    trained: TrainedModel
    held_out: Reviews


def train_holdouts(
    reviews: Reviews,
    blend: Blend,
    config: Config,
    checkpoints: Checkpoints,
    features: Floats | None = None,
    runner: Runner = HERE,
) -> list[Holdout]:
    """Trains one or several models, each without some held-out reviews.

    One model is trained if the held-out reviews contain about ENOUGH_LIKES likes or more. If the held-out
    reviews contain clearly fewer likes than ENOUGH_LIKES, several models are trained, each with different
    held-out reviews. Score weights that are chosen on few held-out likes would depend much on chance. The
    docstring of `begin_model` explains the arguments of `train_holdouts`.

    Returns:
        At most `config.split.max_holdouts` models with their held-out reviews; none if fewer than
        FEWEST_VALIDATED reviewers have a held-out like.
    """
    kinds = neighbour_kinds(reviews, config.neighbours)
    if follows_time(reviews, config):
        kinds.append(SUCCESSORS)
    begun: list[tuple[Callable[[], TrainedModel], Reviews]] = []
    for train, held_out in _splits(reviews, config):
        likes = held_out.likes(blend.like_rating)
        if len(np.unique(held_out.reviewer_rows[likes])) < FEWEST_VALIDATED:
            break
        if not begun:
            num_likes = int(likes.sum())
            wanted = min(config.split.max_holdouts, max(1, round(ENOUGH_LIKES / num_likes)))
            logger.info("Holding out %s likes, %d times in all", f"{num_likes:,}", wanted)
        part = checkpoints.within(f"holdout-{len(begun)}")
        finish = begin_model(train, blend, config, kinds, features, part, held_out=held_out, runner=runner)
        begun.append((finish, held_out))
        if len(begun) == wanted:
            break
    return [Holdout(finish(), held_out) for finish, held_out in begun]


def _splits(reviews: Reviews, config: Config) -> Iterator[Split]:
    """Yields splits of the reviews, each with different held-out reviews.

    If reviews are ordered by time, the second split divides the training reviews of the first split, and so
    on. If reviews are not ordered by time, each split holds out the last reviews of a new random order.
    """
    left = reviews
    for number in count(1):
        split = hold_out_last(left, VALIDATION_SHARE)
        yield split
        if follows_time(reviews, config):
            left = split.train
        else:
            left = in_order(reviews, replace(config, seed=config.seed + number * _SEEDS_APART))
