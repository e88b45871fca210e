"""The training loops: rounds of steps until the validation figure stops getting better."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.config.sections import RatingConfig, RelevanceConfig
from engine.errors import TrainingError
from engine.model.heads import RatingHead, RelevanceHead
from pipelines.dataset.reviews import Reviews
from pipelines.training.batches import RatingSampler, RelevanceSampler
from pipelines.training.rating_network import RatingNetwork
from pipelines.training.relevance_network import RelevanceNetwork
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints, Saved, from_arrays, to_arrays
from pipelines.work.parallel import read_ahead
from pipelines.work.progress import progress_of_rounds

Head = TypeVar("Head", RelevanceHead, RatingHead)
AnyHead = TypeVar("AnyHead", covariant=True)
logger = logging.getLogger(__name__)

_SMOOTHED_ROUNDS = 3
"""Rounds whose mean figure is compared, so that one lucky round does not end a training."""
_LONGEST_REVIEWER = 4096
"""Reviews of one reviewer in a batch of the rating head."""
_SECONDS_BETWEEN_SAVES = 2.0
_SHARE_OF_SAVING = 0.05
"""Least seconds from one checkpoint to the next, and the most of a training's time that they may take."""


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
    level_weights: NDArray[np.float32] | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
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
        level_weights: as `RelevanceNetwork` takes them.
        checkpoints: where the training is kept as it goes, and taken up where it was kept.

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
    num_levels = len(reviews.levels)
    network = RelevanceNetwork(
        popularity, reviews.num_reviewers, num_levels, config, generator, level_weights
    )

    def round_of_steps(number: int) -> Iterator[float]:
        for step, batch in enumerate(read_ahead(sampler.batches(number))):
            yield network.train(batch, config.learning_rate, seed + number * sampler.num_batches + step)

    return _Training(
        name="relevance",
        kind=RelevanceHead,
        network=network,
        generator=generator,
        round_of_steps=round_of_steps,
        num_batches=sampler.num_batches,
        batch_size=sampler.batch_size,
        max_rounds=rounds or config.max_epochs,
        patience=config.patience,
        validate=validate,
        checkpoints=checkpoints,
    ).run()


def train_rating(
    reviews: Reviews,
    config: RatingConfig,
    seed: int,
    *,
    validate: Callable[[RatingHead], float] | None = None,
    rounds: int | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
) -> Trained[RatingHead]:
    """Trains the rating head; arguments and errors as of `train_relevance`.

    The learning rate falls in a straight line to zero over the rounds that are to be trained.
    """
    generator = np.random.default_rng(seed)
    network = RatingNetwork(reviews, config, generator)
    max_rounds = rounds or config.max_epochs
    residuals = reviews.ratings - network.baselines[reviews.movie_rows]
    sampler = RatingSampler(reviews, residuals, config, generator, _LONGEST_REVIEWER)
    num_batches = sampler.num_batches(seed)

    def round_of_steps(number: int) -> Iterator[float]:
        rate = config.learning_rate * (1 - number / max_rounds)
        for step, batch in enumerate(read_ahead(sampler.batches(number))):
            yield network.train(batch, rate, seed + number * num_batches + step)

    return _Training(
        name="rating",
        kind=RatingHead,
        network=network,
        generator=generator,
        round_of_steps=round_of_steps,
        num_batches=num_batches,
        batch_size=sampler.batch_size,
        max_rounds=max_rounds,
        patience=config.patience,
        validate=validate,
        checkpoints=checkpoints,
    ).run()


class _Network(Protocol[AnyHead]):
    def head(self) -> AnyHead: ...

    @property
    def variables(self) -> Sequence[Any]: ...


@dataclass(kw_only=True)
class _Training(Generic[Head]):
    """One training as it goes; a round begins in the same state whether or not the process died before it."""

    name: str
    kind: type[Head]
    network: _Network[Head]
    generator: np.random.Generator
    round_of_steps: Callable[[int], Iterator[float]]
    num_batches: int
    batch_size: int
    max_rounds: int
    patience: int
    validate: Callable[[Head], float] | None
    checkpoints: Checkpoints
    losses: list[float] = field(default_factory=list)
    figures: list[float] = field(default_factory=list)
    best: Head | None = None
    best_round: int = 0

    def run(self) -> Trained[Head]:
        started = time.perf_counter()
        saved = self.checkpoints.load(self.name)
        if saved is not None and saved.facts["finished"]:
            logger.info("The %s head is trained already", self.name)
            return self._finished(saved)
        if saved is not None:
            self._restore(saved)
            logger.info("Going on with %s after round %s", self.name, len(self.losses))
        self._go_through_rounds()
        head = self.best if self.best is not None else self.network.head()
        rounds = self.best_round or len(self.losses)
        logger.info(
            "Trained %s for %s rounds in %.1f s, loss %.4f",
            self.name, rounds, time.perf_counter() - started, self.losses[-1],
        )  # fmt: skip
        facts = {"finished": True, "rounds": rounds, "losses": self.losses, "figures": self.figures}
        self.checkpoints.save(self.name, to_arrays(head), facts)
        return Trained(head, rounds, self.losses, self.figures)

    def _go_through_rounds(self) -> None:
        saved_at, next_save = time.perf_counter(), _SECONDS_BETWEEN_SAVES
        steps = self.max_rounds * self.num_batches
        with progress_of_rounds(f"Training {self.name}", steps, self.batch_size) as on_step:
            for number in range(len(self.losses), self.max_rounds):
                if self._has_stopped():
                    return
                total, count = 0.0, 0
                for loss in self.round_of_steps(number):
                    total, count = total + float(loss), count + 1
                    on_step(float(loss))
                self._note(total / max(count, 1))
                if time.perf_counter() - saved_at > next_save:
                    began = time.perf_counter()
                    self._save()
                    saved_at = time.perf_counter()
                    next_save = max(_SECONDS_BETWEEN_SAVES, (saved_at - began) / _SHARE_OF_SAVING)

    def _has_stopped(self) -> bool:
        return bool(self.figures) and len(self.figures) - self.best_round >= self.patience

    def _note(self, loss: float) -> None:
        """Notes a round, and its weights where they are the best so far."""
        self.losses.append(loss)
        if not np.isfinite(loss):
            raise TrainingError(
                f"The {self.name} loss is not finite in round {len(self.losses)}; expected it to fall; "
                f"lower the learning rate with --set {self.name}.learning_rate=..."
            )
        if self.validate is None:
            return
        head = self.network.head()
        self.figures.append(self.validate(head))
        smooth = [
            float(np.mean(self.figures[max(0, end - _SMOOTHED_ROUNDS) : end]))
            for end in range(1, len(self.figures) + 1)
        ]
        if self.best is None or smooth[-1] > max(smooth[:-1]):
            self.best, self.best_round = head, len(self.figures)

    def _save(self) -> None:
        if not self.checkpoints:
            return
        arrays = {f"variable-{place}": each.numpy() for place, each in enumerate(self.network.variables)}
        if self.best is not None:
            arrays |= {f"best_{name}": array for name, array in to_arrays(self.best).items()}
        facts = {
            "finished": False,
            "losses": self.losses,
            "figures": self.figures,
            "best_round": self.best_round,
            "generator": self.generator.bit_generator.state,
        }
        self.checkpoints.save(self.name, arrays, facts)

    def _restore(self, saved: Saved) -> None:
        for place, variable in enumerate(self.network.variables):
            variable.assign(saved.arrays[f"variable-{place}"])
        self.losses, self.figures = saved.facts["losses"], saved.facts["figures"]
        self.best_round = saved.facts["best_round"]
        self.generator.bit_generator.state = saved.facts["generator"]
        best = {
            name.removeprefix("best_"): array
            for name, array in saved.arrays.items()
            if name.startswith("best_")
        }
        self.best = from_arrays(self.kind, best) if best else None

    def _finished(self, saved: Saved) -> Trained[Head]:
        facts = saved.facts
        head = from_arrays(self.kind, saved.arrays)
        return Trained(head, facts["rounds"], facts["losses"], facts["figures"])
