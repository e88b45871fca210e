"""Trains the rating head in TensorFlow; this neural network predicts ratings from histories and movies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Floats
from engine.config.sections import RatingConfig
from engine.model.heads import RatingHead
from pipelines.dataset.movie_figures import movie_means
from pipelines.dataset.reviews import Reviews
from pipelines.networks.batches import RatingBatch
from pipelines.networks.row_optimizer import DenseOptimizer, RowOptimizer
from pipelines.work.parallel import read_ahead
from pipelines.work.tensorflow_start import bound_step, traced

if TYPE_CHECKING:
    import keras

INITIAL_SCALE = 0.05
"""The standard deviation of the rating head's vectors before the first training step."""
_STARS_RANGE = 4.0
"""The difference between the highest and the lowest rating of a scale from 1 to 5 stars; other rating scales
are converted to this difference, for which the default settings were tuned."""
_BIAS_PENALTY = 0.02
"""The weight of the mean squared biases of reviewers and movies in the loss of the rating head."""
_SCALE_PENALTY = 5.0
"""The factor of the scale penalty in the loss of the rating head, as a multiple of _BIAS_PENALTY. A scale is
a learned number of a reviewer or a movie: the higher the scale, the narrower the predicted distribution of
ratings. The scale penalty is the mean squared logarithm of the reviewers' scales plus the mean squared
logarithm of the movies' scales."""


class RatingNetwork:
    """Holds and trains the variables of the rating head: embedding tables and weights of a neural network.

    In training, each rating is predicted from the reviewer's other reviews. The rating levels, the movies'
    mean ratings and the initial thresholds come from the argument `reviews`. The argument `generator` draws
    the initial movie vectors and the seed of the neural network's weights.
    """

    def __init__(self, reviews: Reviews, config: RatingConfig, generator: np.random.Generator) -> None:
        import tensorflow as tf

        self._config = config
        self._levels = reviews.levels
        self.movie_means = movie_means(reviews)
        # Ratings are divided by `_star`, because ratings of 0 to 100 would be too large as initial logits and
        # as inputs of the network.
        self._star = np.float32((reviews.levels[-1] - reviews.levels[0]) / _STARS_RANGE)
        dim = config.dim

        def normal(*shape: int) -> Floats:
            return generator.standard_normal(shape, dtype=np.float32) * np.float32(INITIAL_SCALE)

        movies = normal(reviews.num_movies, dim + 2)
        movies[:, dim] = (self.movie_means - self.movie_means.mean()) / self._star
        movies[:, dim + 1] = 0.0
        history = normal(reviews.num_movies, 2 * dim)
        history[:, :dim] /= 3.0
        reviewers = np.zeros((reviews.num_reviewers, 2), dtype=np.float32)
        self._rows = [RowOptimizer.of(values) for values in (movies, history, reviewers)]
        self.movies, self.history, self.reviewers = (optimizer.table for optimizer in self._rows)
        self.thresholds = tf.Variable(_first_thresholds(reviews))
        self.dot_weights = tf.Variable(np.ones(dim, dtype=np.float32))
        self.mlp = _mlp(3 * dim, config.hidden_units, int(generator.integers(2**31)))
        mlp_weights = (weight.value for weight in self.mlp.trainable_weights)
        trained = (self.thresholds, self.dot_weights, *mlp_weights)
        self._dense = [DenseOptimizer.of(weights) for weights in trained]
        self._step: Callable[..., Any] | None = None

    @property
    def variables(self) -> list[Any]:
        """Returns all variables of the network and of its optimizers, in a fixed order, for checkpoints."""
        rows = [variable for optimizer in self._rows for variable in optimizer.variables]
        return [*rows, *(variable for optimizer in self._dense for variable in optimizer)]

    def batches(self, drawn: Iterator[RatingBatch]) -> Iterator[RatingBatch]:
        """Yields the batches of a round, which a thread draws a few batches ahead."""
        return read_ahead(drawn)

    def keep(self, head: RatingHead) -> RatingHead:
        """Returns the argument `head` itself, because the arrays of `head` are copies of the variables."""
        return head

    def train(self, batch: RatingBatch, learning_rate: float, seed: int) -> Any:
        """Takes one training step on a batch; returns the log loss of the batch before the training step."""
        if self._step is None:
            config = self._config
            step = _step(config.dim, config.hidden_units, config.l2, config.dropout, float(self._star))
            self._step = bound_step(step, (self._rows, self._dense), batch)
        return self._step(batch, learning_rate, seed)

    def head(self) -> RatingHead:
        """Returns the rating head with the current weights, copied from TensorFlow to NumPy."""
        layers = [layer for layer in self.mlp.layers if layer.weights]
        history = self.history.numpy().copy()
        history[:, self._config.dim :] /= self._star  # `RatingHead` does not divide residuals by `_star`.
        return RatingHead(
            levels=self._levels,
            movie_vectors=self.movies.numpy().copy(),
            history_vectors=history,
            reviewer_biases=self.reviewers.numpy().copy(),
            movie_means=self.movie_means,
            thresholds=np.sort(self.thresholds.numpy()),
            dot_weights=self.dot_weights.numpy().copy(),
            kernels=[layer.kernel.numpy().copy() for layer in layers],
            biases=[layer.bias.numpy().copy() for layer in layers],
        )

    def probabilities(self, vectors: Any, reviewers: Any, movies: Any) -> Any:
        """Computes the probability of each rating level by the formula of `RatingHead`.

        Returns the probabilities for pairs of reviewer and movie, [num_pairs, num_levels].

        Args:
            vectors: the vector of each pair's reviewer, computed from the history, [num_pairs, dim].
            reviewers: two numbers for the reviewer of each pair: the bias, and the logarithm of the
                reviewer's scale, [num_pairs, 2].
            movies: the vector, the bias, and the logarithm of the scale of the movie of each pair,
                [num_pairs, dim + 2]. The higher a scale, the narrower the predicted distribution of ratings.
        """
        return _probabilities(self.mlp, self.thresholds, self.dot_weights, vectors, reviewers, movies)


@lru_cache(maxsize=8)
def _step(dim: int, hidden_units: tuple[int, ...], l2: float, dropout: float, star: float) -> Any:
    """Makes the training step of the rating head; networks with equal settings share one training step."""
    import tensorflow as tf

    layers = _mlp(3 * dim, hidden_units, seed=0)

    def loss_of(tables: list[Any], weights: list[Any], batch: RatingBatch, seed: Any) -> tuple[Any, Any]:
        thresholds, dot_weights, *mlp_weights = weights
        num_reviewers = tf.shape(batch.reviewer_rows)[0]
        history = tf.gather(tables[1], batch.movie_rows)
        kept = batch.kept[:, None]
        residuals = batch.residuals[:, None] / star
        parts = (history[:, :dim] + residuals * history[:, dim:]) * kept
        sums = tf.math.unsorted_segment_sum(parts, batch.reviewer_places, num_reviewers)
        counts = tf.math.unsorted_segment_sum(kept, batch.reviewer_places, num_reviewers)
        others = tf.gather(sums, batch.reviewer_places) - parts
        num_others = tf.gather(counts, batch.reviewer_places) - kept
        vectors = others / tf.sqrt(num_others + 1.0)
        reviewers = tf.gather(tables[2], tf.gather(batch.reviewer_rows, batch.reviewer_places))
        movies = tf.gather(tables[0], batch.movie_rows)

        def mlp(inputs: Any) -> Any:
            if dropout:
                inputs = tf.nn.experimental.stateless_dropout(inputs, dropout, seed)
            return layers.stateless_call(mlp_weights, [], inputs)[0]

        probabilities = _probabilities(mlp, thresholds, dot_weights, vectors, reviewers, movies)
        chosen = tf.gather(probabilities, batch.level_rows, batch_dims=1)
        loss = -tf.reduce_mean(tf.math.log(chosen + 1e-7))
        squares = _mean_square(movies[:, :dim]) + _mean_square(history)
        biases = _mean_square(reviewers[:, :1]) + _mean_square(movies[:, dim : dim + 1])
        scales = _mean_square(reviewers[:, 1:]) + _mean_square(movies[:, dim + 1 :])
        return loss, l2 * squares + _BIAS_PENALTY * (biases + _SCALE_PENALTY * scales)

    def take_step(
        kept: tuple[list[RowOptimizer], list[DenseOptimizer]],
        batch: RatingBatch,
        learning_rate: Any,
        seed: Any,
    ) -> Any:
        optimizers: list[RowOptimizer | DenseOptimizer] = [*kept[0], *kept[1]]
        tables, weights = [rows.table for rows in kept[0]], [dense.weights for dense in kept[1]]
        with tf.GradientTape() as tape:
            loss, penalty = loss_of(tables, weights, batch, seed)
            total = loss + penalty
        for optimizer, gradient in zip(optimizers, tape.gradient(total, [*tables, *weights]), strict=True):
            optimizer.apply(gradient, learning_rate)
        return loss

    return traced(take_step)


def _probabilities(
    mlp: Callable[[Any], Any], thresholds: Any, dot_weights: Any, vectors: Any, reviewers: Any, movies: Any
) -> Any:
    import tensorflow as tf

    dim = vectors.shape[1]
    movie_vectors = movies[:, :dim]
    product = vectors * movie_vectors
    outputs = mlp(tf.concat([vectors, movie_vectors, product], axis=1))
    dot = tf.linalg.matvec(product, dot_weights)
    location = reviewers[:, 0] + movies[:, dim] + dot + outputs[:, 0]
    log_scale = tf.clip_by_value(reviewers[:, 1] + movies[:, dim + 1] + outputs[:, 1], -8.0, 8.0)
    distance = tf.sort(thresholds)[None, :] - location[:, None]
    cumulative = tf.sigmoid(tf.exp(log_scale)[:, None] * distance)
    ones = tf.ones_like(cumulative[:, :1])
    ends = tf.concat([tf.zeros_like(ones), cumulative, ones], axis=1)
    return ends[:, 1:] - ends[:, :-1]


def _mlp(num_inputs: int, hidden_units: tuple[int, ...], seed: int) -> keras.Sequential:
    import keras

    def initializer(position: int, scale: float) -> keras.initializers.Initializer:
        return keras.initializers.VarianceScaling(scale, seed=seed + position)

    hidden = [
        keras.layers.Dense(width, activation="relu", kernel_initializer=initializer(position, 1.0))
        for position, width in enumerate(hidden_units)
    ]
    last = keras.layers.Dense(2, kernel_initializer=initializer(len(hidden), 0.01))
    return keras.Sequential([keras.layers.Input((num_inputs,)), *hidden, last])


def _first_thresholds(reviews: Reviews) -> Floats:
    """Returns initial thresholds between rating levels, float32 [num_levels - 1].

    A threshold is the logit of the share of training ratings below the threshold.
    """
    counts = np.bincount(reviews.level_rows, minlength=len(reviews.levels)) + 0.5
    shares = np.cumsum(counts)[:-1] / counts.sum()
    return np.asarray(np.log(shares / (1 - shares)), dtype=np.float32)


def _mean_square(rows: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(tf.reduce_sum(rows**2, axis=1))
