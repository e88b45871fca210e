"""Updates embedding tables with Adam; a step changes only the rows that occur in the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

DECAY = 0.999
"""The decay rate of the running mean of squared gradients."""
EPSILON = 1e-7
"""The number that is added to a divisor, so that a step is finite even if all gradients are zero."""


class RowOptimizer:
    """Applies Adam to an embedding table; a step changes only the rows that occur in the batch.

    The optimizers of Keras update the whole table in each step; the time of a step of `RowOptimizer` depends
    only on the size of the batch. If a row occurs several times in a batch, `RowOptimizer` adds up the
    gradients of the row before squaring the sum; the optimizers of Keras square each gradient. Adam's bias
    correction of the running means (Kingma & Ba 2015, section 3) uses the number of updates of each row, so
    that rare rows learn as fast as frequent rows.

    If `momentum` is 0, gradients are not averaged, and only one running mean of squared gradients is kept for
    each row, which saves memory. If `momentum` is above 0, running means are kept for each number of the
    table, as in Adam.

    Args:
        table: the embedding table, [num_rows, dim].
        momentum: the decay rate of the running mean of gradients, at least 0 and below 1.
    """

    def __init__(self, table: tf.Variable, momentum: float = 0.0) -> None:
        import tensorflow as tf

        num_rows, dim = table.shape
        self._momentum = momentum
        self.table = table
        self.mean_square = tf.Variable(tf.zeros([num_rows, dim if momentum else 1]), trainable=False)
        self.mean = tf.Variable(tf.zeros([num_rows, dim]), trainable=False) if momentum else None
        self.touches = tf.Variable(tf.zeros([num_rows, 1]), trainable=False)

    @property
    def variables(self) -> list[tf.Variable]:
        """Returns the table, the running means and the numbers of updates, for checkpoints."""
        kept = (self.table, self.mean_square, self.mean, self.touches)
        return [variable for variable in kept if variable is not None]

    def apply(self, gradient: Any, learning_rate: Any) -> None:
        """Updates the embedding table with Adam, by the gradient of one batch.

        Args:
            gradient: the gradient that a `GradientTape` returns: a tensor of the table's shape, or the
                `IndexedSlices` of the rows in the batch.
            learning_rate: the factor of the step.
        """
        import tensorflow as tf

        if isinstance(gradient, tf.IndexedSlices):
            rows, places = tf.unique(tf.cast(gradient.indices, tf.int32))
            merged = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
        else:
            rows, merged = tf.range(self.table.shape[0]), gradient
        squared = merged**2 if self._momentum else tf.reduce_mean(merged**2, axis=1, keepdims=True)
        touches = tf.gather(self.touches, rows) + 1.0
        self.touches.scatter_update(tf.IndexedSlices(touches, rows))
        root = tf.sqrt(_running_mean(self.mean_square, rows, squared, DECAY, touches)) + EPSILON
        direction = merged
        if self.mean is not None:
            direction = _running_mean(self.mean, rows, merged, self._momentum, touches)
        self.table.scatter_sub(tf.IndexedSlices(learning_rate * direction / root, rows))


def _running_mean(kept: tf.Variable, rows: Any, values: Any, decay: float, touches: Any) -> Any:
    """Updates the running means of the given rows of a table; returns the new means, corrected for bias."""
    import tensorflow as tf

    means = decay * tf.gather(kept, rows) + (1 - decay) * values
    kept.scatter_update(tf.IndexedSlices(means, rows))
    return means / (1 - tf.pow(decay, touches))
