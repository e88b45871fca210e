"""Rebuilds the two original Keras models, from which the engine developed, as baselines for comparison."""

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
"""Reviews in a batch of the original models; more if an epoch would exceed `_MAX_STEPS` steps."""
_PATIENCE = 5
"""Number of epochs without a lower validation error after which training stops."""
_VALIDATION_SHARE = 0.1
_L2 = 1e-6
_MAX_EPOCHS = 40
"""Most epochs of a training; the original models were trained for 3 to 5 epochs."""
_MAX_STEPS = 640
"""Steps of an epoch, about, at most; larger data has larger batches, which hardly changes the results."""
_MAX_VALUES = 2**24
"""Most activations of a hidden layer held in memory at once, 64 MiB as float32."""


class _SeedModel(ABC):
    """Trains embeddings of reviewers and movies on the squared error of ratings, with early stopping.

    The validation error of early stopping is measured on a random tenth of the training reviews, and the
    weights of the best epoch are kept. Embeddings without training reviews keep random weights, so the mean
    rating is predicted for reviewers and movies without training reviews. Movies are ranked by predicted
    rating.

    Attributes:
        curves: "loss" and "validation", the mean squared training and validation error of each epoch.
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
        """Builds the Keras output, a predicted rating, from a reviewer's and a movie's embedding."""

    @abstractmethod
    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes in NumPy the ratings of all pairs of n reviewers and m movies: float32 [n, m]."""

    @abstractmethod
    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes in NumPy the ratings of n pairs of reviewer vector and movie vector: float32 [n]."""

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Predicts the ratings of all movies, float32 [n, num_movies], or the mean if unreviewed."""
        scores = self.rate(self.reviewer_vectors[reviewer_rows], self.movie_vectors)
        return np.where(self.known_movies, scores, np.float32(self.mean))

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction:
        """Predicts one rating per pair, as mean and as median, without probabilities of rating levels."""
        ratings = self.rate_pairs(self.reviewer_vectors[reviewer_rows], self.movie_vectors[movie_rows])
        known = self.known_reviewers[reviewer_rows] & self.known_movies[movie_rows]
        return point_prediction(np.clip(np.where(known, ratings, self.mean), self.low, self.high))


class SeedBase(_SeedModel):
    """Predicts a rating as the inner product of a reviewer's and a movie's vector of 50 factors."""

    def answer(self, reviewer: Any, movie: Any) -> Any:
        """Builds the Keras layer of the inner product of a reviewer's and a movie's vector."""
        from keras import layers

        return layers.Dot(axes=1)([reviewer, movie])

    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the inner products of all pairs of reviewer and movie vectors: float32 [n, m]."""
        return reviewer @ movie.T

    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the inner products of n given pairs of reviewer and movie vectors: float32 [n]."""
        return np.asarray((reviewer * movie).sum(axis=1))


class SeedFinal(_SeedModel):
    """Predicts a rating by an MLP of two hidden layers of 10 units, and a sigmoid scaled to the ratings."""

    def answer(self, reviewer: Any, movie: Any) -> Any:
        """Builds the MLP of the original model over the concatenated reviewer and movie vectors."""
        from keras import layers

        low, width = self.low, self.high - self.low
        hidden = layers.Dropout(0.05)(layers.Concatenate()([reviewer, movie]))
        for _ in range(2):
            hidden = layers.Dense(10, activation="relu", kernel_initializer="he_normal")(hidden)
            hidden = layers.Dropout(0.5)(hidden)
        share = layers.Dense(1, activation="sigmoid", kernel_initializer="he_normal")(hidden)
        return layers.Rescaling(width, offset=low)(share)

    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the MLP for all pairs, float32 [n, m], in batches of reviewers, which bounds memory."""
        from_reviewers = reviewer @ self.layers[0][:NUM_FACTORS]  # [n, 10]
        from_movies = movie @ self.layers[0][NUM_FACTORS:]  # [m, 10]
        rows = max(1, _MAX_VALUES // (10 * max(len(movie), 1)))
        parts = [
            self._upper_layers(from_reviewers[start : start + rows, None] + from_movies)
            for start in range(0, len(reviewer), rows)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(movie)), np.float32)

    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the MLP for n given pairs of reviewer and movie vectors: float32 [n]."""
        return self._upper_layers(np.concatenate([reviewer, movie], axis=1) @ self.layers[0])

    def _upper_layers(self, first: Floats) -> Floats:
        _, bias, kernel, second_bias, last, last_bias = self.layers
        hidden = np.maximum(np.maximum(first + bias, 0) @ kernel + second_bias, 0)
        logits = (hidden @ last + last_bias)[..., 0]
        return np.asarray(self.low + (self.high - self.low) / (1 + np.exp(-logits)), dtype=np.float32)


def _train(model: _SeedModel, reviews: Reviews, seed: int) -> Sequence[Floats]:
    """Trains the Keras model, and returns the embeddings of reviewers and movies, then all MLP weights."""
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
