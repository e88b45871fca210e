"""Trains the relevance head in TensorFlow, by a softmax over the movies that a reviewer may review next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from pipelines.networks.batches import RelevanceBatch
from pipelines.networks.paged_rows import PagedRows
from pipelines.networks.row_optimizer import RowOptimizer
from pipelines.work.parallel import read_ahead
from pipelines.work.tensorflow_start import bound_step, traced

if TYPE_CHECKING:
    import tensorflow as tf

INITIAL_SCALE = 0.1
"""The standard deviation of the relevance head's vectors before the first training step."""
_REVIEWER_DROPOUT = 0.5
"""The probability with which the reviewer's embedding is left out of a training example, so that the
relevance head also learns to work for reviewers without an embedding."""
_MASKED = -1e4
"""The number that is added to a movie's logit to exclude the movie from the softmax."""


class RelevanceNetwork:
    """Holds and trains the embedding tables of the relevance head.

    The loss of a training example is the softmax cross entropy of the example's targets among the candidate
    movies. The movies of the example's history are left out of the softmax, because top lists leave out the
    movies of a history. If candidate movies are sampled, the logarithm of each candidate's sampling
    probability is subtracted from the candidate's logit ("logQ correction", Bengio & Senecal 2008).

    Args:
        popularity: the number of likes of each movie, from which the initial biases are computed, int
            [num_movies].
        num_reviewers: the number of reviewers, each of whom may have an embedding.
        num_levels: the number of rating levels; 0 if the reviews have no ratings.
        config: settings of the relevance head.
        generator: the random generator that draws the initial vectors.
        level_weights: float32 [max(num_levels, 1)], the weight of a review in a history for each rating
            level; None lets the training learn the weights.
        start: the relevance head of an earlier training on the same reviewers and movies, whose vectors and
            biases the training starts from. If `start` is None, the initial vectors are drawn at random, and
            the initial biases are computed from `popularity`.
        block_rows: the largest number of reviewers whose embeddings are in memory at a time, while a file
            holds the embeddings of all reviewers; None to keep the embeddings of all reviewers in memory.
        folder: the folder of the file of embeddings; None for the system's folder for temporary files.
    """

    def __init__(
        self,
        popularity: NDArray[np.integer],
        num_reviewers: int,
        num_levels: int,
        config: RelevanceConfig,
        generator: np.random.Generator,
        level_weights: Floats | None = None,
        start: RelevanceHead | None = None,
        block_rows: int | None = None,
        folder: Path | None = None,
    ) -> None:
        import tensorflow as tf

        self._config = config
        self._num_reviewers = num_reviewers
        num_movies, dim = len(popularity), config.embedding_dim

        def drawn(num_rows: int) -> Floats:
            return generator.standard_normal((num_rows, dim), dtype=np.float32) * np.float32(INITIAL_SCALE)

        first: Callable[[int], Floats] = drawn
        if start is None:
            share = (popularity + 0.5) / (popularity.sum() + 0.5 * num_movies)
            biases = np.log(share * num_movies).astype(np.float32)[:, None]
            trained = [drawn(num_movies), drawn(num_movies), biases]
        else:
            trained = [start.movie_vectors[:, :-1], start.history_vectors, start.movie_vectors[:, -1:]]
            first = _in_turn(start.reviewer_embeddings)
        first_levels = np.linspace(0.3, 1.0, max(num_levels, 1), dtype=np.float32)
        trained.append((first_levels if level_weights is None else level_weights)[:, None])
        self._optimizers = [RowOptimizer.of(values, momentum=True) for values in trained]
        self.movies, self.history, self.biases, self.levels = (each.table for each in self._optimizers)
        # One compiled training step serves trainings that learn the weights of levels, and others.
        self._level_rate = tf.Variable(1.0 if level_weights is None else 0.0)
        self._own: list[RowOptimizer] = []
        self._pages: PagedRows | None = None
        if config.reviewer_embeddings == "learned":
            rows = first(num_reviewers) if block_rows is None else np.zeros((0, dim), np.float32)
            self._own = [RowOptimizer.of(rows, momentum=True)]
            if block_rows is not None:
                self._pages = PagedRows(num_reviewers, block_rows, self._own[0], first, folder)
        self.reviewers = self._own[0].table if self._own else None
        self._step: Callable[..., Any] | None = None

    @property
    def variables(self) -> list[Any]:
        """Returns all variables of the tables and of the optimizers, in a fixed order, for checkpoints.

        If the reviewers' embeddings are in a file, the returned list holds a single `PagedRows` object in
        place of the variables of the embeddings and of their optimizer. A `PagedRows` object reads and
        replaces reviewers' embeddings, and the state of their optimizer, in a temporary file.
        """
        variables = [variable for optimizer in self._optimizers for variable in optimizer.variables]
        return [*variables, *self.own_variables]

    @property
    def own_variables(self) -> list[Any]:
        """Returns the variables of the reviewers' embeddings and of the embeddings' optimizer.

        If the embeddings are in a file, the returned list holds a single `PagedRows` object. The returned
        list is empty if reviewers have no embeddings.
        """
        if self._pages is not None:
            return [self._pages]
        return [variable for optimizer in self._own for variable in optimizer.variables]

    def tables(self) -> list[list[Floats]]:
        """Returns copies of the tables of movies and rating levels, with the state of each table's optimizer.

        The returned list has four inner lists, one for each table: movie vectors, history vectors, movie
        biases, and weights of rating levels. Each of the four inner lists holds four arrays: the table
        itself, the running means of squared gradients, the number of updates of each row, and the running
        means of gradients.
        """
        return [[values.numpy().copy() for values in optimizer.variables] for optimizer in self._optimizers]

    def assign_tables(self, tables: Sequence[Sequence[Floats]]) -> None:
        """Sets the tables of movies and rating levels, with the state of each table's optimizer, to `tables`.

        The argument `tables` has the form of the list that the method `tables` returns: one inner list for
        each table of vectors, biases or weights.
        """
        for optimizer, arrays in zip(self._optimizers, tables, strict=True):
            for variable, values in zip(optimizer.variables, arrays, strict=True):
                variable.assign(values)

    def batches(self, drawn: Iterator[RelevanceBatch]) -> Iterator[RelevanceBatch]:
        """Yields the batches of a round.

        If the reviewers' embeddings are in a file, the embeddings for a batch are loaded before the batch is
        yielded.
        """
        return read_ahead(drawn) if self._pages is None else self._pages.blocks(drawn)

    def train(self, batch: RelevanceBatch, learning_rate: float, seed: int) -> tf.Tensor:
        """Takes one training step on a batch; returns the loss of the batch before the training step."""
        if self._step is None:
            step = _step(self._config.l2, self._config.dropout, _REVIEWER_DROPOUT)
            self._step = bound_step(step, (self._optimizers, self._level_rate, self._own), batch)
        return self._step(batch, learning_rate, seed)

    def head(self) -> RelevanceHead:
        """Returns the relevance head with the current weights, copied from TensorFlow to NumPy."""
        return RelevanceHead(
            movie_vectors=np.concatenate([self.movies.numpy(), self.biases.numpy()], axis=1),
            history_vectors=self.history.numpy().copy(),
            reviewer_embeddings=self._embeddings(),
            level_weights=self.levels.numpy()[:, 0].copy(),
            recency_power=self._config.recency_power,
            max_history=self._config.max_history,
        )

    def keep(self, head: RelevanceHead) -> RelevanceHead:
        """Returns a head equal to `head` whose arrays do not change when training goes on.

        If the reviewers' embeddings are in a file, the embeddings are copied to a second file. If the
        reviewers' embeddings are in memory, `head` itself is returned, because the arrays of `head` are
        copies already.
        """
        if self._pages is None:
            return head
        return replace(head, reviewer_embeddings=self._pages.keep(head.reviewer_embeddings))

    def _embeddings(self) -> Floats:
        """Returns the embeddings of all reviewers, in memory or mapped from the file that holds them."""
        if self._pages is not None:
            return self._pages.embeddings
        if self.reviewers is None:
            return np.zeros((self._num_reviewers, 0), dtype=np.float32)
        embeddings: Floats = self.reviewers.numpy().copy()
        return embeddings


def _in_turn(rows: Floats) -> Callable[[int], Floats]:
    """Returns a function that hands out the rows of an array, from the first row on, some at each call."""
    ends = [0]

    def following(num_rows: int) -> Floats:
        ends.append(ends[-1] + num_rows)
        return rows[ends[-2] : ends[-1]]

    return following


@lru_cache(maxsize=8)
def _step(l2: float, dropout: float, reviewer_dropout: float) -> Any:
    """Makes the training step of the relevance head; networks with equal settings share one training step."""
    import tensorflow as tf

    def take_step(
        kept: tuple[list[RowOptimizer], Any, list[RowOptimizer]],
        batch: RelevanceBatch,
        learning_rate: Any,
        seed: Any,
    ) -> Any:
        shared, level_rate, own = kept
        optimizers = [*shared, *own]
        tables = [optimizer.table for optimizer in optimizers]
        with tf.GradientTape() as tape:
            loss, squares = _loss(tables, batch, seed, dropout, reviewer_dropout)
            total = loss + l2 * squares
        for optimizer, gradient in zip(optimizers, tape.gradient(total, tables), strict=True):
            factor = level_rate if optimizer is shared[-1] else 1.0
            optimizer.apply(gradient, learning_rate * factor)
        return loss

    return traced(take_step)


def _loss(
    tables: list[Any], batch: RelevanceBatch, seed: Any, dropout: float, reviewer_dropout: float
) -> tuple[Any, Any]:
    """Computes two numbers for a batch: the loss, and the sum of squares for the L2 penalty.

    The sum of squares adds up the squared numbers in the vectors of the candidate movies, and a 64th of the
    squared numbers in the embeddings of the examples' reviewers.

    The argument `tables` is a list of variables in this order: movie vectors, history vectors, movie biases,
    weights of rating levels. If reviewers have embeddings, the fifth variable holds the embeddings.
    """
    import tensorflow as tf

    movies, history, biases, levels, *own_table = tables
    num_examples = tf.shape(batch.reviewer_rows)[0]
    weights = batch.history_weights[:, None]
    said = tf.gather(history, batch.history_movies) * tf.gather(levels, batch.history_levels) * weights
    pooled = tf.math.unsorted_segment_sum(said, batch.history_examples, num_examples)
    mass = tf.math.unsorted_segment_sum(weights, batch.history_examples, num_examples)
    vectors = pooled / tf.sqrt(mass + 1.0)
    own_squares = 0.0
    for reviewers in own_table:
        own = tf.gather(reviewers, batch.reviewer_rows)
        known = tf.random.stateless_uniform([num_examples, 1], seed) >= reviewer_dropout
        vectors += own * tf.cast(known, tf.float32)
        own_squares = tf.reduce_sum(own**2) / 64.0
    if dropout:
        vectors = tf.nn.experimental.stateless_dropout(vectors, dropout, seed + 1)
    candidates = tf.gather(movies, batch.candidates)
    shifts = tf.gather(biases, batch.candidates)[:, 0] - batch.log_chances
    logits = tf.matmul(vectors, candidates, transpose_b=True) + shifts
    logits = _without_history(logits, batch)
    places = tf.searchsorted(batch.candidates, batch.target_movies)
    targets = tf.stack([batch.target_examples, places], axis=1)
    loss = _cross_entropy(logits, targets, batch.target_weights / tf.reduce_sum(batch.target_weights))
    # The history vectors have no L2 penalty, because dropout already regularises the vectors of histories.
    return loss, tf.reduce_sum(candidates**2) + own_squares


def _cross_entropy(logits: Any, targets: Any, weights: Any) -> Any:
    """Computes the weighted sum of the softmax cross entropies of targets, and its gradient, in few passes.

    The gradient that TensorFlow would derive from `tf.nn.log_softmax` and `tf.gather_nd` reads and writes
    matrices of the size of `logits` more often, which makes a training step about 8% slower.

    Args:
        logits: float32 [num_examples, num_candidates].
        targets: the position in `logits` of each target, int [num_targets, 2].
        weights: the weight of each target in the sum, float32 [num_targets].
    """
    import tensorflow as tf

    def computed(logits: Any) -> Any:
        highest = tf.reduce_max(logits, axis=1, keepdims=True)
        exponentials = tf.exp(logits - highest)
        sums = tf.reduce_sum(exponentials, axis=1)
        totals = tf.gather(tf.math.log(sums) + highest[:, 0], targets[:, 0])
        loss = tf.reduce_sum(weights * (totals - tf.gather_nd(logits, targets)))

        def gradient(upstream: Any) -> Any:
            by_example = tf.math.unsorted_segment_sum(weights, targets[:, 0], tf.shape(logits)[0])
            chances = exponentials * (upstream * by_example / sums)[:, None]
            return tf.tensor_scatter_nd_sub(chances, targets, upstream * weights)

        return loss, gradient

    return tf.custom_gradient(computed)(logits)


def _without_history(logits: Any, batch: RelevanceBatch) -> Any:
    """Lowers the logits of the movies in each example's history, which excludes them from the softmax."""
    import tensorflow as tf

    places = tf.searchsorted(batch.candidates, batch.history_movies)
    places = tf.minimum(places, tf.size(batch.candidates) - 1)
    present = tf.equal(tf.gather(batch.candidates, places), batch.history_movies)
    where = tf.boolean_mask(tf.stack([batch.history_examples, places], axis=1), present)
    return tf.tensor_scatter_nd_add(logits, where, tf.fill([tf.shape(where)[0]], _MASKED))
