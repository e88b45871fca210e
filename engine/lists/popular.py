"""Makes the top list of a reviewer whom the index does not know: a list of the most popular movies."""

from __future__ import annotations

import numpy as np

from engine.answers import Reason, TopList
from engine.arrays import Floats, Rows, k_highest
from engine.lists.maker import ListMaker
from engine.lists.reasons import Recipient
from engine.model.histories import History
from engine.model.scorer import Model
from engine.model.values import Scores
from engine.questions.arguments import ListOptions

_NUM_CANDIDATES = 200
"""The number of most popular movies from which the list is chosen, if no condition restricts the movies."""


class UnknownReviewer(Recipient):
    """Scores movies for a reviewer without reviews; the score of a movie is `log(1 + popularity)`.

    The predicted ratings are the ratings that the model predicts for a newcomer without reviews.
    """

    def __init__(self, model: Model, popularity: Floats, hidden_rows: Rows) -> None:
        self._model = model
        self._popularity = popularity
        nothing = History(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int8))
        self._reviewer = model.reviewer(None, nothing)
        self.seen_rows = nothing.movie_rows
        self.hidden_rows = hidden_rows

    def scores(self, movie_rows: Rows) -> Scores:
        """Scores each movie; the score is `log(1 + popularity of the movie)`."""
        score = np.log1p(self._popularity[movie_rows]).astype(np.float32)
        rated = self._model.rating is not None
        return Scores(score, score, self._model.rate(self._reviewer, movie_rows) if rated else None)

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """Returns no reasons for any movie, because an unknown reviewer has no reviews."""
        return [()] * len(movie_rows)


def popular_list(
    lists: ListMaker, popularity: Floats, k: int, options: ListOptions, hidden_rows: Rows | None = None
) -> TopList:
    """Makes the top list of an unknown reviewer; `popularity`, float32 [num_movies], orders the movies.

    The array `hidden_rows`, int64 [num], ascending, holds the rows of the movies that are hidden from the
    reviewer. The attribute `fallback` of the list is "popular".
    """
    candidates = np.sort(k_highest(popularity, max(_NUM_CANDIDATES, k)))
    hidden = candidates[:0] if hidden_rows is None else hidden_rows
    recipient = UnknownReviewer(lists.model, popularity, hidden)
    top = lists.make_for(recipient, candidates, k, options)
    top.fallback = "popular"
    return top
