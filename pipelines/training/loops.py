"""Trains a head of the model in rounds of training steps until the validation metric stops improving."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import RatingConfig, RelevanceConfig
from engine.errors import TrainingError
from engine.model.heads import RatingHead, RelevanceHead
from pipelines.dataset.reviews import Reviews
from pipelines.networks.batches import RatingSampler, RelevanceSampler
from pipelines.networks.paged_rows import rows_of_block
from pipelines.networks.parted import PartedNetwork, Rounds
from pipelines.networks.rating import RatingNetwork
from pipelines.networks.relevance import RelevanceNetwork
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints, Saved, from_arrays, to_arrays
from pipelines.work.parallel import stop_if_asked
from pipelines.work.progress import progress_of_rounds
from pipelines.work.runners import HERE, Runner

Head = TypeVar("Head", RelevanceHead, RatingHead)
logger = logging.getLogger(__name__)

_SMOOTHED_ROUNDS = 3
"""The number of successive rounds over which validation metrics are averaged before rounds are compared,
because the metric of a single round depends on chance."""
_RELEVANCE_PATIENCE = 4
"""The number of rounds without a better validation metric after which the training of the relevance head
stops."""
_RATING_PATIENCE = 10
"""The largest number of rounds without a better validation metric after which the training of the rating head
stops; the number is high because the validation metric varies much from round to round on few reviews."""
_LEAST_RATING_PATIENCE = 4
"""The least number of rounds without a better validation metric after which the training of the rating head
stops."""
_PATIENT_REVIEWS = 1_500_000
"""This number, divided by the number of training reviews and rounded, gives the patience of the rating head.
The patience is the number of rounds without a better validation metric after which training stops. The
patience of the rating head is at least _LEAST_RATING_PATIENCE and at most _RATING_PATIENCE rounds."""
_LONGEST_REVIEWER = 4096
"""The largest number of reviews of one reviewer in a batch of the rating head."""
_SECONDS_BETWEEN_SAVES = 2.0
"""The least number of seconds between two checkpoints."""
_SHARE_OF_SAVING = 0.05
"""The largest share of the training time that may be spent on saving checkpoints."""


class Trained(NamedTuple, Generic[Head]):
    """Holds a trained head, and the losses and the validation metrics of its training."""

    head: Head
    """The head with the weights after the best round; if no function validates the head, with the weights
    after the last round."""
    rounds: int
    """The number of rounds, at least 1, after which training had reached the weights in `head`."""
    losses: list[float]
    """The mean training loss of each round."""
    figures: list[float]
    """The validation metric after each round; empty if no function validates the head."""


def train_relevance(
    reviews: Reviews,
    likes: NDArray[np.bool_],
    config: RelevanceConfig,
    seed: int,
    *,
    validate: Callable[[RelevanceHead], float] | None = None,
    rounds: int | None = None,
    level_weights: Floats | None = None,
    start: RelevanceHead | None = None,
    checkpoints: Checkpoints = NOTHING_KEPT,
    runner: Runner = HERE,
) -> Trained[RelevanceHead]:
    """Trains the relevance head, which scores how likely a reviewer is to review each movie next.

    Args:
        reviews: the training reviews.
        likes: the mask of reviews that are likes, bool [num_reviews].
        config: settings of the relevance head.
        seed: seed of all random choices.
        validate: a function that returns a metric of the head, where higher is better; the function is called
            after each round, and training stops some rounds after the best metric. If `validate` is None, no
            metric is computed, and training does not stop early.
        rounds: the number of rounds to train; None for the setting `max_rounds`.
        level_weights: float32 [num_levels], one weight for each rating level: how much a review with the
            rating counts in the reviewer's history. If `level_weights` is None, the training learns the
            weights.
        start: the relevance head of an earlier training on the same reviewers and movies; the training starts
            from the vectors of `start`. If `start` is None, the training starts from random vectors.
        checkpoints: the checkpoints that save the state of the training, so that an interrupted training can
            resume.
        runner: the runner whose workers train the head if the setting `num_parts` is above 1; each worker
            then trains on the reviews of one group of reviewers.

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
    network: RelevanceNetwork | PartedNetwork
    drawn: RelevanceSampler | Rounds = sampler
    num_batches = sampler.num_batches
    if config.num_parts > 1:
        network = PartedNetwork(reviews, likes, popularity, config, seed, level_weights, start, runner)
        drawn, num_batches = Rounds(sampler.num_examples), 1
    else:
        sizes = (reviews.num_reviewers, len(reviews.levels))
        block_rows = rows_of_block(reviews.num_reviewers, config, sampler.batch_size)
        network = RelevanceNetwork(
            popularity, *sizes, config, generator, level_weights, start, block_rows, checkpoints.folder
        )
    return _Training(
        name="relevance",
        kind=RelevanceHead,
        network=network,
        sampler=drawn,
        generator=generator,
        seed=seed,
        rate=lambda _number: config.learning_rate,
        num_batches=num_batches,
        max_rounds=rounds or config.max_rounds,
        patience=_RELEVANCE_PATIENCE,
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
    """Trains the rating head, which predicts distributions of ratings.

    The learning rate falls linearly to zero over the rounds of the training. The docstring of
    `train_relevance` explains the arguments of `train_rating`.

    Raises:
        TrainingError: the loss is not finite.
    """
    generator = np.random.default_rng(seed)
    network = RatingNetwork(reviews, config, generator)
    max_rounds = rounds or config.max_rounds
    residuals = reviews.ratings - network.movie_means[reviews.movie_rows]
    sampler = RatingSampler(reviews, residuals, generator, _LONGEST_REVIEWER)
    return _Training(
        name="rating",
        kind=RatingHead,
        network=network,
        sampler=sampler,
        generator=generator,
        seed=seed,
        rate=lambda number: config.learning_rate * (1 - number / max_rounds),
        num_batches=sampler.num_batches(seed),
        max_rounds=max_rounds,
        patience=min(_RATING_PATIENCE, max(_LEAST_RATING_PATIENCE, round(_PATIENT_REVIEWS / len(reviews)))),
        validate=validate,
        checkpoints=checkpoints,
    ).run()


class _Sampler(Protocol):
    batch_size: int

    def batches(self, number: int) -> Iterator[Any]: ...


class _Network(Protocol[Head]):
    def batches(self, drawn: Iterator[Any]) -> Iterator[Any]: ...

    def train(self, batch: Any, learning_rate: float, seed: int) -> Any: ...

    def head(self) -> Head: ...

    def keep(self, head: Head) -> Head: ...

    @property
    def variables(self) -> Sequence[Any]: ...


@dataclass(kw_only=True)
class _Training(Generic[Head]):
    """Trains one head, and saves checkpoints, so that a killed training resumes with the same result."""

    name: str
    kind: type[Head]
    network: _Network[Head]
    sampler: _Sampler
    generator: np.random.Generator
    seed: int
    rate: Callable[[int], float]
    num_batches: int
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
            head, facts = from_arrays(self.kind, saved.arrays), saved.facts
            return Trained(head, facts["rounds"], facts["losses"], facts["figures"])
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
        with progress_of_rounds(f"Training {self.name}", steps, self.sampler.batch_size) as on_step:
            for number in range(len(self.losses), self.max_rounds):
                if self.figures and len(self.figures) - self.best_round >= self.patience:
                    return
                losses = []
                for step, batch in enumerate(self.network.batches(self.sampler.batches(number))):
                    seed = self.seed + number * self.num_batches + step
                    stop_if_asked()
                    losses.append(float(self.network.train(batch, self.rate(number), seed)))
                    on_step(losses[-1])
                self._note(sum(losses) / max(len(losses), 1))
                if time.perf_counter() - saved_at > next_save:
                    began = time.perf_counter()
                    self._save()
                    saved_at = time.perf_counter()
                    next_save = max(_SECONDS_BETWEEN_SAVES, (saved_at - began) / _SHARE_OF_SAVING)

    def _note(self, loss: float) -> None:
        """Records the loss of a round, validates the head, and keeps the head if it is the best so far."""
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
            self.best, self.best_round = self.network.keep(head), len(self.figures)

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
        named = saved.arrays.items()
        best = {name.removeprefix("best_"): array for name, array in named if name.startswith("best_")}
        self.best = self.network.keep(from_arrays(self.kind, best)) if best else None
