"""The lists of an evaluation: whoever training has nothing of gets what the engine lists for the unknown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.model.scorer import Model
from pipelines.measuring.ranking import top_of


class Lists(NamedTuple):
    """Ranks for known reviewers by the model, for others by popularity, as `--fallback popular` does."""

    model: Model
    """Trained, with the histories of training."""
    popularity: NDArray[np.float32]
    """float32 [num_movies], as `popularity_of` gives it."""

    def score(self, reviewer_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores of all movies, float32 [n, num_movies], for reviewer rows, int64 [n]."""
        scores = self.model.score(reviewer_rows)
        scores[self._are_strangers(reviewer_rows)] = self.popularity
        return scores

    def top(self, reviewer_rows: NDArray[np.int64], k: int) -> NDArray[np.integer]:
        """The k best unseen movies, int [n, k], -1 where none is left; equal ones stand in the order of rows.

        Raises:
            TrainingError: a score is not a number.
        """
        listed = top_of(self.model)(reviewer_rows, k).copy()
        popular = np.argsort(-self.popularity, kind="stable")[:k]
        strangers = np.flatnonzero(self._are_strangers(reviewer_rows))
        listed[strangers] = -1
        listed[strangers, : len(popular)] = popular
        return listed

    def _are_strangers(self, reviewer_rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        strangers: NDArray[np.bool_] = self.model.histories.lengths[reviewer_rows] == 0
        return strangers
