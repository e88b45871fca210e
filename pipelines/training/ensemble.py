"""Trains relevance heads of several seeds, and joins them into one head whose vectors lie side by side.

A single head of few reviews owes much to chance; the mean of several scores owes less. The mean of inner
products is one inner product of longer vectors, so an index searches the joined vectors like any others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from pipelines.dataset.reviews import Reviews
from pipelines.training.loops import Trained, train_relevance
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints

_SEEDS_APART = 1000
"""Difference between the seeds of two heads."""
MEMBERS_UP_TO = 200_000
"""Reviews up to which several heads are trained; more reviews leave less to chance."""


def train_members(
    reviews: Reviews,
    likes: NDArray[np.bool_],
    config: RelevanceConfig,
    seed: int,
    *,
    validate: Callable[[RelevanceHead], float] | None = None,
    rounds: int | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
) -> Trained[RelevanceHead]:
    """Trains `config.num_members` heads where the reviews are few, and one head where they are many.

    The first head finds how long to train and how much a review of each rating says; the other heads take
    both from it. Arguments, errors and results are as in `train_relevance`, but the head is the joined one.
    """
    first = train_relevance(
        reviews, likes, config, seed, validate=validate, rounds=rounds, checkpoints=checkpoints
    )
    count = config.num_members if len(reviews) <= MEMBERS_UP_TO else 1
    others = [
        train_relevance(
            reviews,
            likes,
            config,
            seed + number * _SEEDS_APART,
            rounds=first.rounds,
            level_weights=first.head.level_weights,
            checkpoints=checkpoints.within(f"member-{number}"),
        ).head
        for number in range(1, count)
    ]
    return first._replace(head=side_by_side([first.head, *others]))


def side_by_side(heads: Sequence[RelevanceHead]) -> RelevanceHead:
    """Joins heads that weigh ratings alike into one head, whose scores are the mean of theirs."""
    if len(heads) == 1:
        return heads[0]
    share = np.float32(1 / len(heads))
    vectors = [head.movie_vectors[:, :-1] * share for head in heads]
    bias = np.mean([head.movie_vectors[:, -1:] for head in heads], axis=0, dtype=np.float32)
    return RelevanceHead(
        movie_vectors=np.concatenate([*vectors, bias], axis=1),
        history_vectors=np.concatenate([head.history_vectors for head in heads], axis=1),
        reviewer_embeddings=np.concatenate([head.reviewer_embeddings for head in heads], axis=1),
        level_weights=heads[0].level_weights,
        recency_power=heads[0].recency_power,
        max_history=heads[0].max_history,
    )
