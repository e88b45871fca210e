from typing import Any

import numpy as np
import pytest

from pipelines.optimizer import DECAY, EPSILON, RowOptimizer

pytestmark = pytest.mark.slow


class Oracle:
    """The same updates, row by row in NumPy."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table.astype(np.float64)
        self.mean_square = np.zeros(len(table))
        self.touches = np.zeros(len(table))

    def apply(self, rows: np.ndarray, gradients: np.ndarray, learning_rate: float) -> None:
        for row in set(rows.tolist()):
            gradient = gradients[rows == row].astype(np.float64).sum(axis=0)
            self.touches[row] += 1
            self.mean_square[row] = DECAY * self.mean_square[row] + (1 - DECAY) * (gradient**2).mean()
            unbiased = self.mean_square[row] / (1 - DECAY ** self.touches[row])
            self.table[row] -= learning_rate * gradient / (np.sqrt(unbiased) + EPSILON)


def slices(gradients: np.ndarray, rows: np.ndarray) -> Any:
    import tensorflow as tf

    return tf.IndexedSlices(tf.constant(gradients), tf.constant(rows))


def normal(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return generator.standard_normal(shape).astype(np.float32)


def optimizer_of(values: np.ndarray) -> RowOptimizer:
    import tensorflow as tf

    return RowOptimizer(tf.Variable(values))


@pytest.mark.parametrize("seed", range(3))
def test_steps_are_those_of_numpy_with_repeated_rows_merged(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = normal(generator, 30, 4)
    optimizer, oracle = optimizer_of(values), Oracle(values)
    for _ in range(20):
        rows = generator.integers(0, 12, 25)
        gradients = normal(generator, 25, 4)
        optimizer.apply(slices(gradients, rows), 0.1)
        oracle.apply(rows, gradients, 0.1)
    np.testing.assert_allclose(optimizer.table.numpy(), oracle.table, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(optimizer.touches.numpy(), oracle.touches)


def test_only_the_rows_of_the_batch_are_touched() -> None:
    generator = np.random.default_rng(0)
    values = normal(generator, 100, 8)
    optimizer = optimizer_of(values)
    rows = np.array([3, 97, 3, 50])
    for _ in range(5):
        optimizer.apply(slices(normal(generator, 4, 8), rows), 0.1)
    touched = np.zeros(100, dtype=bool)
    touched[rows] = True
    np.testing.assert_array_equal(optimizer.table.numpy()[~touched], values[~touched])
    assert (optimizer.table.numpy()[touched] != values[touched]).all()
    assert not optimizer.mean_square.numpy()[~touched].any()


def test_a_whole_gradient_is_one_of_every_row() -> None:
    import tensorflow as tf

    generator = np.random.default_rng(1)
    values = normal(generator, 6, 3)
    whole, sparse = optimizer_of(values), optimizer_of(values)
    for _ in range(4):
        gradient = normal(generator, 6, 3)
        whole.apply(tf.constant(gradient), 0.1)
        sparse.apply(slices(gradient, np.arange(6)), 0.1)
    np.testing.assert_allclose(whole.table.numpy(), sparse.table.numpy(), atol=1e-6)


def test_the_first_step_of_a_rare_row_is_as_long_as_that_of_a_frequent_one() -> None:
    optimizer = optimizer_of(np.zeros((2, 4), np.float32))
    for _ in range(50):
        optimizer.apply(slices(np.ones((1, 4), np.float32), np.array([0])), 0.01)
    before = optimizer.table.numpy().copy()
    optimizer.apply(slices(np.ones((2, 4), np.float32), np.array([0, 1])), 0.01)
    np.testing.assert_allclose(before - optimizer.table.numpy(), 0.01, rtol=1e-3)


def test_a_gradient_of_zero_moves_nothing() -> None:
    optimizer = optimizer_of(np.ones((3, 2), np.float32))
    optimizer.apply(slices(np.zeros((2, 2), np.float32), np.array([0, 2])), 0.1)
    np.testing.assert_array_equal(optimizer.table.numpy(), 1.0)


def test_a_small_regression_is_learned_as_by_dense_adam() -> None:
    import keras
    import tensorflow as tf

    generator = np.random.default_rng(2)
    num_rows, dim, num_steps = 40, 4, 600
    # Some rows come a hundred times as often as others.
    chances = np.geomspace(1.0, 100.0, num_rows)
    rows = generator.choice(num_rows, (num_steps, 64), p=chances / chances.sum())
    inputs = normal(generator, num_steps, 64, dim)
    truth = normal(generator, num_rows, dim)
    answers = (inputs * truth[rows]).sum(axis=2)

    def error_after(learn: Any, table: Any) -> float:
        @tf.function
        def step(chosen: Any, given: Any, wanted: Any, rate: Any) -> None:
            with tf.GradientTape() as tape:
                found = tf.reduce_sum(given * tf.gather(table, chosen), axis=1)
                loss = tf.reduce_mean((found - wanted) ** 2)
            learn(tape.gradient(loss, table), rate)

        for number in range(num_steps):
            rate = tf.constant(0.1 * (1 - number / num_steps), tf.float32)
            step(*map(tf.constant, (rows[number], inputs[number], answers[number])), rate)
        return float(np.mean((table.numpy() - truth) ** 2))

    by_rows, dense = (tf.Variable(np.zeros((num_rows, dim), np.float32)) for _ in range(2))
    optimizer, adam = RowOptimizer(by_rows), keras.optimizers.Adam(0.1)
    adam.build([dense])

    def learn_densely(gradient: Any, rate: Any) -> None:
        adam.learning_rate.assign(rate)
        adam.apply([tf.convert_to_tensor(gradient)], [dense])

    error = error_after(optimizer.apply, by_rows)
    assert error < 0.02
    assert error < error_after(learn_densely, dense) + 0.02
