"""Repeated hold-out: trainings without some of each reviewer's reviews, by which those on all are settled."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import numpy as np

from engine.arrays import Floats
from engine.config.sections import Config
from engine.model.heads import RatingHead, RelevanceHead
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Blend, Model
from pipelines.dataset.reviews import Reviews, histories_of
from pipelines.dataset.splits import Split, follows_time, hold_out_last, in_order
from pipelines.neighbours.content import content_table
from pipelines.neighbours.tables import CO_REVIEWS, Nearness, build_neighbours, nearness_options
from pipelines.training.ensemble import train_members
from pipelines.training.loops import Trained, train_rating
from pipelines.training.validation import likelihood_of, ndcg_of
from pipelines.work.checkpoints import Checkpoints

logger = logging.getLogger(__name__)

FEWEST_VALIDATED = 10
"""With fewer reviewers who have a held-out like a figure says nothing."""
ENOUGH_LIKES = 1000
"""Held-out likes that are aimed at, of all holdouts together."""
_SEEDS_APART = 7919


class Holdout(NamedTuple):
    """One such training, and the reviews that it went without."""

    model: Model
    """Trained on what was not held out."""
    tables: dict[Nearness, NeighbourTable]
    """What may say which movies are near, made of that too."""
    content: NeighbourTable | None
    """Movies that are alike, if metadata says so."""
    held_out: Reviews
    rounds: dict[str, int]
    """Of each head, after how many it did best."""
    curves: dict[str, dict[str, list[float]]]
    """Of each head, its training losses and validation figures by round."""


def train_holdouts(
    reviews: Reviews, blend: Blend, config: Config, checkpoints: Checkpoints, features: Floats | None = None
) -> list[Holdout]:
    """Trains once where many likes can be held out, and several times where few can.

    What is chosen on a few hundred likes is chosen by chance as much as by worth, and a small training takes
    seconds.

    Args:
        reviews: those to divide.
        blend: says what a like is.
        config: settings.
        checkpoints: where the trainings are kept as they go.
        features: what metadata says of the movies, as `content_features` gives it.

    Returns:
        `config.split.max_holdouts` at most; none where nearly nobody has a like to hold out.
    """
    holdouts: list[Holdout] = []
    for split in _splits(reviews, config):
        liked = split.later.select(split.later.likes(blend.like_rating))
        if len(np.unique(liked.reviewer_rows)) < FEWEST_VALIDATED:
            break
        if not holdouts:
            wanted = min(config.split.max_holdouts, max(1, round(ENOUGH_LIKES / len(liked))))
            logger.info("Holding out %s likes, %d times in all", f"{len(liked):,}", wanted)
        part = checkpoints.within(f"holdout-{len(holdouts)}")
        holdouts.append(_train(split, liked, blend, config, part, features))
        if len(holdouts) == wanted:
            break
    return holdouts


def _splits(reviews: Reviews, config: Config) -> Iterator[Split]:
    """Splits that hold out other reviews each time.

    In the order of time each one goes back by what the one before it held out; elsewhere reviews are put in
    another random order.
    """
    left = reviews
    for number in count(1):
        split = hold_out_last(left, config.split.validation_share)
        yield split
        if follows_time(reviews, config):
            left = split.earlier
        else:
            left = in_order(reviews, replace(config, seed=config.seed + number * _SEEDS_APART))


def _train(
    split: Split,
    liked: Reviews,
    blend: Blend,
    config: Config,
    checkpoints: Checkpoints,
    features: Floats | None,
) -> Holdout:
    earlier, later = split
    relevance = train_members(
        earlier,
        earlier.likes(blend.like_rating),
        config.relevance,
        config.seed,
        validate=ndcg_of(earlier, liked, config.seed),
        checkpoints=checkpoints,
    )
    heads: dict[str, Trained[RelevanceHead] | Trained[RatingHead]] = {"relevance": relevance}
    rating = None
    if earlier.has_ratings:
        heads["rating"] = rating = train_rating(
            earlier,
            config.rating,
            config.seed,
            validate=likelihood_of(earlier, later, config.seed),
            checkpoints=checkpoints,
        )
    options = nearness_options(earlier.num_movies, config.neighbours)
    neighbours = build_neighbours(earlier, blend, config.neighbours, config.ingest, options)
    model = Model(
        relevance=relevance.head,
        rating=rating.head if rating else None,
        neighbours=neighbours.co_review,
        chosen_neighbours=None,
        rating_neighbours=neighbours.rating,
        histories=histories_of(earlier),
        blend=blend,
    )
    return Holdout(
        model,
        {CO_REVIEWS: neighbours.co_review, **neighbours.near},
        content_table(earlier, features, config.neighbours),
        later,
        {name: head.rounds for name, head in heads.items()},
        {name: {"loss": head.losses, "validation": head.figures} for name, head in heads.items()},
    )
