"""Updates embedding tables with Adam, but only the rows that occur in the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

DECAY = 0.999
"""Decay rate of the running mean of squared gradients."""
EPSILON = 1e-7
"""Number added to a divisor, so that a step is finite even if all gradients were zero."""


class RowOptimizer:
    """Applies Adam only to those rows of an embedding table that occur in the batch.

    Keras' own optimizers update whole tables in each step, and square the gradients of repeated rows one by
    one. `RowOptimizer` sums the gradients of a repeated row first, and the time of a step depends on the size
    of the batch, not of the table. The bias of the running means (Kingma & Ba 2015, section 3) is corrected
    by the number of updates of each row, so that rare rows learn as fast as frequent rows.

    `momentum` is the decay rate of the running mean of gradients, at least 0 and under 1. If `momentum` is 0,
    gradients are not averaged, and each row has a single running mean of squared gradients, which saves
    memory. Otherwise each number of the table has its own running means, like in Adam.
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
        """Returns the table, the running means and the numbers of updates, to save in checkpoints."""
        kept = (self.table, self.mean_square, self.mean, self.touches)
        return [variable for variable in kept if variable is not None]

    def apply(self, gradient: Any, learning_rate: Any) -> None:
        """Takes a step along a gradient from `GradientTape`, slices or a tensor of the table's shape."""
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
    """Updates the running means of some rows, and returns the updated means with bias correction."""
    import tensorflow as tf

    means = decay * tf.gather(kept, rows) + (1 - decay) * values
    kept.scatter_update(tf.IndexedSlices(means, rows))
    return means / (1 - tf.pow(decay, touches))
