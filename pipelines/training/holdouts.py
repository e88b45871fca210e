"""Trains without some reviews of each reviewer, to choose the length and weights of the final training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import numpy as np

from engine.arrays import Floats
from engine.config.sections import Config
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews
from pipelines.dataset.splits import Split, follows_time, hold_out_last, in_order
from pipelines.neighbours.tables import neighbour_kinds
from pipelines.training.one_model import TrainedModel, train_model
from pipelines.work.checkpoints import Checkpoints

logger = logging.getLogger(__name__)

FEWEST_VALIDATED = 10
"""Reviewers with a held-out like below which a figure says nothing."""
VALIDATION_SHARE = 0.1
"""Each reviewer's last share of the reviews to train on, which chooses the rounds and the weights."""
ENOUGH_LIKES = 1000
"""Held-out likes that all holdouts together should have."""
_SEEDS_APART = 7919
"""Difference between the seeds of two random orders."""


class Holdout(NamedTuple):
    """Holds a trained model, and the reviews that it was trained without."""

    trained: TrainedModel
    held_out: Reviews


def train_holdouts(
    reviews: Reviews, blend: Blend, config: Config, checkpoints: Checkpoints, features: Floats | None = None
) -> list[Holdout]:
    """Trains once where many likes can be held out, and several times where few can.

    What is chosen on a few hundred likes is chosen by chance as much as by worth, and a small training takes
    seconds. Returns none where fewer than FEWEST_VALIDATED have a like to hold out, and at most
    `config.split.max_holdouts`. Arguments are as in `train_model`.
    """
    kinds = neighbour_kinds(reviews.num_movies, config.neighbours)
    holdouts: list[Holdout] = []
    for train, held_out in _splits(reviews, config):
        likes = held_out.likes(blend.like_rating)
        if len(np.unique(held_out.reviewer_rows[likes])) < FEWEST_VALIDATED:
            break
        if not holdouts:
            num_likes = int(likes.sum())
            wanted = min(config.split.max_holdouts, max(1, round(ENOUGH_LIKES / num_likes)))
            logger.info("Holding out %s likes, %d times in all", f"{num_likes:,}", wanted)
        part = checkpoints.within(f"holdout-{len(holdouts)}")
        trained = train_model(train, blend, config, kinds, features, part, held_out=held_out)
        holdouts.append(Holdout(trained, held_out))
        if len(holdouts) == wanted:
            break
    return holdouts


def _splits(reviews: Reviews, config: Config) -> Iterator[Split]:
    """Gives splits that hold out other reviews each time.

    In the order of time each split divides what the one before it left in training. Elsewhere each split
    follows another random order of all reviews.
    """
    left = reviews
    for number in count(1):
        split = hold_out_last(left, VALIDATION_SHARE)
        yield split
        if follows_time(reviews, config):
            left = split.train
        else:
            left = in_order(reviews, replace(config, seed=config.seed + number * _SEEDS_APART))
