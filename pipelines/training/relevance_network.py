"""Trains the relevance head in TensorFlow, by a softmax over movies that a reviewer may review next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats
from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from pipelines.training.batches import RelevanceBatch
from pipelines.training.row_optimizer import RowOptimizer
from pipelines.work.tensorflow_start import traced_step

if TYPE_CHECKING:
    import tensorflow as tf

INITIAL_SCALE = 0.1
"""The standard deviation of the vectors before the first training step."""
_REVIEWER_DROPOUT = 0.5
"""The probability with which the reviewer's own embedding is left out of a training example."""
_MASKED = -1e4
"""The number that is added to a movie's logit to exclude the movie from the softmax."""
_MOMENTUM = 0.9
"""The decay rate of the running mean of gradients in the optimizer."""


class RelevanceNetwork:
    """Holds and trains the embedding tables of the relevance head.

    The loss of an example is the softmax cross entropy of the example's targets among the candidate movies.
    The movies of the example's history are left out of the softmax, because top lists leave out the movies of
    a history. If candidates are sampled, the logarithm of each candidate's sampling probability is subtracted
    from the candidate's logit ("logQ correction", Bengio & Senecal 2008).

    Args:
        popularity: int [num_movies], the number of likes of each movie, which sets the initial biases.
        num_reviewers: number of rows of the reviewer table.
        num_levels: number of rating levels; 0 if the data has no ratings.
        config: settings of the relevance head.
        generator: draws the initial vectors.
        level_weights: float32 [max(num_levels, 1)], the weight of a review in a history by its rating level;
            if None, the weights are learned.
    """

    def __init__(
        self,
        popularity: NDArray[np.integer],
        num_reviewers: int,
        num_levels: int,
        config: RelevanceConfig,
        generator: np.random.Generator,
        level_weights: Floats | None = None,
    ) -> None:
        import tensorflow as tf

        self._config = config
        num_movies, dim = len(popularity), config.embedding_dim

        def table(num_rows: int) -> tf.Variable:
            values = generator.standard_normal((num_rows, dim), dtype=np.float32)
            return tf.Variable(values * np.float32(INITIAL_SCALE))

        share = (popularity + 0.5) / (popularity.sum() + 0.5 * num_movies)
        self.movies = table(num_movies)
        self.history = table(num_movies)
        self.reviewers = table(num_reviewers)
        self.biases = tf.Variable(np.log(share * num_movies).astype(np.float32)[:, None])
        first_levels = np.linspace(0.3, 1.0, max(num_levels, 1), dtype=np.float32)
        self.levels = tf.Variable((first_levels if level_weights is None else level_weights)[:, None])
        tables = [self.movies, self.history, self.reviewers, self.biases]
        if level_weights is None:
            tables.append(self.levels)
        self._optimizers = [RowOptimizer(table, _MOMENTUM) for table in tables]
        self._step: Callable[..., Any] | None = None

    @property
    def variables(self) -> list[tf.Variable]:
        """Returns all variables of the tables and of the optimizers, in a fixed order, for checkpoints."""
        return [variable for optimizer in self._optimizers for variable in optimizer.variables]

    def train(self, batch: RelevanceBatch, learning_rate: float, seed: int) -> tf.Tensor:
        """Takes one training step on a batch; returns the loss of the batch before the step."""
        import tensorflow as tf

        if self._step is None:
            self._step = traced_step(self._take_step, batch)
        tensors = RelevanceBatch(*map(tf.constant, batch))
        return self._step(tensors, tf.constant(learning_rate), tf.constant([seed, 0]))

    def head(self) -> RelevanceHead:
        """Returns the relevance head with the current weights, copied from TensorFlow to NumPy."""
        return RelevanceHead(
            movie_vectors=np.concatenate([self.movies.numpy(), self.biases.numpy()], axis=1),
            history_vectors=self.history.numpy().copy(),
            reviewer_embeddings=self.reviewers.numpy().copy(),
            level_weights=self.levels.numpy()[:, 0].copy(),
            recency_power=self._config.recency_power,
            max_history=self._config.max_history,
        )

    def _take_step(self, batch: RelevanceBatch, learning_rate: Any, seed: Any) -> Any:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss, squares = self._loss(batch, seed)
            total = loss + self._config.l2 * squares
        gradients = tape.gradient(total, [optimizer.table for optimizer in self._optimizers])
        for optimizer, gradient in zip(self._optimizers, gradients, strict=True):
            optimizer.apply(gradient, learning_rate)
        return loss

    def _loss(self, batch: RelevanceBatch, seed: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        config = self._config
        num_examples = tf.shape(batch.reviewer_rows)[0]
        history = tf.gather(self.history, batch.history_movies)
        weights = batch.history_weights[:, None]
        levels = tf.gather(self.levels, batch.history_levels)
        said = history * levels * weights
        pooled = tf.math.unsorted_segment_sum(said, batch.history_examples, num_examples)
        mass = tf.math.unsorted_segment_sum(weights, batch.history_examples, num_examples)
        own = tf.gather(self.reviewers, batch.reviewer_rows)
        known = tf.random.stateless_uniform([num_examples, 1], seed) >= _REVIEWER_DROPOUT
        vectors = pooled / tf.sqrt(mass + 1.0) + own * tf.cast(known, tf.float32)
        if config.dropout:
            vectors = tf.nn.experimental.stateless_dropout(vectors, config.dropout, seed + 1)
        candidates = tf.gather(self.movies, batch.candidates)
        biases = tf.gather(self.biases, batch.candidates)[:, 0] - batch.log_chances
        logits = tf.matmul(vectors, candidates, transpose_b=True) + biases
        logits = self._without_history(logits, batch)
        places = tf.searchsorted(batch.candidates, batch.target_movies)
        chances = tf.nn.log_softmax(logits)
        losses = -tf.gather_nd(chances, tf.stack([batch.target_examples, places], axis=1))
        loss = tf.reduce_sum(losses * batch.target_weights) / tf.reduce_sum(batch.target_weights)
        # The history vectors have no L2 penalty, since dropout already regularises the pooled histories.
        squares = tf.reduce_sum(candidates**2) + tf.reduce_sum(own**2) / 64.0
        return loss, squares

    @staticmethod
    def _without_history(logits: Any, batch: RelevanceBatch) -> Any:
        """Excludes the movies of each example's history from the softmax, by lowering their logits."""
        import tensorflow as tf

        places = tf.searchsorted(batch.candidates, batch.history_movies)
        places = tf.minimum(places, tf.size(batch.candidates) - 1)
        present = tf.equal(tf.gather(batch.candidates, places), batch.history_movies)
        where = tf.boolean_mask(tf.stack([batch.history_examples, places], axis=1), present)
        return tf.tensor_scatter_nd_add(logits, where, tf.fill([tf.shape(where)[0]], _MASKED))
