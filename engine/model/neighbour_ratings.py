"""What reviewers' own ratings of a movie's neighbours say of the movie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.model.histories import Histories, sums
from engine.model.neighbours import MovieSums, NeighbourTable

RATING_PRIOR = 0.2
"""Weight of "as predicted" among the neighbours' ratings: few or far neighbours say little."""
OFFSET_DAMPING = 15.0
"""Reviews at which a reviewer's own mean counts half."""


@dataclass(frozen=True, kw_only=True)
class NeighbourRatings:
    """How far above expectation some reviewers rated movies' neighbours, in stars; worked out when asked.

    Attributes:
        table: similarities of ratings.
        histories: what each of the reviewers reviewed.
        residuals: float64 [num_reviews], each rating less what the movie and the reviewer let expect.
    """

    table: NeighbourTable
    histories: Histories
    residuals: NDArray[np.float64]

    @classmethod
    def of(cls, table: NeighbourTable, histories: Histories, above: NDArray[np.floating]) -> NeighbourRatings:
        """Takes the reviewers' own means, damped, from ratings less the movies' baselines, [num_reviews]."""
        offsets = sums(above, histories.offsets) / (histories.lengths + OFFSET_DAMPING)
        return cls(table=table, histories=histories, residuals=above - offsets[histories.places])

    def at(self, keys: NDArray[np.integer] | slice) -> NDArray[np.float64]:
        """The stars of some keys, `place * num_movies + movie_row`, or of a slice of all: float64 [num]."""
        rows, places = self.histories.movie_rows, self.histories.places
        amounts = self.residuals, np.ones(len(rows))
        if isinstance(keys, slice) or len(keys) > self.table.num_neighbours(rows):
            num_places = len(self.histories)
            found, (above, weight) = self.table.spread(rows, *amounts, places=places, num_places=num_places)
            stars = above / (weight + RATING_PRIOR)
            return MovieSums(found, stars, num_places * self.table.num_movies).at(keys)
        wanted = np.asarray(keys, dtype=np.int64)
        above, weight = self.table.spread_to(wanted, rows, *amounts, places=places)
        return above / (weight + RATING_PRIOR)
