"""Holds the inputs and results of scoring: the weights of a score's parts, reviewers' vectors, and scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine.arrays import Floats
from engine.model.heads import Tastes
from engine.model.histories import Histories, History
from engine.model.neighbours import MovieSums, NeighbourRatings


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Holds the weights of the parts of a score, chosen on held-out reviews and kept in the manifest."""

    like_rating: float = 4.0
    """The lowest rating that counts as a like, in stars."""
    neighbour_weight: float = 0.0
    """Weight, in the relevance, of a movie's similarity to the movies in the reviewer's history."""
    like_weight: float = 0.0
    """Weight, in the score, of the logarithm of the chance that the reviewer likes the movie."""
    interaction_weight: float = 1.0
    """Weight of the rating head's interaction of reviewer and movie, which is added to the two biases."""
    rating_neighbour_weight: float = 0.0
    """Logits added to a rating's location per star that neighbours were rated above expectation."""
    location_offset: float = 0.0
    """Logits by which later ratings exceeded predictions; the rating head's thresholds hold the offset."""
    log_temperature: float = 0.0
    """Number added to predicted ratings' log scale, which calibrates the chances of rating levels."""
    other_weight: float = 0.3
    """Weight of a review below `like_rating` in sums of similarities to a history; a like has 1."""


class Reviewer(NamedTuple):
    """Holds the parts of scores that depend on one reviewer only, computed once for each query."""

    history: History
    query: Floats
    """float32 [embedding_dim + 1], the reviewer's vector in the relevance head, with a 1 at the end."""
    near: MovieSums
    """Sums of each movie's similarities to the movies in the history, where newer reviews weigh more."""
    taste: Tastes | None
    """The reviewer's vector, bias and log scale in the rating head; None if the data has no ratings."""
    neighbour_ratings: NeighbourRatings | None
    """How far above expectation the reviewer rated movies' neighbours, in stars; None without ratings."""


class Reviewers(NamedTuple):
    """Holds the parts of scores that depend on the reviewer only, for several reviewers.

    A place is the position of a reviewer in this object.
    """

    histories: Histories
    queries: Floats
    """float32 [num, embedding_dim + 1], the relevance head's reviewer vectors, each with a last 1."""
    near: MovieSums
    """Sums of similarities for pairs of reviewer and movie, each pair `place * num_movies + movie_row`."""
    tastes: Tastes | None
    neighbour_ratings: NeighbourRatings | None
    """How far above expectation reviewers rated movies' neighbours, in stars; None without ratings."""

    def __len__(self) -> int:
        return len(self.queries)


class Scores(NamedTuple):
    """Holds the scores of some movies for one reviewer."""

    score: Floats
    """float32 [num], the full score of each movie; the best movie has the highest score."""
    relevance: Floats
    """float32 [num], the log chance that the reviewer will review the movie, up to an additive constant."""
    probabilities: Floats | None
    """float32 [num, num_levels], the chance of each rating level; None if the data has no ratings."""
