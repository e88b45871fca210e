"""Scores movies as the trained networks do, in NumPy: the relevance head and the rating head."""

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
    """Answers "will this reviewer come to this movie?" by the inner product of two vectors.

    The reviewer's vector has a 1 behind it and the movie's vector its bias. So a vector index over the movie
    vectors ranks movies by what the network was trained on.

    Attributes:
        movie_vectors: float32 [num_movies, embedding_dim + 1]; the last column is the bias.
        history_vectors: float32 [num_movies, embedding_dim], what a review adds to its reviewer's vector.
        reviewer_embeddings: float32 [num_reviewers, embedding_dim].
        level_weights: float32 [max(num_levels, 1)], how much a review of each rating adds.
        recency_power: older reviews fade by this power of their age.
        max_history: how many of the latest reviews count.
    """

    movie_vectors: Floats
    history_vectors: Floats
    reviewer_embeddings: Floats
    level_weights: Floats
    recency_power: float
    max_history: int

    @property
    def embedding_dim(self) -> int:
        """Returns how many numbers a reviewer's vector has."""
        return int(self.history_vectors.shape[1])

    def queries(self, reviewer_rows: NDArray[np.integer] | None, histories: Histories) -> Floats:
        """Pools histories into query vectors, float32 [num, embedding_dim + 1].

        Reviewers who were not trained on have no rows: None.
        """
        recent = histories.latest(self.max_history)
        fading = recency_weights(recent.ages, self.recency_power)
        weights = fading * self.level_weights[recent.level_rows]
        parts = weights[:, None] * self.history_vectors[recent.movie_rows]
        queries = np.ones((len(histories), self.embedding_dim + 1), dtype=np.float32)
        mass = sums(fading, recent.offsets)
        queries[:, :-1] = sums(parts, recent.offsets) / np.sqrt(mass + np.float32(1))[:, None]
        if reviewer_rows is not None:
            queries[:, :-1] += self.reviewer_embeddings[reviewer_rows]
        return queries

    def score(self, query: Floats, movie_rows: NDArray[np.integer] | slice) -> Floats:
        """Returns the relevance of some movies to a query, float32 [num]."""
        scores: Floats = self.movie_vectors[movie_rows] @ query
        return scores


class RatingPrediction(NamedTuple):
    """Holds the predicted ratings of n pairs of a reviewer and a movie."""

    mean: Floats
    """float32 [n], in ratings: the expected rating, which has the least squared error."""
    median: Floats
    """float32 [n], one of the levels: the middle rating, which has the least absolute error."""
    probabilities: Floats
    """float32 [n, num_levels]: the chance of each level; rows sum to 1."""


class Tastes(NamedTuple):
    """Holds reviewers as the rating head sees them."""

    vectors: Floats
    """float32 [num, dim], pooled from the histories."""
    biases: Floats
    """float32 [num], how generous the reviewers are, in logits."""
    log_scales: Floats
    """float32 [num], how sharply their ratings follow the prediction, as a logarithm."""

    def take(self, places: NDArray[np.integer]) -> Tastes:
        """Copies the values of the reviewers at some positions, in the order of the positions."""
        return Tastes(self.vectors[places], self.biases[places], self.log_scales[places])


@dataclass(frozen=True, kw_only=True)
class RatingHead:
    """Answers "what will this reviewer give this movie?" with a chance for each rating level.

    The location of a rating, in logits, is `reviewer bias + movie bias + sum(dot_weights * u * v) + MLP(u, v,
    u * v)`. The chance of a rating at or under level `l` is `sigmoid(scale * (thresholds[l] - location))`:
    the ordinal (proportional odds) model of McCullagh (1980), with a scale of its own for each pair.

    Attributes:
        levels: float32 [num_levels], ascending.
        movie_vectors: float32 [num_movies, dim + 2]; the last two columns are bias and log scale.
        history_vectors: float32 [num_movies, 2 * dim]; what a review of the movie adds to the reviewer's
            vector: for having come, and per star above the movie's mean.
        reviewer_biases: float32 [num_reviewers, 2]: bias and log scale.
        movie_means: float32 [num_movies], the damped mean rating of each movie.
        thresholds: float32 [num_levels - 1], ascending.
        dot_weights: float32 [dim].
        kernels: float32 [inputs, outputs] for each layer of the MLP; the last layer has two outputs.
        biases: float32 [outputs] for each layer of the MLP.
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
        """Returns how many numbers a vector has."""
        return len(self.dot_weights)

    def above_means(self, reviews: Histories | History) -> Floats:
        """Returns each review's rating less the mean rating of the movie: float32 [num_reviews]."""
        above: Floats = self.levels[reviews.level_rows] - self.movie_means[reviews.movie_rows]
        return above

    def pulls(self, reviews: Histories | History) -> Floats:
        """Returns what each review adds to the reviewer's vector: float32 [num_reviews, dim]."""
        rows = self.history_vectors[reviews.movie_rows]
        pulls: Floats = rows[:, : self.dim] + self.above_means(reviews)[:, None] * rows[:, self.dim :]
        return pulls

    def tastes(self, reviewer_rows: NDArray[np.integer] | None, histories: Histories) -> Tastes:
        """Computes the vector, bias and scale of each reviewer from the reviewer's history.

        `rows` is None for reviewers who were not trained on.
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
        """Returns the locations and the log scales of ratings, each float32 [num].

        `tastes` holds the reviewer of each movie, or one reviewer for all movies. In the location all but the
        two biases counts `interaction_weight`.
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

    def probabilities(self, location: Floats, log_scale: Floats) -> Floats:
        """Returns the chance of each level, float32 [num, num_levels], from what `locate` returns."""
        distance = self.thresholds[None, :] - location[:, None]
        scale = np.exp(np.minimum(np.maximum(log_scale, np.float32(-8)), np.float32(8)))
        # Differences of the cumulative chances, which are sigmoids, with 0 in front of them and 1 behind.
        chances = np.ones((len(location), len(self.levels)), dtype=np.float32)
        chances[:, :-1] = cumulative = 0.5 * np.tanh(0.5 * (scale[:, None] * distance)) + 0.5
        chances[:, 1:] -= cumulative
        return chances

    def mean(self, probabilities: Floats) -> Floats:
        """Returns the means of distributions, float32 [...], of probabilities, float32 [..., num_levels].

        A matrix product would be shorter. But for rows of five numbers OpenBLAS computes with registers that
        nothing was written to, and NumPy may then warn of invalid values that are not there.
        """
        mean: Floats = np.einsum("...l,l->...", probabilities, self.levels)
        return mean

    def summarize(self, probabilities: Floats) -> RatingPrediction:
        """Returns the mean and the median of distributions, float32 [num, num_levels]."""
        at_or_under = np.cumsum(probabilities, axis=1)[:, :-1]
        median = self.levels[(at_or_under < 0.5).sum(axis=1)]
        return RatingPrediction(self.mean(probabilities), median, probabilities)
