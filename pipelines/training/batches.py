"""What a step of training sees: histories with what came next, and reviewers with their ratings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import RatingConfig, RelevanceConfig
from pipelines.dataset.reviews import Reviews

Ints = NDArray[np.int32]

_MOST_EXAMPLES = 4
_MOST_REVIEWS = 16
"""How many times larger than asked for a batch gets at most where there is much to go through."""


class RelevanceBatch(NamedTuple):
    """Examples of the relevance head: a reviewer's history up to some moment and what came next."""

    reviewer_rows: Ints
    """int32 [num_examples]."""
    history_examples: Ints
    """int32 [num_history], which example each review of a history belongs to."""
    history_movies: Ints
    """int32 [num_history]."""
    history_levels: Ints
    """int32 [num_history]."""
    history_weights: Floats
    """float32 [num_history], fading with age; 0 for reviews that are dropped out."""
    target_examples: Ints
    """int32 [num_targets]."""
    target_movies: Ints
    """int32 [num_targets]."""
    target_weights: Floats
    """float32 [num_targets]."""
    candidates: Ints
    """int32 [num_candidates], ascending: the movies that targets are compared with, themselves included."""
    log_chances: Floats
    """float32 [num_candidates]: the logarithm of the chance that the movie got into `candidates`."""


class RatingBatch(NamedTuple):
    """Reviewers with all of their reviews; each review is predicted from the others."""

    reviewer_rows: Ints
    """int32 [num_reviewers]."""
    reviewer_places: Ints
    """int32 [num_reviews], which of them each review belongs to."""
    movie_rows: Ints
    """int32 [num_reviews]."""
    level_rows: Ints
    """int32 [num_reviews]."""
    residuals: Floats
    """float32 [num_reviews], stars above the movie's baseline."""
    kept: Floats
    """float32 [num_reviews], 0 for reviews that are dropped out of the history."""


class RelevanceSampler:
    """Draws the examples of the relevance head.

    A reviewer's reviews are cut at a random moment: what was before is the history, faded as it will be faded
    when a real list is made, and what comes next is to be found. So the network learns what it is asked for
    later, and a whole example costs one comparison with the catalogue.

    Args:
        reviews: those to learn from.
        likes: bool [num_reviews].
        config: of the relevance head.
        generator: where the randomness comes from.

    Attributes:
        batch_size: examples in a batch.
        num_examples: examples in a round, or one more than in some.
        compares_all: whether targets are compared with the whole catalogue.
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
        self._rounds = _parts(examples, len(examples), config.round_size, generator)
        self.num_examples = len(self._rounds[0])
        self.batch_size = _batch_size(len(examples), config.batch_size, _MOST_EXAMPLES)
        # A large batch brings many targets, and each is compared with those of the others too.
        self._num_drawn = max(
            config.num_negatives * config.batch_size // max(self.batch_size, config.batch_size), 1
        )
        popularity = np.bincount(reviews.movie_rows, minlength=reviews.num_movies).astype(np.float64)
        chances = (popularity + 1.0) ** 0.75
        self._chances = chances / chances.sum()
        self._cumulative = np.cumsum(self._chances)
        self._popularity = popularity / max(popularity.sum(), 1.0)
        self.compares_all = reviews.num_movies <= config.full_softmax_up_to
        self._all = np.arange(reviews.num_movies, dtype=np.int32)

    @property
    def num_batches(self) -> int:
        """Batches in a round."""
        return -(-self.num_examples // self.batch_size)

    def batches(self, number: int = 0) -> Iterator[RelevanceBatch]:
        """Goes once through the reviewers of a round, in another order and with other cuts each time.

        Args:
            number: of the round, from 0. Where there are more reviewers than `config.round_size`, each round
                takes another part of them, until all have come.
        """
        order = self._generator.permutation(self._rounds[number % len(self._rounds)])
        for begin in range(0, len(order), self.batch_size):
            yield self._batch(order[begin : begin + self.batch_size])

    def _batch(self, reviewers: NDArray[np.int64]) -> RelevanceBatch:
        config, reviews, generator = self._config, self._reviews, self._generator
        begins, counts = self._offsets[reviewers], self._counts[reviewers]
        cuts = 1 + (generator.random(len(reviewers)) * (counts - 1)).astype(np.int64)
        lengths = np.minimum(cuts, config.max_history)
        examples, places = _spans(lengths)
        sources = (begins + cuts - lengths)[examples] + places
        ages = (lengths[examples] - places).astype(np.float32)
        rates = config.history_dropout * generator.random(len(reviewers))
        kept = generator.random(len(examples)) >= rates[examples]
        weights = (ages ** np.float32(-config.recency_power) * kept).astype(np.float32)
        num_targets = np.minimum(counts - cuts, config.num_targets)
        target_examples, target_places = _spans(num_targets)
        targets = (begins + cuts)[target_examples] + target_places
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
        if self.compares_all:
            return self._all, np.zeros(len(self._all), dtype=np.float32)
        drawn = np.searchsorted(self._cumulative, self._generator.random(self._num_drawn))
        candidates = np.union1d(np.minimum(drawn, len(self._all) - 1), target_movies).astype(np.int32)
        # A movie is missing when neither a draw nor a target of the batch hit it.
        missing = self._num_drawn * np.log1p(-self._chances[candidates])
        missing += len(target_movies) * np.log1p(-np.minimum(self._popularity[candidates], 0.999))
        return candidates, np.log(-np.expm1(missing)).astype(np.float32)


class RatingSampler:
    """Draws the batches of the rating head: reviewers with all of their reviews, until these fill a batch.

    Args:
        reviews: those to learn from.
        residuals: float32 [num_reviews], stars above each movie's baseline.
        config: of the rating head.
        generator: where the randomness comes from.
        longest: reviews of one reviewer in a batch, at most; of the others another part comes each time.

    Attributes:
        batch_size: reviews in a batch, about.
    """

    def __init__(
        self,
        reviews: Reviews,
        residuals: Floats,
        config: RatingConfig,
        generator: np.random.Generator,
        longest: int,
    ) -> None:
        self._reviews = reviews
        self._residuals = residuals
        self._config = config
        self._generator = generator
        self._offsets = reviews.offsets()
        self._counts = np.diff(self._offsets)
        self._taken = np.minimum(self._counts, longest)
        reviewers = np.flatnonzero(self._taken)
        self._rounds = _parts(reviewers, len(reviews), config.round_size, generator)
        self.batch_size = _batch_size(len(reviews), config.batch_size, _MOST_REVIEWS)

    def num_batches(self, seed: int) -> int:
        """Batches in a round, give or take one: how many a generator of this seed would make of the first."""
        order = np.random.default_rng(seed).permutation(self._rounds[0])
        return len(self._split(order))

    def batches(self, number: int = 0) -> Iterator[RatingBatch]:
        """Goes once through the reviewers of a round in another order; `number` as of `RelevanceSampler`."""
        for reviewers in self._split(self._generator.permutation(self._rounds[number % len(self._rounds)])):
            yield self._batch(reviewers)

    def _split(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Cuts reviewers, in their order, into batches."""
        batch_of = (np.cumsum(self._taken[order]) - 1) // self.batch_size
        return np.split(order, np.flatnonzero(np.diff(batch_of)) + 1)

    def _batch(self, reviewers: NDArray[np.int64]) -> RatingBatch:
        reviews, lengths = self._reviews, self._taken[reviewers]
        places, within = _spans(lengths)
        slack = self._counts[reviewers] - lengths
        shift = (self._generator.random(len(reviewers)) * (slack + 1)).astype(np.int64)
        sources = (self._offsets[reviewers] + shift)[places] + within
        kept = self._generator.random(len(sources)) >= self._config.history_dropout
        return RatingBatch(
            reviewers.astype(np.int32),
            places.astype(np.int32),
            reviews.movie_rows[sources],
            reviews.level_rows[sources].astype(np.int32),
            self._residuals[sources],
            kept.astype(np.float32),
        )


def _parts(
    rows: NDArray[np.int64], size: int, round_size: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """What each round goes through: all of it, or by chance one of as many parts as `size` needs rounds."""
    num_rounds = max(-(-size // round_size), 1)
    if num_rounds == 1:
        return [rows]
    shuffled = generator.permutation(rows)
    return [shuffled[first::num_rounds] for first in range(num_rounds)]


def _batch_size(num_examples: int, wanted: int, most: int) -> int:
    """Small data gets at least 16 steps a pass, large at most 256 until batches are `most` times larger."""
    return max(min(wanted, num_examples // 16), 16, min(num_examples // 256, most * wanted))


def _spans(lengths: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For spans of given lengths in a row: which span each element is in, and its place there."""
    spans = np.repeat(np.arange(len(lengths)), lengths)
    starts = np.cumsum(lengths) - lengths
    return spans, np.arange(len(spans)) - starts[spans]
