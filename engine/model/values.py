"""Defines the inputs and results of scoring: the weights in scores, reviewers, and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.arrays import Floats, Rows
from engine.model.heads import Tastes
from engine.model.histories import Histories, History
from engine.model.neighbours import MovieSums, NeighbourRatings, Neighbours


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Holds the weights with which a score is computed; a build chooses the weights on held-out reviews."""

    like_rating: float = 4.0
    """The lowest rating that counts as a like, in stars."""
    neighbour_weight: float = 0.0
    """The weight, in the relevance, of a movie's similarity to the movies in the reviewer's history."""
    successor_weight: float = 0.0
    """The weight, in the relevance, of the number of times that a movie came soon after the reviewer's last
    movies in other reviewers' histories."""
    length_power: float = 1.0
    """The power of a history's length by which similarities are divided: 1 averages the similarities over the
    history; 0 adds them up, so that they count more in a longer history."""
    like_weight: float = 0.0
    """The weight, in the score, of the logarithm of the chance that the reviewer likes the movie."""
    doubt: float = 0.0
    """A weight that lowers the scores of movies whose chance of a like is under one half: `doubt * log(2 *
    chance)` is added to the logarithm of the chance."""
    interaction_weight: float = 1.0
    """The weight, in the location of a rating, of every term except the reviewer's bias and the movie's
    bias."""
    rating_neighbour_weight: float = 0.0
    """The number of logits added to a rating's location for each star by which the reviewer rated neighbours
    of the movie above expectation."""
    location_offset: float = 0.0
    """The number of logits by which later ratings exceeded predictions; the thresholds of the rating head
    already include this number."""
    log_temperature: float = 0.0
    """The number that is added to the log scale of predicted ratings, so that the chances of rating levels
    are calibrated."""
    other_weight: float = 0.3
    """The weight of a review below `like_rating` in sums of similarities to a history; a like has the weight
    1."""


class Reviewer(NamedTuple):
    """Holds everything about one reviewer that is needed to score movies, such as the reviewer's vectors."""

    history: History
    query: Floats
    """float32 [embedding_dim + 1], the reviewer's vector in the relevance head, with a 1 at the end."""
    near: MovieSums
    """The sums that the neighbours and the successors of the movies in the reviewer's history add to each
    movie's relevance."""
    near_found: Sequence[Neighbours]
    """The neighbours of the movies in the reviewer's history, for each table in `Model.near_tables`."""
    taste: Tastes | None
    """The reviewer's vector, bias and log scale in the rating head; None if the data has no ratings."""
    neighbour_ratings: NeighbourRatings | None
    """Computes by how many stars the reviewer rated the neighbours of movies above expectation; None if the
    data has no ratings."""
    hidden_rows: Rows = np.zeros(0, dtype=np.int64)
    """int64 [num], ascending, the rows of the movies that are hidden from the reviewer."""


class Reviewers(NamedTuple):
    """Holds everything about several reviewers that is needed to score movies, such as reviewers' vectors.

    A *place* is the position of a reviewer among the reviewers of a `Reviewers` object.
    """

    histories: Histories
    queries: Floats
    """float32 [num, embedding_dim + 1], the reviewers' vectors in the relevance head, with a 1 at the end."""
    near: MovieSums
    """The sums that the neighbours and the successors of the movies in a history add to a movie's relevance,
    for pairs of reviewer and movie; each pair is the number `place * num_movies + movie_row`."""
    tastes: Tastes | None
    neighbour_ratings: NeighbourRatings | None
    """Computes by how many stars each reviewer rated the neighbours of movies above expectation; None if the
    data has no ratings."""

    def __len__(self) -> int:
        return len(self.queries)


class Scores(NamedTuple):
    """Holds the scores of several movies for one reviewer."""

    score: Floats
    """float32 [num], the full score of each movie; the best movie has the highest score."""
    relevance: Floats
    """float32 [num], the logarithm of the chance that the reviewer will review each movie, up to an additive
    constant."""
    probabilities: Floats | None
    """float32 [num, num_levels], the chance of each rating level for each movie; None if the data has no
    ratings."""
