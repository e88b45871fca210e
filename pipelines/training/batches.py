"""Draws what a step of training sees: histories with what came next, and reviewers with their ratings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows, spans
from engine.config.sections import RelevanceConfig
from pipelines.dataset.reviews import Reviews

Ints = NDArray[np.int32]

BATCH_EXAMPLES = 256
"""Examples in a batch of the relevance head; fewer for small data, more for large."""
BATCH_REVIEWS = 2560
"""Reviews in a batch of the rating head; fewer for small data, more for large."""
_MOST_EXAMPLES = 4
_MOST_REVIEWS = 16
"""A batch of large data holds up to this many times `BATCH_EXAMPLES` or `BATCH_REVIEWS`."""
ROUND_EXAMPLES = 400_000
ROUND_REVIEWS = 2_000_000
"""Examples or reviews in a round, at most; of larger data each round takes another part."""
NUM_TARGETS = 20
"""Reviews after the history of an example that are to be predicted, at most."""
HISTORY_DROPOUT = 0.2
"""Share of a history left out in training."""
FULL_SOFTMAX_UP_TO = 8192
"""Catalogues of up to this many movies are compared whole, without drawing."""


class RelevanceBatch(NamedTuple):
    """Holds examples of the relevance head: a reviewer's history up to some moment and what came next."""

    reviewer_rows: Ints
    """int32 [num_examples]."""
    history_examples: Ints
    """int32 [num_history], the example to which each review of a history belongs."""
    history_movies: Ints
    """int32 [num_history]."""
    history_levels: Ints
    """int32 [num_history]."""
    history_weights: Floats
    """float32 [num_history], fading with age; 0 for reviews that are dropped out."""
    target_examples: Ints
    """int32 [num_targets], the example to which each target belongs."""
    target_movies: Ints
    """int32 [num_targets]."""
    target_weights: Floats
    """float32 [num_targets]."""
    candidates: Ints
    """int32 [num_candidates], ascending: the movies that targets are compared with, targets included."""
    log_chances: Floats
    """float32 [num_candidates]: the logarithm of the chance that the movie got into `candidates`."""


class RatingBatch(NamedTuple):
    """Holds reviewers with all of their reviews; each review is predicted from the reviewer's others."""

    reviewer_rows: Ints
    """int32 [num_reviewers]."""
    reviewer_places: Ints
    """int32 [num_reviews], position in `reviewer_rows` of the reviewer of each review."""
    movie_rows: Ints
    """int32 [num_reviews]."""
    level_rows: Ints
    """int32 [num_reviews]."""
    residuals: Floats
    """float32 [num_reviews], stars above the movie's mean."""
    kept: Floats
    """float32 [num_reviews], 0 for reviews that are dropped out of the history."""


class RelevanceSampler:
    """Draws the training examples of the relevance head.

    An example is a history and the movies that the reviewer reviewed next.

    A reviewer's reviews are cut at a random moment. The reviews before are the history, which fades as it
    fades when a real list is made; the reviews after are targets. So the network learns what it will be asked
    for, and a whole example costs one comparison with the catalogue.

    Attributes:
        batch_size: examples in a batch.
        num_examples: examples in the longest round; another round has at most one less.
    """

    def __init__(
        self,
        reviews: Reviews,
        likes: NDArray[np.bool_],
        config: RelevanceConfig,
        generator: np.random.Generator,
    ) -> None:
        self._reviews = reviews
        self._config = config
        self._generator = generator
        self._offsets = reviews.offsets()
        self._counts = np.diff(self._offsets)
        useful = np.flatnonzero(self._counts >= 2)
        self._target_weights = np.where(likes, 1.0, config.other_weight).astype(np.float32)
        cuts = int(np.clip(20_000 // max(len(useful), 1), 1, 4))
        examples = np.repeat(useful, np.minimum(cuts, self._counts[useful] - 1))
        self._rounds = _parts(examples, len(examples), ROUND_EXAMPLES, generator)
        self.num_examples = len(self._rounds[0])
        self.batch_size = _batch_size(len(examples), BATCH_EXAMPLES, _MOST_EXAMPLES)
        # A large batch brings many targets, and each is compared with the targets of the other examples too.
        enlarged = max(self.batch_size, BATCH_EXAMPLES)
        self._num_drawn = max(config.num_negatives * BATCH_EXAMPLES // enlarged, 1)
        popularity = np.bincount(reviews.movie_rows, minlength=reviews.num_movies).astype(np.float64)
        chances = (popularity + 1.0) ** 0.75
        self._chances = chances / chances.sum()
        self._cumulative = np.cumsum(self._chances)
        self._popularity = popularity / max(popularity.sum(), 1.0)
        self._all = np.arange(reviews.num_movies, dtype=np.int32)

    @property
    def num_batches(self) -> int:
        """Returns the number of batches in a round."""
        return -(-self.num_examples // self.batch_size)

    def batches(self, number: int = 0) -> Iterator[RelevanceBatch]:
        """Draws the batches of round `number`, from 0, in another order and with other cuts each time.

        Of more examples than `ROUND_EXAMPLES` each round takes another part, until all have come.
        """
        order = self._generator.permutation(self._rounds[number % len(self._rounds)])
        for begin in range(0, len(order), self.batch_size):
            yield self._batch(order[begin : begin + self.batch_size])

    def _batch(self, reviewers: Rows) -> RelevanceBatch:
        config, reviews, generator = self._config, self._reviews, self._generator
        begins, counts = self._offsets[reviewers], self._counts[reviewers]
        cuts = 1 + (generator.random(len(reviewers)) * (counts - 1)).astype(np.int64)
        lengths = np.minimum(cuts, config.max_history)
        examples = np.repeat(np.arange(len(reviewers)), lengths)
        sources = spans(begins + cuts - lengths, lengths)
        ages = ((begins + cuts)[examples] - sources).astype(np.float32)
        rates = HISTORY_DROPOUT * generator.random(len(reviewers))
        kept = generator.random(len(examples)) >= rates[examples]
        weights = (ages ** np.float32(-config.recency_power) * kept).astype(np.float32)
        num_targets = np.minimum(counts - cuts, NUM_TARGETS)
        target_examples = np.repeat(np.arange(len(reviewers)), num_targets)
        targets = spans(begins + cuts, num_targets)
        target_weights = self._target_weights[targets] / np.sqrt(num_targets[target_examples])
        target_movies = reviews.movie_rows[targets]
        candidates, log_chances = self._candidates(target_movies)
        return RelevanceBatch(
            reviewers.astype(np.int32),
            examples.astype(np.int32),
            reviews.movie_rows[sources],
            reviews.level_rows[sources].astype(np.int32),
            weights,
            target_examples.astype(np.int32),
            target_movies,
            target_weights.astype(np.float32),
            candidates,
            log_chances,
        )

    def _candidates(self, target_movies: Ints) -> tuple[Ints, Floats]:
        if len(self._all) <= FULL_SOFTMAX_UP_TO:
            return self._all, np.zeros(len(self._all), dtype=np.float32)
        drawn = np.searchsorted(self._cumulative, self._generator.random(self._num_drawn))
        candidates = np.union1d(np.minimum(drawn, len(self._all) - 1), target_movies).astype(np.int32)
        # A movie is missing where neither a draw nor a target of the batch hit it.
        missing = self._num_drawn * np.log1p(-self._chances[candidates])
        missing += len(target_movies) * np.log1p(-np.minimum(self._popularity[candidates], 0.999))
        return candidates, np.log(-np.expm1(missing)).astype(np.float32)


class RatingSampler:
    """Draws the batches of the rating head: reviewers with all of their reviews, until these fill a batch.

    Of one reviewer at most `longest` reviews come; of more reviews another part comes each time. `residuals`
    are float32 [num_reviews], stars above the movie's mean. A batch has about `batch_size` reviews.
    """

    def __init__(
        self, reviews: Reviews, residuals: Floats, generator: np.random.Generator, longest: int
    ) -> None:
        self._reviews = reviews
        self._residuals = residuals
        self._generator = generator
        self._offsets = reviews.offsets()
        self._counts = np.diff(self._offsets)
        self._taken = np.minimum(self._counts, longest)
        reviewers = np.flatnonzero(self._taken)
        self._rounds = _parts(reviewers, len(reviews), ROUND_REVIEWS, generator)
        self.batch_size = _batch_size(len(reviews), BATCH_REVIEWS, _MOST_REVIEWS)

    def num_batches(self, seed: int) -> int:
        """Counts the batches that a generator of this seed makes of the first round; others differ by one."""
        return len(self._split(np.random.default_rng(seed).permutation(self._rounds[0])))

    def batches(self, number: int = 0) -> Iterator[RatingBatch]:
        """Draws the batches of round `number`, from 0, in another order each time."""
        for reviewers in self._split(self._generator.permutation(self._rounds[number % len(self._rounds)])):
            yield self._batch(reviewers)

    def _split(self, order: Rows) -> list[Rows]:
        """Cuts reviewers, in their order, into batches."""
        batch_of = (np.cumsum(self._taken[order]) - 1) // self.batch_size
        return np.split(order, np.flatnonzero(np.diff(batch_of)) + 1)

    def _batch(self, reviewers: Rows) -> RatingBatch:
        reviews, lengths = self._reviews, self._taken[reviewers]
        slack = self._counts[reviewers] - lengths
        shift = (self._generator.random(len(reviewers)) * (slack + 1)).astype(np.int64)
        sources = spans(self._offsets[reviewers] + shift, lengths)
        kept = self._generator.random(len(sources)) >= HISTORY_DROPOUT
        return RatingBatch(
            reviewers.astype(np.int32),
            np.repeat(np.arange(len(reviewers)), lengths).astype(np.int32),
            reviews.movie_rows[sources],
            reviews.level_rows[sources].astype(np.int32),
            self._residuals[sources],
            kept.astype(np.float32),
        )


def _parts(rows: Rows, size: int, round_size: int, generator: np.random.Generator) -> list[Rows]:
    """Divides rows among rounds: one round takes all, or several take random parts."""
    num_rounds = max(-(-size // round_size), 1)
    if num_rounds == 1:
        return [rows]
    shuffled = generator.permutation(rows)
    return [shuffled[first::num_rounds] for first in range(num_rounds)]


def _batch_size(num_examples: int, wanted: int, most: int) -> int:
    """Sizes batches: at least 16 steps a round, and at most 256 until batches are `most` times `wanted`."""
    return max(min(wanted, num_examples // 16), 16, min(num_examples // 256, most * wanted))
