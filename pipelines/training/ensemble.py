"""Trains several relevance heads with different seeds, and joins them into one head with longer vectors.

The mean score of several heads depends less on chance than the score of a single head, especially for data
with few reviews. The mean of several inner products equals the inner product of concatenated, scaled vectors,
so that a vector index can search the concatenated vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from pipelines.dataset.reviews import Reviews
from pipelines.training.loops import Trained, train_relevance
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints
from pipelines.work.runners import HERE, Runner

_SEEDS_APART = 1000
"""The difference between the seeds of two successive relevance heads."""
MEMBERS_UP_TO = 200_000
"""The largest number of reviews for which several relevance heads are trained instead of one."""


def train_members(
    reviews: Reviews,
    likes: NDArray[np.bool_],
    config: RelevanceConfig,
    seed: int,
    *,
    validate: Callable[[RelevanceHead], float] | None = None,
    rounds: int | None = None,
    start: RelevanceHead | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
    runner: Runner = HERE,
) -> Trained[RelevanceHead]:
    """Trains `config.num_members` relevance heads with different seeds, and joins the heads into one head.

    For more than MEMBERS_UP_TO reviews, one relevance head is trained. The training of the first head decides
    the number of rounds and learns the weights of rating levels; all other heads use the number of rounds and
    the weights of the first head. The function `train_members` takes the same arguments and raises the same
    errors as `train_relevance`. The field `head` of the result holds the one head that `side_by_side` makes
    from the trained relevance heads.
    """
    count = config.num_members if len(reviews) <= MEMBERS_UP_TO else 1
    starts = [None] * count if start is None else apart(start, config.embedding_dim)[:count]
    first = train_relevance(
        reviews,
        likes,
        config,
        seed,
        validate=validate,
        rounds=rounds,
        level_weights=None if start is None else start.level_weights,
        start=starts[0],
        checkpoints=checkpoints,
        runner=runner,
    )
    others = [
        train_relevance(
            reviews,
            likes,
            config,
            seed + number * _SEEDS_APART,
            rounds=first.rounds,
            level_weights=first.head.level_weights,
            start=starts[number],
            checkpoints=checkpoints.within(f"member-{number}"),
            runner=runner,
        ).head
        for number in range(1, len(starts))
    ]
    return first._replace(head=side_by_side([first.head, *others]))


def side_by_side(heads: Sequence[RelevanceHead]) -> RelevanceHead:
    """Joins several relevance heads into one head, whose score is the mean of the several heads' scores.

    All heads must have equal weights of rating levels.
    """
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


def apart(head: RelevanceHead, embedding_dim: int) -> list[RelevanceHead]:
    """Undoes `side_by_side`: returns the several relevance heads that were joined into `head`.

    The vectors of each returned head have `embedding_dim` numbers. The function `side_by_side` kept only the
    mean of the heads' movie biases, so each returned head gets this mean instead of movie biases of its own.
    """
    count = head.history_vectors.shape[1] // embedding_dim
    parts = [slice(number * embedding_dim, (number + 1) * embedding_dim) for number in range(count)]
    bias = head.movie_vectors[:, -1:]
    return [
        replace(
            head,
            movie_vectors=np.concatenate([head.movie_vectors[:, part] * np.float32(count), bias], axis=1),
            history_vectors=head.history_vectors[:, part],
            reviewer_embeddings=head.reviewer_embeddings[:, part],
        )
        for part in parts
    ]
