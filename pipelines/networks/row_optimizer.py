"""Updates variables with Adam, so that a training step changes no table rows but the rows in the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

MOMENTUM = 0.9
"""The decay rate of the running mean of gradients."""
DECAY = 0.999
"""The decay rate of the running mean of squared gradients."""
EPSILON = 1e-7
"""The number that is added to the divisor of an update, so that the update is finite even if all gradients
are zero."""


class RowOptimizer(NamedTuple):
    """Applies Adam to an embedding table; a training step changes the rows in the batch and no other rows.

    The optimizers of Keras update the whole table in each training step; the time of a training step with
    `RowOptimizer` depends on the size of the batch alone. If a row occurs several times in a batch,
    `RowOptimizer` adds up the gradients of the row before squaring the sum; the optimizers of Keras square
    each gradient. Adam's bias correction of the running means (Kingma & Ba 2015, section 3) uses the number
    of updates of each row, so that rare rows learn as fast as frequent rows.
    """

    table: tf.Variable
    """The embedding table, [num_rows, dim]."""
    mean_square: tf.Variable
    """The running means of squared gradients: [num_rows, dim], or [num_rows, 1] without momentum."""
    touches: tf.Variable
    """The number of updates of each row, [num_rows, 1]."""
    mean: tf.Variable | None
    """The running means of gradients, [num_rows, dim]; None without momentum."""

    @classmethod
    def of(cls, values: Any, *, momentum: bool = False) -> RowOptimizer:
        """Makes an optimizer for an embedding table with the given values, [num_rows, dim].

        The running means of gradients and of squared gradients are zero at first.

        Without momentum, gradients are not averaged, and each row of the table has a single running mean of
        squared gradients, which saves memory. With momentum, each number of the table has two running means,
        as in Adam.
        """
        num_rows, dim = values.shape
        return cls(
            rows_of(values),
            rows_of(np.zeros((num_rows, dim if momentum else 1), np.float32)),
            rows_of(np.zeros((num_rows, 1), np.float32)),
            rows_of(np.zeros((num_rows, dim), np.float32)) if momentum else None,
        )

    @property
    def variables(self) -> list[tf.Variable]:
        """Returns the variables that a checkpoint must hold: the embedding table and the optimizer's state.

        The optimizer's state is the running means of squared gradients, the number of updates of each row,
        and, with momentum, the running means of gradients.
        """
        return [variable for variable in self if variable is not None]

    def apply(self, gradient: Any, learning_rate: Any) -> None:
        """Updates the embedding table with Adam, by the gradient of one batch.

        Args:
            gradient: the gradient that a `GradientTape` returns: a tensor of the table's shape, or the
                `IndexedSlices` of the rows in the batch.
            learning_rate: the factor by which the update is multiplied.
        """
        import tensorflow as tf

        if isinstance(gradient, tf.IndexedSlices):
            rows, places = tf.unique(tf.cast(gradient.indices, tf.int32))
            merged = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
        else:
            rows, merged = tf.range(tf.shape(self.table)[0]), gradient
        squared = merged**2 if self.mean is not None else tf.reduce_mean(merged**2, axis=1, keepdims=True)
        touches = tf.gather(self.touches, rows) + 1.0
        self.touches.scatter_update(tf.IndexedSlices(touches, rows))
        root = tf.sqrt(_running_mean(self.mean_square, rows, squared, DECAY, touches)) + EPSILON
        direction = merged
        if self.mean is not None:
            direction = _running_mean(self.mean, rows, merged, MOMENTUM, touches)
        self.table.scatter_sub(tf.IndexedSlices(learning_rate * direction / root, rows))


class DenseOptimizer(NamedTuple):
    """Applies Adam to all numbers of a variable in each training step, by the formula of Keras."""

    weights: tf.Variable
    mean: tf.Variable
    """The running means of the gradients of the variable."""
    mean_square: tf.Variable
    """The running means of the squared gradients of the variable."""
    steps: tf.Variable
    """The number of training steps so far."""

    @classmethod
    def of(cls, weights: tf.Variable) -> DenseOptimizer:
        """Makes an optimizer for a variable; the running means of the variable's gradients start at zero."""
        import tensorflow as tf

        mean, mean_square = (tf.Variable(tf.zeros_like(weights)) for _ in range(2))
        return cls(weights, mean, mean_square, tf.Variable(0.0))

    def apply(self, gradient: Any, learning_rate: Any) -> None:
        """Updates the variable `weights` with Adam, by the gradient of one batch."""
        import tensorflow as tf

        steps = self.steps.assign_add(1.0)
        factor = learning_rate * tf.sqrt(1 - tf.pow(DECAY, steps)) / (1 - tf.pow(MOMENTUM, steps))
        mean = self.mean.assign_add((gradient - self.mean) * (1 - MOMENTUM))
        mean_square = self.mean_square.assign_add((tf.square(gradient) - self.mean_square) * (1 - DECAY))
        self.weights.assign_sub(mean * factor / (tf.sqrt(mean_square) + EPSILON))


def rows_of(values: Any) -> tf.Variable:
    """Makes a variable that holds the given rows; later assignments may change the number of rows.

    TensorFlow does not know the number of rows when it compiles a training step, so that one compiled
    training step works for variables with any number of rows.
    """
    import tensorflow as tf

    return tf.Variable(values, shape=[None, *values.shape[1:]])


def _running_mean(kept: tf.Variable, rows: Any, values: Any, decay: float, touches: Any) -> Any:
    """Updates running means of (squared) gradients in `kept`; returns the new means, corrected for bias."""
    import tensorflow as tf

    means = decay * tf.gather(kept, rows) + (1 - decay) * values
    kept.scatter_update(tf.IndexedSlices(means, rows))
    return means / (1 - tf.pow(decay, touches))
