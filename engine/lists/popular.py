"""What is listed for someone of whom nothing is known: the movies that are liked most these days."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.answers import Reason, TopList
from engine.arrays import Floats, Rows, best_places
from engine.artifact.layout import POPULARITY
from engine.artifact.reader import Artifact
from engine.errors import ConfigError
from engine.lists.maker import ListMaker
from engine.model.histories import History
from engine.model.scorer import Model, Scores
from engine.questions.options import ListOptions

FALLBACKS = ("error", "popular")
"""What may be done about a reviewer whom the index does not know."""

_NUM_CANDIDATES = 200


def check_fallback(fallback: str) -> None:
    """Refuses a fallback that there is none of.

    Raises:
        ConfigError: it is not one of `FALLBACKS`.
    """
    if fallback not in FALLBACKS:
        raise ConfigError(f"fallback must be one of {', '.join(FALLBACKS)} but is {fallback!r}")


class Stranger:
    """Someone without a history, whose scores are the logarithms of the movies' popularity.

    Ratings are predicted as for anyone who has rated nothing yet.

    Args:
        model: predicts the ratings.
        popularity: float32 [num_movies], at least 0.
    """

    def __init__(self, model: Model, popularity: Floats) -> None:
        self._model = model
        self._popularity = popularity
        nothing = History(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int8))
        self._reviewer = model.reviewer(None, nothing)

    @property
    def seen_rows(self) -> NDArray[np.integer]:
        """None are known."""
        return self._reviewer.history.movie_rows

    def candidates(self, num_candidates: int) -> Rows:
        """The most popular movies, int64 [num], ascending."""
        return np.sort(best_places(self._popularity, num_candidates))

    def scores(self, movie_rows: Rows) -> Scores:
        """The logarithm of one more than each movie's popularity."""
        score = np.log1p(self._popularity[movie_rows]).astype(np.float32)
        rated = self._model.rating is not None
        return Scores(score, score, self._model.rate(self._reviewer, movie_rows) if rated else None)

    def best_scores(self, movie_rows: Rows, k: int) -> tuple[Rows, Scores]:
        """Those of all."""
        return np.arange(len(movie_rows)), self.scores(movie_rows)

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """None: no history speaks for a movie."""
        return [()] * len(movie_rows)


def review_counts(model: Model) -> Floats:
    """The popularity of an artifact that does not hold any: how many reviews each movie has."""
    counts = np.bincount(model.histories.movie_rows, minlength=model.num_movies)
    return counts.astype(np.float32)


def popular_list(lists: ListMaker, model: Model, artifact: Artifact, k: int, options: ListOptions) -> TopList:
    """Makes the list of someone of whom nothing is known, which says so in its `fallback`."""
    held = artifact.has(f"{POPULARITY}.npy")
    stranger = Stranger(model, artifact.array(POPULARITY) if held else review_counts(model))
    found = lists.make_for(stranger, stranger.candidates(max(_NUM_CANDIDATES, k)), k, options)
    found.fallback = "popular"
    return found
