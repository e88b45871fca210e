"""Holds what scoring takes and gives: the weights of the blend, the reviewers' sides, and the scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine.arrays import Floats
from engine.model.heads import Tastes
from engine.model.histories import Histories, History
from engine.model.neighbours import MovieSums, NeighbourRatings


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Says how the parts of a score are added up; chosen on held-out reviews, kept in the manifest."""

    like_rating: float = 4.0
    """The lowest rating that is a like."""
    neighbour_weight: float = 0.0
    """What the nearness to the history's movies adds to the relevance."""
    like_weight: float = 0.0
    """What the logarithm of the chance of a like adds to the score."""
    interaction_weight: float = 1.0
    """What the network's interaction of reviewer and movie counts in a rating, beside their biases."""
    rating_neighbour_weight: float = 0.0
    """Logits that the neighbours' ratings add to a rating's location, per star above expectation."""
    location_offset: float = 0.0
    """Logits by which later ratings lay above the network's; the rating head's thresholds hold them."""
    log_temperature: float = 0.0
    """What is added to the log scale of the ratings, so that their chances are calibrated."""
    other_weight: float = 0.3
    """What a review that is no like counts among the neighbours of a history; a like counts 1."""


class Reviewer(NamedTuple):
    """Holds one reviewer's side of every score, worked out once a query."""

    history: History
    query: Floats
    """float32 [embedding_dim + 1], the query vector."""
    near: MovieSums
    """How near movies are to the history, newer reviews counting more."""
    taste: Tastes | None
    """What the rating head needs, of this one reviewer; None where the data has no ratings."""
    neighbour_ratings: NeighbourRatings | None
    """In stars: how far above expectation each movie's neighbours were rated."""


class Reviewers(NamedTuple):
    """Holds the vectors and histories of several reviewers.

    A place is the position of a reviewer among these reviewers.
    """

    histories: Histories
    queries: Floats
    """float32 [num, embedding_dim + 1]."""
    near: MovieSums
    """By keys, `place * num_movies + movie_row`."""
    tastes: Tastes | None
    neighbour_ratings: NeighbourRatings | None
    """By keys."""

    def __len__(self) -> int:
        return len(self.queries)


class Scores(NamedTuple):
    """Holds the scores of some movies for one reviewer."""

    score: Floats
    """float32 [num]; higher is better."""
    relevance: Floats
    """float32 [num], will the reviewer come; a log chance but for a constant."""
    probabilities: Floats | None
    """float32 [num, num_levels], what the reviewer will give; None where the data has no ratings."""
