"""Makes the top lists: for whoever they are, under whatever conditions, from candidates to answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from engine.answers import Recommendation
from engine.candidates import CandidateSource
from engine.cards import MovieCards
from engine.catalog import Catalog
from engine.errors import ConfigError
from engine.ids import IdTable
from engine.scorer import Floats, Model, Reviewer, Scores

Rows = NDArray[np.int64]

_BATCH = 256


class ListArguments(TypedDict, total=False):
    """The keyword arguments of everything that makes a list; `ListOptions` says what each means."""

    where: str | None
    include_seen: bool


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """What a list may hold, and how it is put together.

    Attributes:
        where: an SQL condition over the catalogue's columns, such as "price < 10 and year >= 1990".
        include_seen: list movies too that the reviewer has reviewed.
    """

    where: str | None = None
    include_seen: bool = False


class ListMaker:
    """Makes top lists for reviewers, known or new.

    Args:
        model: scores the candidates.
        candidates: finds them.
        movies: the ids of the movies.
        cards: what is shown of them.
        catalog: answers conditions.
    """

    def __init__(
        self,
        model: Model,
        candidates: CandidateSource,
        movies: IdTable,
        cards: MovieCards,
        catalog: Catalog,
    ) -> None:
        self._model = model
        self._candidates = candidates
        self._movies = movies
        self._cards = cards
        self._catalog = catalog

    def make(self, reviewers: Sequence[Reviewer], k: int, options: ListOptions) -> list[list[Recommendation]]:
        """Makes the top list of each reviewer.

        Args:
            reviewers: who they are for, as `Model.reviewer` works them out.
            k: how long the lists are, at least 1; shorter only where no more movies match.
            options: what the lists may hold.

        Returns:
            A list for each reviewer, best first; equal scores stand in the order of the movies' ids.

        Raises:
            ConfigError: `k` is less than 1.
            FilterError: `options.where` is not a condition over the catalogue.
        """
        check_k(k)
        matching = None if options.where is None else self._catalog.matching_rows(options.where)
        lists: list[list[Recommendation]] = []
        for begin in range(0, len(reviewers), _BATCH):
            lists.extend(self._make(reviewers[begin : begin + _BATCH], k, matching, options))
        return lists

    def _make(
        self, reviewers: Sequence[Reviewer], k: int, matching: Rows | None, options: ListOptions
    ) -> list[list[Recommendation]]:
        if matching is None:
            found = self._candidates.find(reviewers, k, include_seen=options.include_seen)
        else:
            found = [self._open(matching, reviewer, options.include_seen) for reviewer in reviewers]
        return [self._top(reviewer, rows, k) for reviewer, rows in zip(reviewers, found, strict=True)]

    @staticmethod
    def _open(matching: Rows, reviewer: Reviewer, include_seen: bool) -> Rows:
        """With a condition every matching movie is scored, so that a list is short only when they run out."""
        return matching if include_seen else matching[~np.isin(matching, reviewer.history.movie_rows)]

    def _top(self, reviewer: Reviewer, rows: Rows, k: int) -> list[Recommendation]:
        scores = self._model.rescore(reviewer, rows)
        best = best_places(scores.score, k)
        predicted = None if scores.probabilities is None else scores.probabilities[best]
        return self._answers(rows[best], _pick(scores, best), predicted)

    def _answers(self, rows: Rows, scores: Scores, probabilities: Floats | None) -> list[Recommendation]:
        predicted, likes, names = None, None, []
        model = self._model
        if probabilities is not None and model.rating is not None:
            predicted = model.rating.summarize(probabilities)
            likes = model.like_probability(probabilities)
            names = [str(round(float(level), 4)) for level in model.rating.levels]
        answers = []
        for place, row in enumerate(rows):
            card = self._cards.card(int(row))
            answers.append(
                Recommendation(
                    rank=place + 1,
                    movie_id=self._movies.id(int(row)),
                    title=card["title"],
                    score=float(scores.score[place]),
                    relevance=float(scores.relevance[place]),
                    predicted_rating=None if predicted is None else float(predicted.mean[place]),
                    median_rating=None if predicted is None else float(predicted.median[place]),
                    like_probability=None if likes is None else float(likes[place]),
                    rating_probabilities=None
                    if predicted is None
                    else dict(zip(names, map(float, predicted.probabilities[place]), strict=True)),
                    card=card,
                )
            )
        return answers


def best_places(scores: Floats, k: int) -> Rows:
    """Positions of the k highest scores, best first, equal ones by position: int64 [min(k, len(scores))].

    Example:
        >>> best_places(np.array([1.0, 3.0, 3.0, 2.0], dtype=np.float32), 3).tolist()
        [1, 2, 3]
    """
    order: Rows = np.lexsort((np.arange(len(scores)), -scores))[:k]
    return order


def check_k(k: int) -> None:
    """Refuses a list that is shorter than one.

    Raises:
        ConfigError: `k` is less than 1.
    """
    if k < 1:
        raise ConfigError(f"k must be at least 1 but is {k}; it says how many results are wanted")


def _pick(scores: Scores, places: Rows) -> Scores:
    return Scores(scores.score[places], scores.relevance[places], None)
