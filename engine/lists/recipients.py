"""Whom a list is for: what they have seen already, and how movies score for them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.answers import Reason
from engine.arrays import Rows
from engine.lists.reasons import Explainer
from engine.model.scorer import Model, Reviewer, Scores


class Recipient(Protocol):
    """What a top list is made for. Its scores of a movie do not depend on what else is scored."""

    @property
    def seen_rows(self) -> NDArray[np.integer]:
        """The movies that count as seen, int [num]."""
        ...

    def scores(self, movie_rows: Rows) -> Scores:
        """Scores some movies."""
        ...

    def best_scores(self, movie_rows: Rows, k: int) -> tuple[Rows, Scores]:
        """Scores those of some movies that may be among their k best, at positions that ascend."""
        ...

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """Why each of some movies is listed."""
        ...


class OneReviewer:
    """A single reviewer, known or new.

    Args:
        model: scores for them.
        reviewer: who they are.
        explainer: gives the reasons.
    """

    def __init__(self, model: Model, reviewer: Reviewer, explainer: Explainer) -> None:
        self._model = model
        self._reviewer = reviewer
        self._explainer = explainer

    @property
    def seen_rows(self) -> NDArray[np.integer]:
        """The movies of their history."""
        return self._reviewer.history.movie_rows

    def scores(self, movie_rows: Rows) -> Scores:
        """Their own scores."""
        return self._model.rescore(self._reviewer, movie_rows)

    def best_scores(self, movie_rows: Rows, k: int) -> tuple[Rows, Scores]:
        """Those of the best, without rating what cannot be among them."""
        return self._model.rescore_best(self._reviewer, movie_rows, k)

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """The movies of their history that speak most for each."""
        return self._explainer.reasons(self._reviewer, movie_rows)
