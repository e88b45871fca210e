"""Rebuilds the two Keras models that this engine grew from as they were, and trains them honestly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.arrays import Floats
from engine.model.heads import RatingPrediction
from pipelines.baselines.raters import AnyRows, point_prediction
from pipelines.dataset.reviews import Reviews
from pipelines.work.tensorflow_start import start_tensorflow

NUM_FACTORS = 50
BATCH_SIZE = 64
"""Reviews in a batch, as it was; more where an epoch would have too many steps."""
_PATIENCE = 5
"""Epochs without a lower validation error after which training stops."""
_VALIDATION_SHARE = 0.1
_L2 = 1e-6
_MAX_EPOCHS = 40
"""Epochs after which training stops in any case; the models once stopped after 3 to 5."""
_MAX_STEPS = 640
"""Steps of an epoch; batches grow where there would be more, which hardly changes the figures."""
_MAX_VALUES = 2**24
"""Numbers of hidden layers held at once, 64 MiB of them."""


class _SeedModel(ABC):
    """Trains an embedding of reviewers and one of movies on squared error, with early stopping.

    A random tenth of the training reviews says when to stop; the weights of the best epoch are kept. A
    reviewer or movie without training reviews keeps random weights, so their pairs are given the mean rating.
    Weights leave Keras as arrays. Ranks by predicted rating, as the models did.

    Attributes:
        curves: "loss" and "validation", the squared errors of each epoch.
    """

    curves: dict[str, list[float]]

    def __init__(self, reviews: Reviews, *, seed: int) -> None:
        self.low, self.high = float(reviews.levels[0]), float(reviews.levels[-1])
        self.mean = float(reviews.ratings.mean())
        self.known_reviewers = np.bincount(reviews.reviewer_rows, minlength=reviews.num_reviewers) > 0
        self.known_movies = np.bincount(reviews.movie_rows, minlength=reviews.num_movies) > 0
        weights = _train(self, reviews, seed)
        self.reviewer_vectors, self.movie_vectors = weights[:2]
        self.layers = weights[2:]

    @abstractmethod
    def answer(self, reviewer: Any, movie: Any) -> Any:
        """Builds the Keras output for the embedded inputs."""

    @abstractmethod
    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes `answer` in NumPy for all pairs of [n, factors] and [m, factors]: float32 [n, m]."""

    @abstractmethod
    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes `answer` in NumPy for n pairs of vectors: float32 [n]."""

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Predicts the ratings of all movies, float32 [n, num_movies]; the mean for one without reviews."""
        scores = self.rate(self.reviewer_vectors[reviewer_rows], self.movie_vectors)
        return np.where(self.known_movies, scores, np.float32(self.mean))

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction:
        """Predicts one figure for mean and median, and no chances."""
        ratings = self.rate_pairs(self.reviewer_vectors[reviewer_rows], self.movie_vectors[movie_rows])
        known = self.known_reviewers[reviewer_rows] & self.known_movies[movie_rows]
        return point_prediction(np.clip(np.where(known, ratings, self.mean), self.low, self.high))


class SeedBase(_SeedModel):
    """Rates by the dot product of 50 factors of each side, and nothing else."""

    def answer(self, reviewer: Any, movie: Any) -> Any:
        """Builds the dot product."""
        from keras import layers

        return layers.Dot(axes=1)([reviewer, movie])

    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the dot products of all pairs."""
        return reviewer @ movie.T

    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the dot products of the given pairs."""
        return np.asarray((reviewer * movie).sum(axis=1))


class SeedFinal(_SeedModel):
    """Rates by two layers of 10 with much dropout over both vectors, and a sigmoid over the rating range."""

    def answer(self, reviewer: Any, movie: Any) -> Any:
        """Builds the layers as they were."""
        from keras import layers

        low, width = self.low, self.high - self.low
        hidden = layers.Dropout(0.05)(layers.Concatenate()([reviewer, movie]))
        for _ in range(2):
            hidden = layers.Dense(10, activation="relu", kernel_initializer="he_normal")(hidden)
            hidden = layers.Dropout(0.5)(hidden)
        share = layers.Dense(1, activation="sigmoid", kernel_initializer="he_normal")(hidden)
        return layers.Rescaling(width, offset=low)(share)

    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the layers for all pairs, some reviewers at a time, as ten numbers a pair are held."""
        from_reviewers = reviewer @ self.layers[0][:NUM_FACTORS]  # [n, 10]
        from_movies = movie @ self.layers[0][NUM_FACTORS:]  # [m, 10]
        rows = max(1, _MAX_VALUES // (10 * max(len(movie), 1)))
        parts = [
            self._upper_layers(from_reviewers[start : start + rows, None] + from_movies)
            for start in range(0, len(reviewer), rows)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(movie)), np.float32)

    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the layers for the given pairs."""
        return self._upper_layers(np.concatenate([reviewer, movie], axis=1) @ self.layers[0])

    def _upper_layers(self, first: Floats) -> Floats:
        _, bias, kernel, second_bias, last, last_bias = self.layers
        hidden = np.maximum(np.maximum(first + bias, 0) @ kernel + second_bias, 0)
        logits = (hidden @ last + last_bias)[..., 0]
        return np.asarray(self.low + (self.high - self.low) / (1 + np.exp(-logits)), dtype=np.float32)


def _train(model: _SeedModel, reviews: Reviews, seed: int) -> Sequence[Floats]:
    """Builds and trains the Keras model, and returns its weights: both embeddings, then the layers."""
    start_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    network = _network(model, reviews)
    network.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    order = np.random.default_rng(seed).permutation(len(reviews))
    inputs = (reviews.reviewer_rows[order], reviews.movie_rows[order])
    ratings = reviews.ratings[order]
    cut = max(1, int(len(order) * _VALIDATION_SHARE))
    best = keras.callbacks.EarlyStopping("val_loss", patience=_PATIENCE, restore_best_weights=True)
    trained = network.fit(
        tuple(rows[cut:] for rows in inputs),
        ratings[cut:],
        validation_data=(tuple(rows[:cut] for rows in inputs), ratings[:cut]),
        batch_size=max(BATCH_SIZE, (len(order) - cut) // _MAX_STEPS),
        epochs=_MAX_EPOCHS,
        callbacks=[best],
        verbose=0,
    )
    model.curves = {"loss": trained.history["loss"], "validation": trained.history["val_loss"]}
    return [np.asarray(weight) for weight in network.get_weights()]


def _network(model: _SeedModel, reviews: Reviews) -> Any:
    import keras
    from keras import layers

    embedded = []
    start = {"embeddings_initializer": "he_normal", "embeddings_regularizer": keras.regularizers.l2(_L2)}
    sides = (("reviewer", reviews.num_reviewers), ("movie", reviews.num_movies))
    inputs = [keras.Input((1,), dtype="int32", name=name) for name, _ in sides]
    for side, (name, size) in zip(inputs, sides, strict=True):
        embedding = layers.Embedding(size, NUM_FACTORS, **start, name=f"{name}_vectors")
        embedded.append(layers.Flatten()(embedding(side)))
    return keras.Model(inputs, model.answer(*embedded))
