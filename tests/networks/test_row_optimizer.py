from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine.config.sections import RelevanceConfig
from pipelines.dataset.reviews import make_reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.networks.row_optimizer import DECAY, EPSILON, DenseOptimizer, RowOptimizer, rows_of
from pipelines.training.loops import train_relevance
from pipelines.training.validation import ndcg_of

pytestmark = pytest.mark.slow


class Oracle:
    """The same updates, row by row in NumPy."""

    def __init__(self, table: np.ndarray, momentum: float) -> None:
        self.table = table.astype(np.float64)
        self.momentum = momentum
        self.mean_square = np.zeros((len(table), table.shape[1] if momentum else 1))
        self.mean = np.zeros(table.shape)
        self.touches = np.zeros(len(table))

    def apply(self, rows: np.ndarray, gradients: np.ndarray, learning_rate: float) -> None:
        for row in set(rows.tolist()):
            gradient = gradients[rows == row].astype(np.float64).sum(axis=0)
            square = gradient**2 if self.momentum else (gradient**2).mean()
            self.touches[row] += 1
            self.mean_square[row] = DECAY * self.mean_square[row] + (1 - DECAY) * square
            self.mean[row] = self.momentum * self.mean[row] + (1 - self.momentum) * gradient
            unbiased = self.mean_square[row] / (1 - DECAY ** self.touches[row])
            direction = self.mean[row] / (1 - self.momentum ** self.touches[row])
            self.table[row] -= learning_rate * direction / (np.sqrt(unbiased) + EPSILON)


def slices(gradients: np.ndarray, rows: np.ndarray) -> Any:
    import tensorflow as tf

    return tf.IndexedSlices(tf.constant(gradients), tf.constant(rows))


def normal(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return generator.standard_normal(shape).astype(np.float32)


def optimizer_of(values: np.ndarray, momentum: float = 0.0) -> RowOptimizer:
    return RowOptimizer.of(values, momentum=momentum > 0)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_are_those_of_numpy_with_repeated_rows_merged(momentum: float) -> None:
    generator = np.random.default_rng(0)
    values = normal(generator, 30, 4)
    optimizer, oracle = optimizer_of(values, momentum), Oracle(values, momentum)
    for _ in range(20):
        rows = generator.integers(0, 12, 25)
        gradients = normal(generator, 25, 4)
        optimizer.apply(slices(gradients, rows), 0.1)
        oracle.apply(rows, gradients, 0.1)
    np.testing.assert_allclose(optimizer.table.numpy(), oracle.table, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(optimizer.touches.numpy()[:, 0], oracle.touches)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_only_the_rows_of_the_batch_are_touched(momentum: float) -> None:
    generator = np.random.default_rng(0)
    values = normal(generator, 100, 8)
    optimizer = optimizer_of(values, momentum)
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


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_small_regression_is_learned_as_by_dense_adam(momentum: float) -> None:
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

    optimizer, adam = (
        optimizer_of(np.zeros((num_rows, dim), np.float32), momentum),
        keras.optimizers.Adam(0.1),
    )
    dense = tf.Variable(np.zeros((num_rows, dim), np.float32))
    adam.build([dense])

    def learn_densely(gradient: Any, rate: Any) -> None:
        adam.learning_rate.assign(rate)
        adam.apply([tf.convert_to_tensor(gradient)], [dense])

    error = error_after(optimizer.apply, optimizer.table)
    assert error < 0.02
    assert error < error_after(learn_densely, dense) + 0.02


def test_top_lists_are_learned_as_by_dense_adam(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relevance head on MovieLens, by held-out NDCG: the mean of two seeds, for one scatters by 0.005."""
    columns = np.loadtxt(real_data / "movielens-100k" / "u.data", dtype=np.int64).T
    reviews = make_reviews(
        columns[0] - 1, columns[1] - 1, columns[2] * 1.0, columns[3], num_reviewers=943, num_movies=1682
    )
    train, held_out = hold_out_last(reviews, 0.2)
    validate = ndcg_of(train, held_out.select(held_out.likes(4.0)), 0)

    def figure() -> float:
        trained = [
            train_relevance(train, train.likes(4.0), RelevanceConfig(max_rounds=12), seed, validate=validate)
            for seed in (1, 2)
        ]
        return float(np.mean([np.sort(each.figures)[-3:].mean() for each in trained]))

    by_rows = figure()
    monkeypatch.setattr("pipelines.networks.relevance.RowOptimizer", DenseAdam)
    assert by_rows > figure() - 0.004


class DenseAdam(NamedTuple):
    """Adam that moves every row in each step, in place of a `RowOptimizer`."""

    table: Any
    adam: DenseOptimizer

    @classmethod
    def of(cls, values: np.ndarray, *, momentum: bool) -> "DenseAdam":
        assert momentum
        table = rows_of(values)
        return cls(table, DenseOptimizer.of(table))

    @property
    def variables(self) -> list[Any]:
        return list(self.adam)

    def apply(self, gradient: Any, learning_rate: Any) -> None:
        import tensorflow as tf

        self.adam.apply(tf.convert_to_tensor(gradient), learning_rate)


def test_dense_steps_are_those_of_keras() -> None:
    import keras
    import tensorflow as tf

    generator = np.random.default_rng(4)
    values = normal(generator, 5, 3)
    ours, theirs, adam = DenseOptimizer.of(tf.Variable(values)), tf.Variable(values), keras.optimizers.Adam()
    adam.build([theirs])
    for number in range(30):
        gradient, rate = normal(generator, 5, 3), 0.1 / (1 + number)
        ours.apply(tf.constant(gradient), tf.constant(rate, tf.float32))
        adam.learning_rate = rate
        adam.apply([tf.constant(gradient)], [theirs])
        np.testing.assert_array_equal(ours.weights.numpy(), theirs.numpy())
