"""Draws training batches for both heads of a model: reviewers' histories, and the reviews to predict."""

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
"""The usual number of examples in a training batch of the relevance head; a batch has fewer examples for
small data, and more examples for large data."""
BATCH_REVIEWS = 2560
"""The usual number of reviews in a training batch of the rating head; a batch has fewer reviews for small
data, and more reviews for large data."""
_MOST_EXAMPLES = 4
"""The largest number of examples in a training batch of the relevance head, as a multiple of
`BATCH_EXAMPLES`."""
_MOST_REVIEWS = 16
"""The largest number of reviews in a training batch of the rating head, as a multiple of `BATCH_REVIEWS`."""
ROUND_EXAMPLES = 400_000
"""The largest number of examples in a training round of the relevance head; if the data has more examples,
successive rounds use different examples."""
ROUND_REVIEWS = 2_000_000
"""The approximate largest number of reviews in a training round of the rating head; if the data has more
reviews, successive rounds use different reviewers."""
NUM_TARGETS = 20
"""The largest number of targets of a training example; targets are the reviews after the example's history,
which the relevance head learns to predict."""
HISTORY_DROPOUT = 0.2
"""The share of a history's reviews that are dropped at random in training: for the rating head exactly this
share, and for the relevance head a random share up to this number."""
FULL_SOFTMAX_UP_TO = 8192
"""The largest number of movies for which the softmax is computed over all movies; for more movies, the
softmax is computed over a sample of movies."""


class RelevanceBatch(NamedTuple):
    """Holds training examples of the relevance head: reviewers' histories, and later reviews as targets."""

    reviewer_rows: Ints
    """int32 [num_examples], the row of each example's reviewer."""
    history_examples: Ints
    """int32 [num_history], for each review in a history, the number of the training example that has the
    history, counted from 0 within the batch."""
    history_movies: Ints
    """int32 [num_history], the movie row of each review in the histories."""
    history_levels: Ints
    """int32 [num_history], the position in the rating levels of each rating in the histories."""
    history_weights: Floats
    """float32 [num_history], the weight of each review in the histories; older reviews weigh less, and
    dropped reviews weigh 0."""
    target_examples: Ints
    """int32 [num_targets], the number of each target's training example, counted from 0 within the batch. A
    target is a review that the relevance head learns to predict from the reviewer's earlier reviews."""
    target_movies: Ints
    """int32 [num_targets], the movie row of each target."""
    target_weights: Floats
    """float32 [num_targets], the weight of each target in the loss."""
    candidates: Ints
    """int32 [num_candidates], ascending, the rows of the movies in the softmax, which include the movies of
    all targets."""
    log_chances: Floats
    """float32 [num_candidates], the logarithm of the probability with which each candidate was sampled."""


class RatingBatch(NamedTuple):
    """Holds reviewers with their reviews; each rating is predicted from the reviewer's other reviews."""

    reviewer_rows: Ints
    """int32 [num_reviewers], the row of each reviewer in the batch."""
    reviewer_places: Ints
    """int32 [num_reviews], the position in `reviewer_rows` of each review's reviewer."""
    movie_rows: Ints
    """int32 [num_reviews], the movie row of each review."""
    level_rows: Ints
    """int32 [num_reviews], the position of each review's rating in the rating levels."""
    residuals: Floats
    """float32 [num_reviews], each rating minus the mean rating of the movie."""
    kept: Floats
    """float32 [num_reviews], 0 for a review that is dropped from the reviewer's history, and 1 for all other
    reviews."""


class RelevanceSampler:
    """Draws the training examples of the relevance head.

    To make a training example, a reviewer's reviews, in order of time, are divided at a random position. The
    reviewer's earlier reviews become the history of the training example, and the next later reviews become
    targets: reviews to predict from the history. Older reviews of a history weigh less, both in training and
    in the trained model. A training example may have several targets; the candidate movies are scored once
    for all targets of a training example.

    Attributes:
        batch_size: the number of examples in a batch.
        num_examples: the number of examples in the longest round; every round has this number of examples or
            one example less.
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
        # Fewer movies are sampled for a larger batch, because the targets of all examples in the batch are
        # candidates too.
        enlarged = max(self.batch_size, BATCH_EXAMPLES)
        self._num_drawn = max(config.num_negatives * BATCH_EXAMPLES // enlarged, 1)
        popularity = reviews.movie_counts().astype(np.float64)
        chances = (popularity + 1.0) ** 0.75
        self._chances = chances / chances.sum()
        self._cumulative = np.cumsum(self._chances)
        self._popularity = popularity / max(popularity.sum(), 1.0)
        self._all = np.arange(reviews.num_movies, dtype=np.int32)

    @property
    def num_batches(self) -> int:
        """Returns the number of batches in the longest round of training."""
        return -(-self.num_examples // self.batch_size)

    def batches(self, number: int = 0) -> Iterator[RelevanceBatch]:
        """Draws the batches of a round of training; rounds are numbered from 0.

        Two things are random: the order of the training examples, and the position at which a reviewer's
        reviews are divided into history and targets. If the data has more than `ROUND_EXAMPLES` examples,
        successive rounds take different examples.
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
        # The logarithm of the probability that the movie is neither drawn nor a target of the batch.
        missing = self._num_drawn * np.log1p(-self._chances[candidates])
        missing += len(target_movies) * np.log1p(-np.minimum(self._popularity[candidates], 0.999))
        return candidates, np.log(-np.expm1(missing)).astype(np.float32)


class RatingSampler:
    """Draws the training batches of the rating head; a batch holds all reviews of several reviewers.

    A training batch of the rating head has about `batch_size` reviews. If a reviewer has more than `longest`
    reviews, a batch holds `longest` successive reviews of the reviewer, from a random position on.

    Args:
        reviews: the training reviews.
        residuals: each rating minus the mean rating of the movie, float32 [num_reviews].
        generator: the source of all random numbers.
        longest: the largest number of reviews of one reviewer in a batch.
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
        """Returns the number of batches in the first round; other rounds may have a batch more or fewer."""
        return len(self._split(np.random.default_rng(seed).permutation(self._rounds[0])))

    def batches(self, number: int = 0) -> Iterator[RatingBatch]:
        """Draws the batches of the round `number`, counted from 0; the order of the reviewers is random."""
        for reviewers in self._split(self._generator.permutation(self._rounds[number % len(self._rounds)])):
            yield self._batch(reviewers)

    def _split(self, order: Rows) -> list[Rows]:
        """Splits reviewers, in the given order, into batches of about `batch_size` reviews."""
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
    """Divides reviewer rows at random into groups for successive rounds of training.

    The number of groups is `size / round_size`, rounded up. Here `size` is the number of training examples
    (or reviews) in the data, and `round_size` is the largest number of training examples (or reviews) in one
    round.
    """
    num_rounds = max(-(-size // round_size), 1)
    if num_rounds == 1:
        return [rows]
    shuffled = generator.permutation(rows)
    return [shuffled[first::num_rounds] for first in range(num_rounds)]


def _batch_size(num_examples: int, wanted: int, most: int) -> int:
    """Chooses a batch size near `wanted` with which a round takes 16 to 256 training steps, if possible.

    The batch size is at least 16, and at most `most` times `wanted`.
    """
    return max(min(wanted, num_examples // 16), 16, min(num_examples // 256, most * wanted))
