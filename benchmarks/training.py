"""Measures the training steps of the relevance head beside Keras: `model.fit`, with Adam over whole tables.

    python benchmarks/training.py [--reviewers 100000] [--full] [--steps 20] [--json FILE]

Both get reviewers with two reviews each, batches of the same size with as many negatives, and tables with the
same numbers of rows. The rate is the number of reviews a second, warm.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from measuring import parser_for, write_figures

from engine.config.sections import RelevanceConfig
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.networks.batches import BATCH_EXAMPLES, RelevanceSampler
from pipelines.networks.relevance import RelevanceNetwork
from pipelines.work.tensorflow_start import start_tensorflow

FULL_REVIEWERS, FULL_MOVIES = 3_800_000, 182_000
EACH, WARM_UP = 2, 3


def main() -> None:
    """Times the steps of both, and prints the rates and their ratio."""
    parser = parser_for(__doc__)
    parser.add_argument("--reviewers", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help=f"{FULL_REVIEWERS:,} reviewers")
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    num_reviewers = FULL_REVIEWERS if asked.full else asked.reviewers
    reviews = _some_reviews(num_reviewers, FULL_MOVIES if asked.full else max(num_reviewers // 20, 10_000))
    start_tensorflow()
    config = RelevanceConfig()
    sampler = RelevanceSampler(reviews, reviews.likes(4.0), config, np.random.default_rng(0))
    ours = _steps_of_ours(reviews, sampler, config, asked.steps)
    keras = _steps_of_keras(reviews, sampler.batch_size, config, max(asked.steps // 4, 3))
    rates = {
        name: sampler.batch_size * EACH / statistics.median(seconds)
        for name, seconds in (("ours", ours), ("keras", keras))
    }
    write_figures(
        {
            "reviewers": num_reviewers,
            "batch_size": sampler.batch_size,
            "reviews_per_second": rates,
            "ratio": rates["ours"] / rates["keras"],
        },
        asked.json,
    )


def _some_reviews(num_reviewers: int, num_movies: int) -> Reviews:
    generator = np.random.default_rng(0)
    movies = np.minimum(generator.zipf(1.3, num_reviewers * EACH) - 1, num_movies - 1)
    return make_reviews(
        np.repeat(np.arange(num_reviewers), EACH),
        movies,
        generator.integers(1, 6, len(movies)).astype(float),
        np.arange(len(movies)),
        num_reviewers=num_reviewers,
        num_movies=num_movies,
    )


def _steps_of_ours(
    reviews: Reviews, sampler: RelevanceSampler, config: RelevanceConfig, steps: int
) -> list[float]:
    popularity = np.bincount(reviews.movie_rows, minlength=reviews.num_movies)
    generator = np.random.default_rng(0)
    network = RelevanceNetwork(popularity, reviews.num_reviewers, len(reviews.levels), config, generator)
    times = [time.perf_counter()]
    for number, batch in enumerate(_forever(sampler)):
        float(network.train(batch, config.learning_rate, number))
        times.append(time.perf_counter())
        if number == steps + WARM_UP:
            return np.diff(times)[WARM_UP:].tolist()
    return []


def _forever(sampler: RelevanceSampler) -> Iterator[Any]:
    number = 0
    while True:
        yield from sampler.batches(number)
        number += 1


def _steps_of_keras(reviews: Reviews, batch_size: int, config: RelevanceConfig, steps: int) -> list[float]:
    """Times Keras: reviewer and movie tables, inner products with the target and with drawn movies."""
    import keras

    num_drawn = config.num_negatives * BATCH_EXAMPLES // batch_size + 1
    reviewer = keras.Input((1,), dtype="int32")
    history = keras.Input((1,), dtype="int32")
    candidates = keras.Input((num_drawn,), dtype="int32")
    vector = keras.layers.Embedding(reviews.num_reviewers, config.embedding_dim)(reviewer)
    vector = vector + keras.layers.Embedding(reviews.num_movies, config.embedding_dim)(history)
    movies = keras.layers.Embedding(reviews.num_movies, config.embedding_dim)
    # One row of candidates stands for the batch, as in the engine, where a batch shares its candidates.
    shared = keras.ops.squeeze(movies(keras.ops.take(candidates, np.zeros(1, np.int32), axis=0)), 0)
    queries = keras.ops.squeeze(vector, 1)
    scores = keras.ops.matmul(queries, keras.ops.transpose(shared))
    target = keras.ops.sum(queries * keras.ops.squeeze(movies(history), 1), axis=1, keepdims=True)
    model = keras.Model([reviewer, history, candidates], keras.ops.concatenate([target, scores], axis=1))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(), loss=loss)
    generator = np.random.default_rng(0)
    times = [time.perf_counter()]

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            times.append(time.perf_counter())

    rows = (steps + WARM_UP) * batch_size
    inputs = [
        generator.integers(0, reviews.num_reviewers, (rows, 1), dtype=np.int32),
        generator.integers(0, reviews.num_movies, (rows, 1), dtype=np.int32),
        np.tile(generator.integers(0, reviews.num_movies, (1, num_drawn), dtype=np.int32), (rows, 1)),
    ]
    model.fit(inputs, np.zeros(rows, np.int32), batch_size=batch_size, verbose=0, callbacks=[Clock()])
    return np.diff(times)[WARM_UP:].tolist()


if __name__ == "__main__":
    main()
