"""Times what the first version of this engine did for a question: Keras `predict` over all movies.

    python benchmarks/exhaustive_keras.py MOVIES REVIEWERS [--repeats 3]

The network is that of the first version, untrained, in memory and warm. Prints the seconds of a question as
JSON, with the batches of 32 that are Keras's default, and with the whole catalogue as one batch.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
from measuring import parser_for, write_figures

from pipelines.work.tensorflow_start import start_tensorflow

FACTORS = 50
_KERAS_BATCH = 32


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("movies", type=int)
    parser.add_argument("reviewers", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    start_tensorflow()
    model = network(asked.movies, asked.reviewers)
    movies = np.arange(asked.movies, dtype=np.int32)
    figures = {}
    for name, batch in (("default_batches", _KERAS_BATCH), ("one_batch", asked.movies)):
        seconds = []
        for repeat in range(asked.repeats + 1):  # The first compiles.
            reviewer = np.full(asked.movies, repeat % asked.reviewers, dtype=np.int32)
            started = time.perf_counter()
            scores = model.predict([reviewer, movies], batch_size=batch, verbose=0)[:, 0]
            np.argsort(-scores)[:10]
            seconds.append(time.perf_counter() - started)
        figures[name] = statistics.median(seconds[1:])
    write_figures(figures, asked.json)


def network(num_movies: int, num_reviewers: int) -> Any:
    """Builds the network: both vectors side by side, two layers of ten, and a sigmoid."""
    import keras
    from keras import layers

    inputs = [keras.Input((1,), dtype="int32") for _ in range(2)]
    sizes = (num_reviewers, num_movies)
    sides = [
        layers.Flatten()(layers.Embedding(size, FACTORS)(side))
        for side, size in zip(inputs, sizes, strict=True)
    ]
    hidden = layers.Concatenate()(sides)
    for _ in range(2):
        hidden = layers.Dense(10, activation="relu")(hidden)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))


if __name__ == "__main__":
    main()
