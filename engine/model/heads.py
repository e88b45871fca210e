"""What will this reviewer give this movie: the rating head in NumPy, equal to the trained one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, sums
from engine.model.histories import Histories, History, recency_weights


class RatingPrediction(NamedTuple):
    """Predicted ratings of n (reviewer, movie) pairs."""

    mean: Floats
    """float32 [n], in ratings: the expected rating, which has the least squared error."""
    median: Floats
    """float32 [n], one of the levels: the middle rating, which has the least absolute error."""
    probabilities: Floats
    """float32 [n, num_levels]: the chance of each level; rows sum to 1."""


class Tastes(NamedTuple):
    """Reviewers as the rating head sees them."""

    vectors: Floats
    """float32 [num, dim], pooled from the histories."""
    biases: Floats
    """float32 [num], how generous they are, in logits."""
    log_scales: Floats
    """float32 [num], how sharply their ratings follow the prediction, as a logarithm."""

    def take(self, places: NDArray[np.integer]) -> Tastes:
        """Those in some places, in that order."""
        return Tastes(self.vectors[places], self.biases[places], self.log_scales[places])


@dataclass(frozen=True, kw_only=True)
class RatingHead:
    """The weights of the rating head.

    The location of a rating is `reviewer bias + movie bias + sum(dot_weights * u * v) + MLP(u, v, u *
    v)`, in logits,
    and the chance of a rating at or under level `l` is `sigmoid(scale * (thresholds[l] - location))`: the
    ordinal
    (proportional odds) model of McCullagh (1980), with a scale of its own for each pair.

    Attributes:
        levels: float32 [num_levels], ascending.
        movie_vectors: float32 [num_movies, dim + 2]; the last two columns are bias and log scale.
        history_vectors: float32 [num_movies, 2 * dim]; what a review of the movie adds to the reviewer's
            vector: for having come, and per star above the movie's baseline.
        reviewer_biases: float32 [num_reviewers, 2]: bias and log scale.
        baselines: float32 [num_movies], the damped mean rating of each movie.
        thresholds: float32 [num_levels - 1], ascending.
        dot_weights: float32 [dim].
        kernels: of each layer of the MLP, float32 [inputs, outputs]; the last has two outputs.
        biases: of each layer, float32 [outputs].
    """

    levels: Floats
    movie_vectors: Floats
    history_vectors: Floats
    reviewer_biases: Floats
    baselines: Floats
    thresholds: Floats
    dot_weights: Floats
    kernels: Sequence[Floats]
    biases: Sequence[Floats]

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return len(self.dot_weights)

    def tastes(self, reviewer_rows: NDArray[np.integer] | None, histories: Histories) -> Tastes:
        """Pools histories into the reviewers' vectors.

        Args:
            reviewer_rows: int [num], or None for reviewers who were not trained on.
            histories: what each of them reviewed.
        """
        rows = self.history_vectors[histories.movie_rows]
        residuals = self.levels[histories.level_rows] - self.baselines[histories.movie_rows]
        parts = rows[:, : self.dim] + residuals[:, None] * rows[:, self.dim :]
        pooled = sums(parts, histories.offsets)
        pooled /= np.sqrt(histories.lengths + 1).astype(np.float32)[:, None]
        if reviewer_rows is None:
            own = np.zeros((len(histories), 2), dtype=np.float32)
        else:
            own = np.asarray(self.reviewer_biases[reviewer_rows])
        return Tastes(pooled, own[:, 0], own[:, 1])

    def locate(
        self, tastes: Tastes, movie_rows: NDArray[np.integer] | slice, interaction_weight: float = 1.0
    ) -> tuple[Floats, Floats]:
        """Locations and log scales of ratings, each float32 [num].

        Args:
            tastes: the reviewer of each movie, or one for all of them.
            movie_rows: int [num], or a slice.
            interaction_weight: what the part beside the two biases counts.
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
        """The chance of each level, float32 [num, num_levels], of locations and log scales, float32 [num]."""
        distance = self.thresholds[None, :] - location[:, None]
        scale = np.exp(np.minimum(np.maximum(log_scale, np.float32(-8)), np.float32(8)))
        # Differences of the cumulative chances, with 0 in front of them and 1 behind.
        chances = np.ones((len(location), len(self.levels)), dtype=np.float32)
        chances[:, :-1] = cumulative = _sigmoid(scale[:, None] * distance)
        chances[:, 1:] -= cumulative
        return chances

    def mean(self, probabilities: Floats) -> Floats:
        """Means of distributions, float32 [...], of probabilities, float32 [..., num_levels].

        Not a matrix product: for rows of five numbers OpenBLAS computes with registers that nothing was
        written to, and NumPy may then warn of invalid values that are not there.
        """
        mean: Floats = np.einsum("...l,l->...", probabilities, self.levels)
        return mean

    def summarize(self, probabilities: Floats) -> RatingPrediction:
        """Mean and median of distributions, float32 [num, num_levels]."""
        at_or_under = np.cumsum(probabilities, axis=1)[:, :-1]
        median = self.levels[(at_or_under < 0.5).sum(axis=1)]
        return RatingPrediction(self.mean(probabilities), median, probabilities)


def _sigmoid(values: Floats) -> Floats:
    half: Floats = 0.5 * np.tanh(0.5 * values) + 0.5
    return half


@dataclass(frozen=True, kw_only=True)
class RelevanceHead:
    """The weights of the relevance head.

    The relevance of a movie is an inner product: the reviewer's vector, with a 1 behind it, times the
    movie's vector,
    with its bias behind it. So what an index over the movie vectors ranks is what the network was trained on.

    Attributes:
        movie_vectors: float32 [num_movies, embedding_dim + 1]; the last column is the bias.
        history_vectors: float32 [num_movies, embedding_dim], what a review adds to its reviewer's vector.
        reviewer_embeddings: float32 [num_reviewers, embedding_dim].
        level_weights: float32 [max(num_levels, 1)], how much a review of each rating adds.
        recency_power: older reviews fade by this power of their place.
        max_history: the latest reviews that count.
    """

    movie_vectors: Floats
    history_vectors: Floats
    reviewer_embeddings: Floats
    level_weights: Floats
    recency_power: float
    max_history: int

    @property
    def embedding_dim(self) -> int:
        """Numbers in a reviewer's vector."""
        return int(self.history_vectors.shape[1])

    def query(self, reviewer_row: int | None, history: History) -> Floats:
        """One reviewer's query vector, float32 [embedding_dim + 1]; see `queries`."""
        rows = None if reviewer_row is None else np.array([reviewer_row])
        query: Floats = self.queries(rows, Histories.of_one(history))[0]
        return query

    def queries(self, reviewer_rows: NDArray[np.integer] | None, histories: Histories) -> Floats:
        """The query vectors of some reviewers, float32 [num, embedding_dim + 1].

        Args:
            reviewer_rows: int [num], or None for reviewers who were not trained on.
            histories: what each of them reviewed, oldest first.
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
        """Relevance of some movies to a query, float32 [num]."""
        scores: Floats = self.movie_vectors[movie_rows] @ query
        return scores
