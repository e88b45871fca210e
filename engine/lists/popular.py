"""Makes the list of an unknown reviewer: the movies that are liked most these days."""

from __future__ import annotations

import numpy as np

from engine.answers import Reason, TopList
from engine.arrays import Floats, Rows, k_highest
from engine.lists.maker import ListMaker
from engine.lists.recipients import Recipient
from engine.model.histories import History
from engine.model.scorer import Model
from engine.model.values import Scores
from engine.questions.options import ListOptions

_NUM_CANDIDATES = 200
"""The most popular movies, from which a list is chosen where no condition names movies."""


class UnknownReviewer(Recipient):
    """Someone without a history, for whom the score of a movie is the logarithm of its popularity.

    Ratings are predicted as for a newcomer who has rated nothing yet.
    """

    def __init__(self, model: Model, popularity: Floats) -> None:
        self._model = model
        self._popularity = popularity
        nothing = History(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int8))
        self._reviewer = model.reviewer(None, nothing)
        self.seen_rows = nothing.movie_rows

    def scores(self, movie_rows: Rows) -> Scores:
        """Scores movies by the logarithm of one more than their popularity."""
        score = np.log1p(self._popularity[movie_rows]).astype(np.float32)
        rated = self._model.rating is not None
        return Scores(score, score, self._model.rate(self._reviewer, movie_rows) if rated else None)

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """Returns no reasons: no history speaks for a movie."""
        return [()] * len(movie_rows)


def popular_list(lists: ListMaker, popularity: Floats, k: int, options: ListOptions) -> TopList:
    """Makes an unknown reviewer's list by popularity, float32 [num_movies]; its `fallback` is "popular"."""
    candidates = np.sort(k_highest(popularity, max(_NUM_CANDIDATES, k)))
    top = lists.make_for(UnknownReviewer(lists.model, popularity), candidates, k, options)
    top.fallback = "popular"
    return top
