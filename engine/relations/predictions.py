"""The questions the other way round: who is like whom, who should hear of a movie, what would they give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.answers import LikelyReviewer, MoviePrediction, SimilarReviewer
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants
from engine.lists.reasons import Explainer
from engine.model.heads import RatingHead
from engine.model.scorer import Model
from engine.relations.audience import find_reviewers
from engine.relations.like_minded_reviewers import similar_reviewers

INTERVAL_SHARE = 0.8
"""The part of the ratings that the central interval of a prediction holds at least."""


class Directions:
    """Answers about reviewers.

    Args:
        model: scores and rates.
        reviewers: the ids of the reviewers.
        movies: the ids of the movies.
        cards: hold the titles.
        variants: which movies are one film; None where nobody looked.
    """

    def __init__(
        self,
        model: Model,
        reviewers: IdTable,
        movies: IdTable,
        cards: MovieCards,
        variants: Variants | None,
    ) -> None:
        self._model = model
        self._reviewers = reviewers
        self._movies = movies
        self._cards = cards
        self._variants = variants or Variants.none()
        self._explainer = Explainer(model, movies, cards)

    def similar_reviewers(self, reviewer_row: int, k: int) -> list[SimilarReviewer]:
        """The reviewers whose taste is nearest to that of the one in a row, nearest first."""
        rows, similarities, num_shared = similar_reviewers(self._model, reviewer_row, k)
        num_reviews = np.diff(self._model.histories.offsets[np.stack([rows, rows + 1])], axis=0)[0]
        return [
            SimilarReviewer(
                rank=place + 1,
                reviewer_id=self._reviewers.id(int(row)),
                similarity=float(similarities[place]),
                num_shared=int(num_shared[place]),
                num_reviews=int(num_reviews[place]),
            )
            for place, row in enumerate(rows)
        ]

    def reviewers_for(self, movie_row: int, k: int, *, because: bool) -> list[LikelyReviewer]:
        """The reviewers for whom the movie in a row scores highest, but for those who have seen the film."""
        found = find_reviewers(self._model, movie_row, k, self._variants.of(movie_row))
        head, predicted, likes = self._model.rating, None, None
        if head is not None and found.probabilities is not None:
            predicted = head.summarize(found.probabilities)
            likes = self._model.like_probability(found.probabilities)
        answers = []
        for place, row in enumerate(found.rows):
            reasons = None
            if because:
                reviewer = self._model.reviewer(int(row))
                (reasons,) = self._explainer.reasons(reviewer, np.array([movie_row]))
            answers.append(
                LikelyReviewer(
                    rank=place + 1,
                    reviewer_id=self._reviewers.id(int(row)),
                    score=float(found.score[place]),
                    relevance=float(found.relevance[place]),
                    predicted_rating=None if predicted is None else float(predicted.mean[place]),
                    median_rating=None if predicted is None else float(predicted.median[place]),
                    like_probability=None if likes is None else float(likes[place]),
                    rating_probabilities=None
                    if predicted is None or head is None
                    else _by_level(head, predicted.probabilities[place]),
                    because=reasons,
                )
            )
        return answers

    def predictions(self, reviewer_row: int, movie_rows: Sequence[int]) -> list[MoviePrediction] | None:
        """What the reviewer in a row would give some movies; None where the data has no ratings."""
        movies = np.array(movie_rows, dtype=np.int64)
        predicted = self._model.predict(np.full(len(movies), reviewer_row), movies)
        if predicted is None or self._model.rating is None:
            return None
        head, likes = self._model.rating, self._model.like_probability(predicted.probabilities)
        low, high = central_interval(head.levels, predicted.probabilities, INTERVAL_SHARE)
        return [
            MoviePrediction(
                movie_id=self._movies.id(int(row)),
                title=self._cards.card(int(row))["title"],
                predicted_rating=float(predicted.mean[place]),
                median_rating=float(predicted.median[place]),
                like_probability=float(likes[place]),
                interval=(round(float(low[place]), 4), round(float(high[place]), 4)),
                rating_probabilities=_by_level(head, predicted.probabilities[place]),
            )
            for place, row in enumerate(movies)
        ]


def central_interval(
    levels: NDArray[np.float32], probabilities: NDArray[np.float32], share: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The levels between which a rating falls with some chance, no more than half the rest on either side.

    Args:
        levels: float32 [num_levels], ascending.
        probabilities: float32 [num, num_levels], rows sum to 1.
        share: the least chance of the interval, 0 to 1.

    Returns:
        Lowest and highest level, float32 [num] each; both belong to the interval.

    Example:
        >>> levels = np.array([1, 2, 3, 4, 5], dtype=np.float32)
        >>> low, high = central_interval(levels, np.array([[0.05, 0.1, 0.3, 0.5, 0.05]], np.float32), 0.8)
        >>> low.tolist(), high.tolist()
        ([2.0], [4.0])
    """
    tail = (1 - share) / 2
    at_or_under = np.cumsum(probabilities.astype(np.float64), axis=1)[:, :-1]
    low = (at_or_under <= tail + 1e-6).sum(axis=1)
    high = (at_or_under < 1 - tail - 1e-6).sum(axis=1)
    return levels[low], levels[high]


def _by_level(head: RatingHead, probabilities: NDArray[np.float32]) -> dict[str, float]:
    names = (str(round(float(level), 4)) for level in head.levels)
    return dict(zip(names, map(float, probabilities), strict=True))
