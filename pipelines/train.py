"""The training loops: rounds of steps until the validation figure stops getting better."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.config import RatingConfig, RelevanceConfig
from engine.errors import TrainingError
from engine.rating_head import RatingHead
from engine.relevance_head import RelevanceHead
from pipelines.dataset import Reviews
from pipelines.progress import progress_of_rounds
from pipelines.rating_network import RatingNetwork
from pipelines.relevance_network import RelevanceNetwork
from pipelines.sampling import RatingBatch, RelevanceSampler, rating_batches

Head = TypeVar("Head", RelevanceHead, RatingHead)
logger = logging.getLogger(__name__)

_SMOOTHED_ROUNDS = 3
"""Rounds whose mean figure is compared, so that one lucky round does not end a training."""
_LONGEST_REVIEWER = 4096
"""Reviews of one reviewer in a batch of the rating head."""


class Trained(NamedTuple, Generic[Head]):
    """What a training loop gives."""

    head: Head
    """The weights at the end of the best rounds, or of the last where nothing was validated."""
    rounds: int
    """The round they are from, counted from 1."""
    losses: list[float]
    """The mean training loss of each round."""
    figures: list[float]
    """The validation figure after each round; empty where nothing was validated."""


def train_relevance(
    reviews: Reviews,
    likes: NDArray[np.bool_],
    config: RelevanceConfig,
    seed: int,
    *,
    validate: Callable[[RelevanceHead], float] | None = None,
    rounds: int | None = None,
) -> Trained[RelevanceHead]:
    """Trains the relevance head.

    Args:
        reviews: those to learn from.
        likes: bool [num_reviews], which of them are likes.
        config: of the head.
        seed: of every random choice.
        validate: gives a figure, higher is better, after each round; training stops `config.patience` rounds
            after its best.
        rounds: how many to train where nothing is validated.

    Raises:
        TrainingError: no reviewer has two reviews, or the loss is not finite.
    """
    generator = np.random.default_rng(seed)
    sampler = RelevanceSampler(reviews, likes, config, generator)
    if sampler.num_examples == 0:
        raise TrainingError(
            "No reviewer has two reviews to learn from; expected some who reviewed several movies; "
            "give more reviews, or lower the filters"
        )
    popularity = np.bincount(reviews.movie_rows[likes], minlength=reviews.num_movies)
    network = RelevanceNetwork(popularity, reviews.num_reviewers, len(reviews.levels), config, generator)

    def round_of_steps(number: int) -> Iterator[float]:
        for step, batch in enumerate(sampler.batches()):
            yield network.train(batch, config.learning_rate, seed + number * sampler.num_batches + step)

    return _train(
        "relevance", round_of_steps, network.head, sampler.num_batches, sampler.batch_size,
        rounds or config.max_epochs, config.patience, validate,
    )  # fmt: skip


def train_rating(
    reviews: Reviews,
    config: RatingConfig,
    seed: int,
    *,
    validate: Callable[[RatingHead], float] | None = None,
    rounds: int | None = None,
) -> Trained[RatingHead]:
    """Trains the rating head; arguments and errors as of `train_relevance`.

    The learning rate falls in a straight line to zero over the rounds that are to be trained.
    """
    generator = np.random.default_rng(seed)
    network = RatingNetwork(reviews, config, generator)
    max_rounds = rounds or config.max_epochs
    residuals = reviews.ratings - network.baselines[reviews.movie_rows]

    def batches(source: np.random.Generator) -> Iterator[RatingBatch]:
        return rating_batches(reviews, residuals, config, source, _LONGEST_REVIEWER)

    num_batches = sum(1 for _ in batches(np.random.default_rng(seed)))

    def round_of_steps(number: int) -> Iterator[float]:
        rate = config.learning_rate * (1 - number / max_rounds)
        for step, batch in enumerate(batches(generator)):
            yield network.train(batch, rate, seed + number * num_batches + step)

    return _train(
        "rating", round_of_steps, network.head, num_batches, len(reviews) // num_batches,
        max_rounds, config.patience, validate,
    )  # fmt: skip


def _train(
    name: str,
    round_of_steps: Callable[[int], Iterator[float]],
    head: Callable[[], Head],
    num_batches: int,
    batch_size: int,
    max_rounds: int,
    patience: int,
    validate: Callable[[Head], float] | None,
) -> Trained[Head]:
    started = time.perf_counter()
    losses: list[float] = []
    figures: list[float] = []
    smooth: list[float] = []
    best, best_round = None, 0
    with progress_of_rounds(f"Training {name}", max_rounds * num_batches, batch_size) as on_step:
        for number in range(max_rounds):
            total = 0.0
            for loss in round_of_steps(number):
                total += float(loss)
                on_step(float(loss))
            losses.append(total / num_batches)
            if not np.isfinite(losses[-1]):
                raise TrainingError(
                    f"The {name} loss is not finite in round {number + 1}; expected it to fall; "
                    f"lower the learning rate with --set {name}.learning_rate=..."
                )
            if validate is None:
                continue
            figures.append(validate(head()))
            smooth.append(float(np.mean(figures[-_SMOOTHED_ROUNDS:])))
            if best is None or smooth[-1] > max(smooth[:-1]):
                best, best_round = head(), number + 1
            if number + 1 - best_round >= patience:
                break
    rounds = best_round or len(losses)
    logger.info(
        "Trained %s for %s rounds in %.1f s, loss %.4f",
        name,
        rounds,
        time.perf_counter() - started,
        losses[-1],
    )
    return Trained(best if best is not None else head(), rounds, losses, figures)
