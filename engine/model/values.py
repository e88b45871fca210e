"""Defines the inputs of scoring (the classes `Blend`, `Reviewer`, `Reviewers`) and the results (`Scores`)."""

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
    """The number that is multiplied with a movie's similarity to the reviewer's history, before the product
    is added to the movie's relevance."""
    successor_weight: float = 0.0
    """The number that is multiplied with the weights in `Model.successors`, before the product is added to a
    movie's relevance; a successor often came soon after a movie in reviewers' histories."""
    length_power: float = 1.0
    """The exponent of the length of a history, when a movie's similarity to the history is computed. The sum
    of the movie's similarities to the movies of the history is divided by `length ** length_power`, where
    `length` is the sum of the weights of the reviews. The n-th last review of a history has the weight `n **
    -recency_power`, so that older reviews weigh less. The exponent 1 gives the mean similarity; the exponent
    0 gives the sum of the similarities, which grows with the history."""
    like_weight: float = 0.0
    """The number that is multiplied with the logarithm of the chance that the reviewer likes the movie,
    before the product is added to the score."""
    doubt: float = 0.0
    """A number that lowers the scores of movies that the reviewer probably does not like. If the chance of a
    like is below 0.5, the negative number `doubt * log(2 * chance)` is added to the logarithm of the
    chance."""
    interaction_weight: float = 1.0
    """The factor of the interaction, a number that the rating head computes from the vectors of a reviewer
    and a movie. The location, which is the centre of a predicted rating's distribution, is `reviewer bias +
    movie bias + interaction_weight * interaction`."""
    rating_neighbour_weight: float = 0.0
    """The factor, in logits per star, with which the reviewer's ratings of similar movies shift a predicted
    rating. If the reviewer rated the movie's neighbours n stars higher than expected, `n *
    rating_neighbour_weight` is added to the location, which is the centre of the predicted rating's
    distribution."""
    location_offset: float = 0.0
    """A number of logits by which the centre of every predicted rating's distribution is shifted. A build
    chooses the `location_offset` with which held-out ratings are predicted best. To shift all predictions,
    the build subtracts `location_offset` from the thresholds (the boundaries between adjacent rating levels),
    and stores the shifted thresholds in the index. Scoring does not read `location_offset`, because the
    thresholds in the index are already shifted."""
    log_temperature: float = 0.0
    """The number that is added to the logarithm of the scale of each predicted rating's distribution. A build
    chooses `log_temperature` so that the predicted chances agree with how often ratings occur. A higher
    `log_temperature` concentrates the predicted chances on fewer rating levels."""
    other_weight: float = 0.3
    """The weight of a review with a rating below `like_rating`; a like has the weight 1. A movie's similarity
    to a reviewed movie is multiplied by the weight of the review."""

    def doubted(self, log_chances: Floats) -> Floats:
        """Adds `doubt * log(2 * chance)` to each logarithm of a chance of a like that is below 0.5.

        The argument `log_chances` and the result are float32 arrays of equal shape, natural logarithms of
        chances. The logarithms of chances of at least 0.5 are not changed.
        """
        if self.doubt == 0:
            return log_chances
        under_half = np.minimum(log_chances + np.float32(np.log(2)), np.float32(0))
        return np.asarray(log_chances + np.float32(self.doubt) * under_half)


class Reviewer(NamedTuple):
    """Holds what is needed to score movies for one reviewer, such as the reviewer's vectors."""

    history: History
    query: Floats
    """float32 [embedding_dim + 1], the reviewer's vector in the relevance head, ending with a 1."""
    near: MovieSums
    """The number that is added to each movie's relevance because the movie is similar to movies of the
    reviewer's history."""
    near_found: Sequence[Neighbours]
    """For each table in `Model.near_tables`, the neighbours of the movies in the reviewer's history."""
    taste: Tastes | None
    """The reviewer's vector, bias and log scale in the rating head; the log scale sets how narrow the
    distribution of a predicted rating is. The field `taste` is None if the data has no ratings."""
    neighbour_ratings: NeighbourRatings | None
    """Computes by how many stars the reviewer rated a movie's neighbours higher than expected; None if the
    data has no ratings."""
    hidden_rows: Rows = np.zeros(0, dtype=np.int64)
    """int64 [num], ascending, the rows of the movies that are hidden from the reviewer."""


class Reviewers(NamedTuple):
    """Holds what is needed to score movies for several reviewers, such as the reviewers' vectors.

    A *place* is the position of a reviewer among the reviewers of a `Reviewers` object.
    """

    histories: Histories
    queries: Floats
    """float32 [num, embedding_dim + 1], each reviewer's vector in the relevance head, ending with a 1."""
    near: MovieSums
    """The number that is added to a movie's relevance to a reviewer because the movie is similar to movies of
    the reviewer's history. In `near`, a pair of reviewer and movie is stored as one number, `place *
    num_movies + movie_row`, where `place` is the position of the reviewer in the `Reviewers` object."""
    tastes: Tastes | None
    neighbour_ratings: NeighbourRatings | None
    """Computes by how many stars each reviewer rated a movie's neighbours higher than expected; None if the
    data has no ratings."""

    def __len__(self) -> int:
        return len(self.queries)


class Scores(NamedTuple):
    """Holds the scores of several movies for one reviewer."""

    score: Floats
    """float32 [num], the full score of each movie, by which movies are ranked, highest first."""
    relevance: Floats
    """float32 [num], the logarithm of the chance that the reviewer will review each movie, up to an additive
    constant."""
    probabilities: Floats | None
    """float32 [num, num_levels], the chance of each rating level for each movie; None if the data has no
    ratings."""
