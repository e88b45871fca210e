"""Computes in NumPy the predictions of the two trained networks: the relevance head and the rating head.

A cold movie is a movie without reviews, whose vectors are predicted from metadata; `ColdDoubts` lowers the
relevance of cold movies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, sums
from engine.model.histories import Histories, History, recency_weights


@dataclass(frozen=True, kw_only=True)
class RelevanceHead:
    """Computes a movie's relevance to a reviewer: the inner product of the movie's and the reviewer's vector.

    The reviewer's vector ends with a 1, and the movie's vector ends with the movie's bias, so that the inner
    product includes the bias. A vector index of the movie vectors finds movies by the inner product that
    training optimizes.

    Attributes:
        movie_vectors: the vector of each movie, float32 [num_movies, embedding_dim + 1]; the last column is
            the movie's bias.
        history_vectors: for each movie, the vector that a review of the movie adds to the reviewer's vector,
            float32 [num_movies, embedding_dim].
        reviewer_embeddings: for each reviewer, a vector that is added to the sum of the history's vectors,
            float32 [num_reviewers, embedding_dim]; without columns if the model has no embeddings of
            reviewers.
        level_weights: for each rating level, how much a review with this rating weighs in the sum of a
            history's vectors, float32 [max(num_levels, 1)].
        recency_power: an exponent that makes older reviews weigh less: the n-th last review of a history has
            the weight `n ** -recency_power`.
        max_history: the number of a reviewer's latest reviews from which the reviewer's vector is computed;
            earlier reviews are ignored.
    """

    movie_vectors: Floats
    history_vectors: Floats
    reviewer_embeddings: Floats
    level_weights: Floats
    recency_power: float
    max_history: int

    @property
    def embedding_dim(self) -> int:
        """Returns the length of a reviewer's vector in the relevance head, without the last entry, a 1."""
        return int(self.history_vectors.shape[1])

    def queries(self, reviewer_rows: NDArray[np.integer] | None, histories: Histories) -> Floats:
        """Computes reviewers' vectors from the reviewers' histories, float32 [num, embedding_dim + 1].

        If `reviewer_rows` is None, the reviewers are newcomers, and no reviewer embeddings are added.
        """
        recent = histories.latest(self.max_history)
        fading = recency_weights(recent.ages, self.recency_power)
        weights = fading * self.level_weights[recent.level_rows]
        parts = weights[:, None] * self.history_vectors[recent.movie_rows]
        queries = np.ones((len(histories), self.embedding_dim + 1), dtype=np.float32)
        mass = sums(fading, recent.offsets)
        queries[:, :-1] = sums(parts, recent.offsets) / np.sqrt(mass + np.float32(1))[:, None]
        if reviewer_rows is not None and self.reviewer_embeddings.shape[1]:
            queries[:, :-1] += self.reviewer_embeddings[reviewer_rows]
        return queries

    def own_products(self, reviewer_rows: slice, vector: Floats) -> Floats:
        """Computes the inner product of each reviewer's embedding and the array `vector`: float32 [num]."""
        own = self.reviewer_embeddings[reviewer_rows]
        products: Floats = own @ vector[: own.shape[1]]
        return products

    def score(self, query: Floats, movie_rows: NDArray[np.integer] | slice) -> Floats:
        """Returns the inner product of a query vector and the vector of each given movie: float32 [num]."""
        scores: Floats = self.movie_vectors[movie_rows] @ query
        return scores


@dataclass(frozen=True, kw_only=True)
class ColdDoubts:
    """Lowers each cold movie's relevance in proportion to the standard error of the relevance.

    The relevance of a cold movie has an error, because the movie's vector is predicted from metadata. The
    standard error of the relevance depends on the reviewer, since metadata predicts some directions of movie
    vectors better than others. A cold movie gets into a top list only if its relevance is high even after
    `ColdDoubts` has lowered it.

    Attributes:
        is_cold: marks the cold movies, bool [num_movies].
        errors: a matrix that gives the standard error of cold movies' relevance to any reviewer, float32
            [embedding_dim + 1, embedding_dim + 1]. If a reviewer's vector is multiplied by `errors`, the
            length of the resulting vector is the setting `cold.doubt` times the standard error of a cold
            movie's relevance to the reviewer.
        included: a number that the build has already subtracted from the bias of each cold movie in
            `RelevanceHead.movie_vectors`. The build lowers the biases by `included` so that cold movies also
            rank lower in searches of the vector index. Because the build has already lowered the biases by
            `included`, the methods of `ColdDoubts` return `cold.doubt` times the standard error of a cold
            movie's relevance, minus `included`, but at least 0.
    """

    is_cold: NDArray[np.bool_]
    errors: Floats
    included: float

    def of(self, queries: Floats, movie_rows: NDArray[np.integer] | slice) -> Floats:
        """Returns, for each movie, the number to subtract from its relevance to a reviewer: float32 [num].

        The array `queries`, float32 [embedding_dim + 1], holds the reviewer's vector.
        """
        doubt = self.of_reviewers(queries[None])[0]
        return np.where(self.is_cold[movie_rows], doubt, np.float32(0))

    def of_pairs(
        self, queries: Floats, places: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> Floats:
        """Returns, for each pair of reviewer and movie, the number to subtract from the relevance.

        Args:
            queries: the reviewers' vectors, float32 [num_reviewers, embedding_dim + 1].
            places: the position in `queries` of each pair's reviewer, int [num].
            movie_rows: the row of each pair's movie, int [num].
        """
        doubts = np.zeros(len(places), dtype=np.float32)
        cold = np.flatnonzero(self.is_cold[movie_rows])
        if len(cold):
            doubts[cold] = self.of_reviewers(queries)[places[cold]]
        return doubts

    def of_reviewers(self, queries: Floats) -> Floats:
        """Returns, for each reviewer, the number to subtract from cold movies' relevance: float32 [num].

        The array `queries`, float32 [num, embedding_dim + 1], holds the reviewers' vectors.
        """
        lengths = np.sqrt(np.square(queries @ self.errors).sum(axis=1))
        return np.asarray(np.maximum(lengths - np.float32(self.included), 0), dtype=np.float32)


class RatingPrediction(NamedTuple):
    """Holds the predicted ratings of n pairs of reviewer and movie."""

    mean: Floats
    """float32 [n], the expected rating, in stars, which has the least expected squared error."""
    median: Floats
    """float32 [n], the median rating, one of the rating levels, which has the least expected absolute
    error."""
    probabilities: Floats
    """float32 [n, num_levels], the probability of each rating level; the probabilities of a pair sum to 1."""


class Tastes(NamedTuple):
    """Holds what the rating head knows of several reviewers: vectors, biases and the logarithms of scales."""

    vectors: Floats
    """float32 [num, dim], each reviewer's vector, computed from the reviewer's history."""
    biases: Floats
    """float32 [num], each reviewer's bias in logits; reviewers who give high ratings have a high bias."""
    log_scales: Floats
    """float32 [num], the logarithm of each reviewer's scale, a number by which the rating head multiplies
    logits. A high scale makes the predicted distribution of the reviewer's ratings narrow."""

    def take(self, places: NDArray[np.integer]) -> Tastes:
        """Copies the vectors, the biases and `log_scales` of the reviewers at the positions in `places`."""
        return Tastes(self.vectors[places], self.biases[places], self.log_scales[places])


@dataclass(frozen=True, kw_only=True)
class RatingHead:
    """Predicts the probability of each rating level for a reviewer and a movie.

    The distribution of a rating has a location (the centre of the distribution, in logits) and a scale. The
    location of a rating's distribution is `reviewer bias + movie bias + sum(dot_weights * u * v) + MLP(u, v,
    u * v)`, where u is the reviewer's vector and v is the movie's vector. The scale of a rating's
    distribution is the product of the reviewer's scale, the movie's scale and a factor from the MLP. The
    scale multiplies logits, so the distribution of a rating with a high scale is narrow. By the ordinal
    (proportional odds) model of McCullagh (1980), the chance that a rating is at most `levels[l]` is
    `sigmoid(scale * (thresholds[l] - location))`.

    Attributes:
        levels: the ratings that a reviewer can give, in stars, float32 [num_levels], ascending.
        movie_vectors: the vector of each movie, float32 [num_movies, dim + 2]; the last two columns are the
            movie's bias and the logarithm of the movie's scale.
        history_vectors: two vectors for each movie, called `first` and `second`: float32 [num_movies, 2 *
            dim]. A movie's row of `history_vectors` holds `first` in the first `dim` columns, and `second` in
            the last `dim` columns. The vector of a review is `first + (rating - mean rating of the movie) *
            second`, with the two vectors of the reviewed movie. A reviewer's vector is computed from the sum
            of the vectors of the reviewer's reviews.
        reviewer_biases: two numbers for each reviewer, float32 [num_reviewers, 2]: the reviewer's bias, in
            logits, and the logarithm of the reviewer's scale. The scale of a rating's distribution is
            proportional to the reviewer's scale.
        movie_means: each movie's mean rating, moved towards the mean of all ratings if the movie has few
            ratings, float32 [num_movies].
        thresholds: the boundaries between adjacent rating levels, in logits, float32 [num_levels - 1],
            ascending.
        dot_weights: one weight for each dimension of the reviewer's vector u and the movie's vector v, for
            the sum `sum(dot_weights * u * v)` in the location, float32 [dim].
        kernels: the weights of each layer of the MLP, float32 [inputs, outputs]. The last layer has two
            outputs: a number that is added to the location of the rating's distribution, and a number that is
            added to the logarithm of the distribution's scale.
        biases: the biases of each layer of the MLP, float32 [outputs].
    """

    levels: Floats
    movie_vectors: Floats
    history_vectors: Floats
    reviewer_biases: Floats
    movie_means: Floats
    thresholds: Floats
    dot_weights: Floats
    kernels: Sequence[Floats]
    biases: Sequence[Floats]

    @property
    def dim(self) -> int:
        """Returns the dimension of a reviewer's vector in the rating head."""
        return len(self.dot_weights)

    def above_means(self, reviews: Histories | History) -> Floats:
        """Returns each review's rating minus the mean rating of the reviewed movie: float32 [num_reviews]."""
        above: Floats = self.levels[reviews.level_rows] - self.movie_means[reviews.movie_rows]
        return above

    def pulls(self, reviews: Histories | History) -> Floats:
        """Returns the vector that each review adds to its reviewer's vector: float32 [num_reviews, dim]."""
        rows = self.history_vectors[reviews.movie_rows]
        pulls: Floats = rows[:, : self.dim] + self.above_means(reviews)[:, None] * rows[:, self.dim :]
        return pulls

    def tastes(self, reviewer_rows: NDArray[np.integer] | None, histories: Histories) -> Tastes:
        """Computes reviewers' vectors from histories, and looks up each reviewer's bias and scale.

        If `reviewer_rows` is None, the reviewers are newcomers, whose biases and logarithms of scales are 0.
        """
        pooled = sums(self.pulls(histories), histories.offsets)
        pooled /= np.sqrt(histories.lengths + 1).astype(np.float32)[:, None]
        if reviewer_rows is None:
            own = np.zeros((len(histories), 2), dtype=np.float32)
        else:
            own = np.asarray(self.reviewer_biases[reviewer_rows])
        return Tastes(pooled, own[:, 0], own[:, 1])

    def locate(
        self, tastes: Tastes, movie_rows: NDArray[np.integer] | slice, interaction_weight: float = 1.0
    ) -> tuple[Floats, Floats]:
        """Computes the location and log scale of each predicted rating's distribution: float32 [num] each.

        The location is the centre of the distribution; a high scale makes the distribution narrow. The
        argument `tastes` describes one reviewer for each movie, or a single reviewer for all movies. The
        location of a rating's distribution is `reviewer bias + movie bias + interaction_weight *
        interaction`, where the rating head computes the interaction from the vectors of the reviewer and the
        movie.
        """
        rows = self.movie_vectors[movie_rows]
        vectors, users = rows[:, : self.dim], tastes.vectors
        first, dim = self.kernels[0], self.dim
        of_user, of_movie, of_both = first[:dim], first[dim : 2 * dim], first[2 * dim :]
        products = vectors * users
        hidden = vectors @ of_movie + products @ of_both + (users @ of_user + self.biases[0])
        for next_kernel, next_bias in zip(self.kernels[1:], self.biases[1:], strict=True):
            hidden = np.maximum(hidden, 0.0) @ next_kernel + next_bias
        interaction = products @ self.dot_weights + hidden[:, 0]
        location = tastes.biases + rows[:, self.dim] + np.float32(interaction_weight) * interaction
        log_scale = tastes.log_scales + rows[:, self.dim + 1] + hidden[:, 1]
        return location.astype(np.float32), log_scale.astype(np.float32)

    def slopes(
        self, taste: Tastes, movie_rows: NDArray[np.integer], interaction_weight: float
    ) -> tuple[Floats, Floats]:
        """Computes the derivatives of the results of `locate` with respect to one reviewer's vector.

        Returns:
            The derivatives of each movie's location and log scale with respect to the numbers of the
            reviewer's vector, each float32 [num_movies, dim].
        """
        vectors = self.movie_vectors[movie_rows][:, : self.dim]
        dim, first = self.dim, self.kernels[0]
        of_user, of_movie, of_both = first[:dim], first[dim : 2 * dim], first[2 * dim :]
        hidden = vectors @ of_movie + (vectors * taste.vectors) @ of_both
        hidden += taste.vectors @ of_user + self.biases[0]
        active = []
        for next_kernel, next_bias in zip(self.kernels[1:], self.biases[1:], strict=True):
            active.append(hidden > 0)
            hidden = np.maximum(hidden, 0.0) @ next_kernel + next_bias
        slopes = []
        for output in range(2):
            slope = np.zeros_like(hidden)
            slope[:, output] = 1
            for kernel, passed in zip(self.kernels[:0:-1], active[::-1], strict=True):
                slope = slope @ kernel.T * passed
            slopes.append(slope @ of_user.T + (slope @ of_both.T) * vectors)
        return np.float32(interaction_weight) * (slopes[0] + vectors * self.dot_weights), slopes[1]

    def probabilities(self, location: Floats, log_scale: Floats) -> Floats:
        """Converts the results of `locate` to probabilities of rating levels, float32 [num, num_levels]."""
        distance = self.thresholds[None, :] - location[:, None]
        scale = np.exp(np.minimum(np.maximum(log_scale, np.float32(-8)), np.float32(8)))
        # The chance of a rating level is the difference between two cumulative chances: of this level and of
        # the level below.
        chances = np.ones((len(location), len(self.levels)), dtype=np.float32)
        chances[:, :-1] = cumulative = 0.5 * np.tanh(0.5 * (scale[:, None] * distance)) + 0.5
        chances[:, 1:] -= cumulative
        return chances

    def mean(self, probabilities: Floats) -> Floats:
        """Computes mean ratings, float32 [...], from chances of rating levels, float32 [..., num_levels].

        No matrix product is used, because for rows of five numbers OpenBLAS reads uninitialized registers,
        and NumPy may then warn of invalid values.
        """
        mean: Floats = np.einsum("...l,l->...", probabilities, self.levels)
        return mean

    def summarize(self, probabilities: Floats) -> RatingPrediction:
        """Computes mean and median ratings from chances of rating levels, float32 [num, num_levels]."""
        at_or_under = np.cumsum(probabilities, axis=1)[:, :-1]
        median = self.levels[(at_or_under < 0.5).sum(axis=1)]
        return RatingPrediction(self.mean(probabilities), median, probabilities)
