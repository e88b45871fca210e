"""Updates of embedding tables that touch the rows of the batch and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

DECAY = 0.999
"""Of the running mean of squared gradients."""
EPSILON = 1e-7
"""Keeps a step finite where all gradients were zero."""


class RowOptimizer:
    """Adam without momentum, one running mean of squared gradients a row, kept for rows as they are touched.

    Keras' own optimizers update whole tables in each step and square repeated ids' gradients one by one. Here
    repeated ids are merged first, and a step costs what its batch costs, whatever the table's size. The bias
    of the running mean (Kingma & Ba 2015, section 3) is corrected by each row's own count of touches, so that
    rare rows learn as fast as frequent ones.

    Args:
        table: the variable, float32 [num_rows, dim].
    """

    def __init__(self, table: tf.Variable) -> None:
        import tensorflow as tf

        self.table = table
        self.mean_square = tf.Variable(tf.zeros(table.shape[0]), trainable=False)
        self.touches = tf.Variable(tf.zeros(table.shape[0]), trainable=False)

    @property
    def variables(self) -> tuple[tf.Variable, tf.Variable, tf.Variable]:
        """The table and what is kept of its rows: all that the next step depends on."""
        return self.table, self.mean_square, self.touches

    def apply(self, gradient: Any, learning_rate: Any) -> None:
        """Takes one step.

        Args:
            gradient: what `GradientTape.gradient` gives for the table: slices, or a tensor of its shape.
            learning_rate: a scalar.
        """
        import tensorflow as tf

        if isinstance(gradient, tf.IndexedSlices):
            rows, places = tf.unique(tf.cast(gradient.indices, tf.int32))
            merged = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
        else:
            rows, merged = tf.range(self.table.shape[0]), gradient
        touches = tf.gather(self.touches, rows) + 1.0
        squares = DECAY * tf.gather(self.mean_square, rows) + (1 - DECAY) * tf.reduce_mean(merged**2, axis=1)
        self.touches.scatter_update(tf.IndexedSlices(touches, rows))
        self.mean_square.scatter_update(tf.IndexedSlices(squares, rows))
        root = tf.sqrt(squares / (1 - tf.pow(DECAY, touches))) + EPSILON
        self.table.scatter_sub(tf.IndexedSlices(learning_rate * merged / root[:, None], rows))
