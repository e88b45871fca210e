"""The final score of a movie for a reviewer: relevance, neighbours and the chance of a like, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.histories import Histories, History, recency_weights
from engine.neighbours import MovieSums, NeighbourTable
from engine.rating_head import RatingHead, RatingPrediction, Taste
from engine.relevance_head import RelevanceHead

Floats = NDArray[np.float32]
Rows = NDArray[np.integer] | slice

ALL = slice(None)
"""Every movie, in the order of the rows."""
RATING_PRIOR = 0.2
"""Weight of "as predicted" among the neighbours' ratings: few or far neighbours say little."""
OFFSET_DAMPING = 15.0
"""Reviews at which a reviewer's own mean counts half."""


@dataclass(frozen=True, kw_only=True)
class Blend:
    """How the parts are added up; chosen on validation data, kept in the manifest."""

    like_rating: float = 4.0
    """The lowest rating that is a like."""
    neighbour_weight: float = 0.0
    """What the nearness to the history's movies adds to the relevance."""
    like_weight: float = 0.0
    """What the logarithm of the chance of a like adds to the score."""
    interaction_weight: float = 1.0
    """What the network's interaction of reviewer and movie counts in a rating, beside their biases."""
    rating_neighbour_weight: float = 0.0
    """Logits that the neighbours' ratings add to a rating's location, per star above their baseline."""
    log_temperature: float = 0.0
    """What is added to the log scale of the ratings, so that their chances are calibrated."""
    other_weight: float = 0.3
    """What a review that is no like counts among the neighbours of a history; a like counts 1."""


class Reviewer(NamedTuple):
    """One reviewer's side of every score, worked out once a query."""

    history: History
    query: Floats
    """float32 [embedding_dim + 1], what the index is asked."""
    near: MovieSums
    """How near movies are to the history, newer reviews counting more."""
    taste: Taste | None
    """What the rating head needs; None where the data has no ratings."""
    neighbour_ratings: MovieSums | None
    """In stars: how far above expectation each movie's neighbours were rated."""


class Scores(NamedTuple):
    """The scores of some movies for one reviewer."""

    score: Floats
    """float32 [num]; higher is better."""
    relevance: Floats
    """float32 [num], will they come; a log chance but for a constant."""
    probabilities: Floats | None
    """float32 [num, num_levels], what they will give; None where the data has no ratings."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything that scoring needs, as arrays in memory or mapped from an artifact.

    Attributes:
        relevance: the head whose movie vectors the index holds.
        rating: the head that predicts ratings; None where the data has none.
        neighbours: co-review similarities.
        linear_neighbours: weights of a linear model over all pairs of movies, which then stand in for the
            co-review similarities in every score; None where the catalogue is too large for it.
        rating_neighbours: similarities of ratings; None where there are none.
        histories: what each reviewer reviewed.
        blend: how the parts are added up.
    """

    relevance: RelevanceHead
    rating: RatingHead | None
    neighbours: NeighbourTable
    linear_neighbours: NeighbourTable | None
    rating_neighbours: NeighbourTable | None
    histories: Histories
    blend: Blend

    @property
    def num_movies(self) -> int:
        """How many movies can be scored."""
        return len(self.relevance.movie_vectors)

    @property
    def nearness_table(self) -> NeighbourTable:
        """The table by which movies are near to a history."""
        return self.neighbours if self.linear_neighbours is None else self.linear_neighbours

    def reviewer(self, reviewer_row: int | None, history: History | None = None) -> Reviewer:
        """Works out a reviewer's side of the scores.

        Args:
            reviewer_row: the reviewer's row, or None for one who was not trained on.
            history: what they reviewed, oldest first; by default what was trained on.
        """
        if history is None:
            if reviewer_row is None:
                raise ValueError("A reviewer without a row needs a history")
            history = self.histories.of(reviewer_row)
        taste, neighbour_ratings = None, None
        if self.rating is not None:
            ratings = self.rating.levels[history.level_rows]
            taste = self.rating.taste(reviewer_row, history.movie_rows, ratings)
            neighbour_ratings = self._neighbour_ratings(history, ratings)
        query = self.relevance.query(reviewer_row, history)
        return Reviewer(history, query, self._near(history), taste, neighbour_ratings)

    def rescore(self, reviewer: Reviewer, movie_rows: Rows) -> Scores:
        """Scores some movies, or all of them, for one reviewer."""
        relevance = self.relevance.score(reviewer.query, movie_rows)
        near = np.float32(self.blend.neighbour_weight) * reviewer.near.at(movie_rows)
        relevance = (relevance + near).astype(np.float32)
        if self.rating is None:
            return Scores(relevance, relevance, None)
        probabilities = self.rate(reviewer, movie_rows)
        log_like = np.log(np.maximum(self.like_probability(probabilities), 1e-6))
        score = (relevance + np.float32(self.blend.like_weight) * log_like).astype(np.float32)
        return Scores(score, relevance, probabilities)

    def rate(self, reviewer: Reviewer, movie_rows: Rows) -> Floats:
        """The chance of each rating of some movies by one reviewer, float32 [num, num_levels]."""
        if self.rating is None or reviewer.taste is None:
            raise ValueError("The data has no ratings to predict")
        location, log_scale = self.rating.locate(reviewer.taste, movie_rows, self.blend.interaction_weight)
        if reviewer.neighbour_ratings is not None:
            near = reviewer.neighbour_ratings.at(movie_rows)
            location = (location + np.float32(self.blend.rating_neighbour_weight) * near).astype(np.float32)
        return self.rating.probabilities(location, log_scale + np.float32(self.blend.log_temperature))

    def like_probability(self, probabilities: Floats) -> Floats:
        """The chance of a like, float32 [num], from chances of ratings, float32 [num, num_levels]."""
        if self.rating is None:
            raise ValueError("The data has no ratings to predict")
        liked: Floats = probabilities[:, self.rating.levels >= self.blend.like_rating].sum(axis=1)
        return np.minimum(liked, np.float32(1))

    def score(self, reviewer_rows: NDArray[np.integer] | Sequence[int]) -> Floats:
        """Scores every movie for some reviewers, exhaustively: float32 [num_reviewers, num_movies]."""
        scores = [self.rescore(self.reviewer(int(row)), ALL).score for row in reviewer_rows]
        return np.stack(scores) if scores else np.zeros((0, self.num_movies), dtype=np.float32)

    def predict(
        self, reviewer_rows: NDArray[np.integer], movie_rows: NDArray[np.integer]
    ) -> RatingPrediction | None:
        """Predicts the ratings of n pairs; None where the data has no ratings.

        Args:
            reviewer_rows: int [n].
            movie_rows: int [n].
        """
        if self.rating is None:
            return None
        probabilities = np.zeros((len(movie_rows), len(self.rating.levels)), dtype=np.float32)
        order = np.argsort(reviewer_rows, kind="stable")
        found, begins = np.unique(np.asarray(reviewer_rows)[order], return_index=True)
        for row, places in zip(found, np.split(order, begins)[1:], strict=True):
            reviewer = self.reviewer(int(row))
            probabilities[places] = self.rate(reviewer, np.asarray(movie_rows)[places])
        return self.rating.summarize(probabilities)

    def _near(self, history: History) -> MovieSums:
        fading = recency_weights(len(history.movie_rows), self.relevance.recency_power)
        weights = fading * self._like_weights()[history.level_rows]
        rows, (near,) = self.nearness_table.spread(history.movie_rows, weights)
        return MovieSums(rows, near / max(float(fading.sum()), 1.0), self.num_movies)

    def _like_weights(self) -> Floats:
        if self.rating is None:
            return np.ones(1, dtype=np.float32)
        liked = self.rating.levels >= self.blend.like_rating
        return np.where(liked, 1.0, self.blend.other_weight).astype(np.float32)

    def _neighbour_ratings(self, history: History, ratings: Floats) -> MovieSums | None:
        if self.rating is None or self.rating_neighbours is None:
            return None
        residuals = ratings - self.rating.baselines[history.movie_rows]
        residuals = residuals - residuals.sum() / (len(residuals) + OFFSET_DAMPING)
        rows, (above, weight) = self.rating_neighbours.spread(
            history.movie_rows, residuals, np.ones(len(residuals))
        )
        return MovieSums(rows, above / (weight + RATING_PRIOR), self.num_movies)
