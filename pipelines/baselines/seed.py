"""Rebuilds, as baselines, the two Keras models of an earlier project, from which the engine was developed."""

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
"""The number of reviews in a training batch; batches are larger if an epoch would otherwise have more than
`_MAX_STEPS` training steps."""
_PATIENCE = 10
"""Training stops when the validation error has not fallen for this many epochs."""
_VALIDATION_SHARE = 0.1
_L2 = 1e-6
_MAX_STEPS = 640
"""The approximate largest number of training steps in an epoch; a training step uses one batch of reviews.
For very many reviews, batches are made larger, which hardly changes the results."""
_MAX_EPOCHS = 600
"""The largest number of training epochs; because of `_PATIENCE`, training nearly always stops earlier."""
_MAX_VALUES = 2**24
"""The largest number of outputs of a hidden layer that are computed in one step: 64 MiB of float32."""


class _SeedModel(ABC):
    """Learns to predict ratings from a vector (embedding) of each reviewer and one of each movie.

    Training minimizes the squared error of ratings, and stops when the error on validation reviews no longer
    falls. The validation reviews are a random tenth of the training reviews. The weights of the epoch with
    the lowest validation error are kept. For a reviewer or a movie without training reviews, whose embedding
    stays random, the mean of all training ratings is predicted.

    Attributes:
        curves: the mean squared error after each epoch; the key "loss" holds the errors on training reviews,
            and the key "validation" the errors on validation reviews.
    """

    curves: dict[str, list[float]]

    def __init__(self, reviews: Reviews, *, seed: int) -> None:
        self.low, self.high = float(reviews.levels[0]), float(reviews.levels[-1])
        self.mean = float(reviews.ratings.mean())
        self.known_reviewers = reviews.reviewer_counts() > 0
        self.known_movies = reviews.movie_counts() > 0
        weights = _train(self, reviews, seed)
        self.reviewer_vectors, self.movie_vectors = weights[:2]
        self.layers = weights[2:]

    def starts(self) -> tuple[float, float]:
        """Returns the mean initial values in the embeddings of reviewers and in the embeddings of movies."""
        return 0.0, 0.0

    @abstractmethod
    def answer(self, reviewer: Any, movie: Any) -> Any:
        """Builds the Keras layers that predict a rating from the embeddings of a reviewer and a movie."""

    @abstractmethod
    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Predicts with NumPy the ratings of m movies by n reviewers from embeddings: float32 [n, m]."""

    @abstractmethod
    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Predicts with NumPy the ratings of n pairs of reviewer and movie from embeddings: float32 [n]."""

    def score(self, reviewer_rows: AnyRows) -> Floats:
        """Scores all movies for n reviewers by predicted rating: float32 [n, num_movies].

        The score of a movie without training reviews is the mean of all training ratings.
        """
        scores = self.rate(self.reviewer_vectors[reviewer_rows], self.movie_vectors)
        return np.where(self.known_movies, scores, np.float32(self.mean))

    def predict(self, reviewer_rows: AnyRows, movie_rows: AnyRows) -> RatingPrediction:
        """Predicts the rating of each pair of reviewer and movie.

        The mean and the median of a prediction are the same number; there are no probabilities of rating
        levels.
        """
        ratings = self.rate_pairs(self.reviewer_vectors[reviewer_rows], self.movie_vectors[movie_rows])
        known = self.known_reviewers[reviewer_rows] & self.known_movies[movie_rows]
        return point_prediction(np.clip(np.where(known, ratings, self.mean), self.low, self.high))


class SeedBase(_SeedModel):
    """Predicts a rating as the inner product of the embeddings of a reviewer and a movie.

    `SeedBase` shows how well embeddings alone predict ratings, without biases, hidden layers and histories.
    At the start of the training, every predicted rating is about the mean of the training ratings. In the
    earlier project from which the engine was developed, the embeddings of the same model started near zero.
    Embeddings that start near zero make the predicted ratings of reviewers and movies with few reviews far
    lower than the mean rating.
    """

    def starts(self) -> tuple[float, float]:
        """Returns the mean initial values in the embeddings of reviewers and in the embeddings of movies.

        If each reviewer's embedding holds only the first returned number, and each movie's embedding only the
        second, every predicted rating is the mean of the training ratings.
        """
        root = float(np.sqrt(abs(self.mean) / NUM_FACTORS))
        return root, float(np.copysign(root, self.mean))

    def answer(self, reviewer: Any, movie: Any) -> Any:
        """Builds the Keras layer that computes the inner product of two embeddings."""
        from keras import layers

        return layers.Dot(axes=1)([reviewer, movie])

    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the inner product of each reviewer embedding and each movie embedding: float32 [n, m]."""
        return reviewer @ movie.T

    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Computes the inner products of n pairs of reviewer embedding and movie embedding: float32 [n]."""
        return np.asarray((reviewer * movie).sum(axis=1))


class SeedFinal(_SeedModel):
    """Predicts a rating with an MLP of two hidden layers; the output is scaled to the rating scale."""

    def answer(self, reviewer: Any, movie: Any) -> Any:
        """Builds the MLP, whose input is the concatenated embeddings of a reviewer and a movie."""
        from keras import layers

        low, width = self.low, self.high - self.low
        hidden = layers.Dropout(0.05)(layers.Concatenate()([reviewer, movie]))
        for _ in range(2):
            hidden = layers.Dense(10, activation="relu", kernel_initializer="he_normal")(hidden)
            hidden = layers.Dropout(0.5)(hidden)
        share = layers.Dense(1, activation="sigmoid", kernel_initializer="he_normal")(hidden)
        return layers.Rescaling(width, offset=low)(share)

    def rate(self, reviewer: Floats, movie: Floats) -> Floats:
        """Predicts with the MLP the ratings of m movies by n reviewers: float32 [n, m]."""
        from_reviewers = reviewer @ self.layers[0][:NUM_FACTORS]  # [n, 10]
        from_movies = movie @ self.layers[0][NUM_FACTORS:]  # [m, 10]
        rows = max(1, _MAX_VALUES // (10 * max(len(movie), 1)))
        parts = [
            self._upper_layers(from_reviewers[start : start + rows, None] + from_movies)
            for start in range(0, len(reviewer), rows)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(movie)), np.float32)

    def rate_pairs(self, reviewer: Floats, movie: Floats) -> Floats:
        """Predicts with the MLP the ratings of n pairs of reviewer and movie: float32 [n]."""
        return self._upper_layers(np.concatenate([reviewer, movie], axis=1) @ self.layers[0])

    def _upper_layers(self, first: Floats) -> Floats:
        _, bias, kernel, second_bias, last, last_bias = self.layers
        hidden = np.maximum(np.maximum(first + bias, 0) @ kernel + second_bias, 0)
        logits = (hidden @ last + last_bias)[..., 0]
        return np.asarray(self.low + (self.high - self.low) / (1 + np.exp(-logits)), dtype=np.float32)


def _train(model: _SeedModel, reviews: Reviews, seed: int) -> Sequence[Floats]:
    """Trains a Keras network, and returns the trained weights as arrays.

    The first returned array holds the embeddings of reviewers, and the second returned array the embeddings
    of movies. After the embeddings, the returned list holds the weights of the network's layers.
    """
    start_tensorflow(len(reviews))
    import keras

    keras.utils.set_random_seed(seed)
    network = _network(model, reviews)
    network.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse", steps_per_execution=32)
    order = np.random.default_rng(seed).permutation(len(reviews))
    inputs = (reviews.reviewer_rows[order], reviews.movie_rows[order])
    ratings = reviews.ratings[order]
    cut = max(1, int(len(order) * _VALIDATION_SHARE))
    batch_size = max(BATCH_SIZE, (len(order) - cut) // _MAX_STEPS)
    best = keras.callbacks.EarlyStopping("val_loss", patience=_PATIENCE, restore_best_weights=True)
    trained = network.fit(
        tuple(rows[cut:] for rows in inputs),
        ratings[cut:],
        validation_data=(tuple(rows[:cut] for rows in inputs), ratings[:cut]),
        batch_size=batch_size,
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
    for side, (name, size), mean in zip(inputs, sides, model.starts(), strict=True):
        embedding = layers.Embedding(size, NUM_FACTORS, **start, name=f"{name}_vectors")
        embedded.append(layers.Flatten()(embedding(side)))
        embedding.set_weights([vectors + np.float32(mean) for vectors in embedding.get_weights()])
    return keras.Model(inputs, model.answer(*embedded))
