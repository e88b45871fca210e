"""Says why a movie is recommended: the movies of the history that add most to its score, by name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.answers import Reason
from engine.arrays import Doubles, Rows
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.model.heads import RatingHead, Tastes
from engine.model.histories import History, recency_weights
from engine.model.neighbours import OFFSET_DAMPING, RATING_PRIOR
from engine.model.scorer import Model, Reviewer

MOST_REASONS = 3
"""Movies that are named as reasons of one recommendation."""

_Named = tuple[str, str | None, float | None]
"""Of a movie of the history its id, title and rating."""


_PAIRS_AT_ONCE = 200_000


class Explainer:
    """Gives the reasons of recommendations.

    Args:
        model: what they are scored with.
        movies: the ids of the movies.
        cards: hold the titles.
    """

    def __init__(self, model: Model, movies: IdTable, cards: MovieCards) -> None:
        self._model = model
        self._movies = movies
        self._cards = cards

    def reasons(self, reviewer: Reviewer, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """The reasons why some movies are recommended to a reviewer.

        Args:
            reviewer: who they are recommended to.
            movie_rows: int64 [num_movies].

        Returns:
            For each movie up to `MOST_REASONS` of the history's, those that add most first. Only those that
            add to the score are named, so that there may be none; a history of one review gives that one.
        """
        history = reviewer.history
        only = len(history.movie_rows) == 1
        places, amounts = strongest_contributions(self._model, reviewer, movie_rows, MOST_REASONS)
        named: dict[int, _Named] = {}
        reasons = []
        for own_places, own_amounts in zip(places.tolist(), amounts.tolist(), strict=True):
            pairs = zip(own_places, own_amounts, strict=True)
            added = [(place, amount) for place, amount in pairs if amount > 0 or only]
            reasons.append(tuple(self._reason(reviewer, place, amount, named) for place, amount in added))
        return reasons

    def _reason(
        self, reviewer: Reviewer, place: int, contribution: float, named: dict[int, _Named]
    ) -> Reason:
        """Looks a movie of the history up once a list, however often it is a reason."""
        if place not in named:
            row, level = int(reviewer.history.movie_rows[place]), int(reviewer.history.level_rows[place])
            head = self._model.rating
            named[place] = (
                self._movies.id(row),
                self._cards.card(row)["title"],
                None if head is None else round(float(head.levels[level]), 4),
            )
        movie_id, title, rating = named[place]
        return Reason(movie_id=movie_id, title=title, rating=rating, contribution=contribution)


class Contributions(NamedTuple):
    """What reviews add to the scores of some movies, the strongest first for each movie."""

    places: Rows
    """int64 [num_movies, num_strongest], positions in the history."""
    amounts: Doubles
    """float64 [num_movies, num_strongest], in units of the score, descending; may be negative."""


def strongest_contributions(
    model: Model, reviewer: Reviewer, movie_rows: Rows, num_strongest: int
) -> Contributions:
    """Finds the reviews of a history that add most to the scores of some movies.

    Each review is left out in turn.

    Args:
        model: scores the movies.
        reviewer: whose history it is.
        movie_rows: int64 [num_movies].
        num_strongest: how many reviews are wanted of each movie; fewer where the history is shorter.
    """
    num_reviews = len(reviewer.history.movie_rows)
    width = min(num_strongest, num_reviews)
    places = np.zeros((len(movie_rows), width), dtype=np.int64)
    amounts = np.zeros((len(movie_rows), width))
    step = max(1, _PAIRS_AT_ONCE // max(1, num_reviews))
    for begin in range(0, len(movie_rows) if width else 0, step):
        block = slice(begin, begin + step)
        added = _contributions(model, reviewer, movie_rows[block])
        best = (-added).argsort(axis=1, kind="stable")[:, :width]
        places[block] = best
        amounts[block] = np.take_along_axis(added, best, axis=1)
    return Contributions(places, amounts)


def _contributions(model: Model, reviewer: Reviewer, movie_rows: Rows) -> Doubles:
    """What each review adds to the score of each movie: float64 [num_movies, num_reviews]."""
    relevance = _relevance_contributions(model, reviewer.history, movie_rows)
    if model.rating is None or reviewer.taste is None:
        return relevance
    left_out = _Ratings(model, model.rating, reviewer, reviewer.taste, movie_rows)
    return relevance + model.blend.like_weight * left_out.contributions()


def _relevance_contributions(model: Model, history: History, movie_rows: Rows) -> Doubles:
    """What each review adds to the relevance, neighbours and all: float64 [num_movies, num_reviews]."""
    head = model.relevance
    fading = _fading(len(history.movie_rows), head.recency_power)
    weights = model.nearness_table.between(movie_rows, history.movie_rows)
    near: Doubles = weights * model.like_weights[history.level_rows].astype(np.float64)
    mass = fading.sum()
    without = _without_each(near, fading) / max(mass - fading[0], 1.0)
    added: Doubles = model.blend.neighbour_weight * ((near @ fading / max(mass, 1.0))[:, None] - without)

    # One review more than count, since it moves up when a newer one is left out.
    latest = slice(-head.max_history - 1, None)
    window, levels = history.movie_rows[latest], history.level_rows[latest]
    fading = fading[latest].copy()
    shorter = fading[1:].sum()
    if len(window) > head.max_history:
        fading[0] = 0.0
    vectors: Doubles = (head.movie_vectors[movie_rows, :-1] @ head.history_vectors[window].T).astype(
        np.float64
    )
    pooled: Doubles = vectors * head.level_weights[levels]
    full = pooled @ fading / np.sqrt(fading.sum() + 1.0)
    added[:, latest] += full[:, None] - _without_each(pooled, fading) / np.sqrt(shorter + 1.0)
    return added


def _fading(num_reviews: int, power: float) -> Doubles:
    return recency_weights(np.arange(num_reviews, 0, -1), power).astype(np.float64)


def _without_each(terms: Doubles, fading: Doubles) -> Doubles:
    """Faded sums of a history without each of its reviews; those older than it are then one place newer.

    Args:
        terms: float64 [num_movies, num_reviews], oldest first.
        fading: float64 [num_reviews], what each counts in the whole history.

    Returns:
        float64 [num_movies, num_reviews].
    """
    kept = terms * fading
    moved = terms[:, :-1] * fading[1:]
    without: Doubles = kept.sum(axis=1)[:, None] - kept.cumsum(axis=1)
    without[:, 1:] += moved.cumsum(axis=1)
    return without


class _Ratings:
    """What each review adds to the logarithm of the chance of a like."""

    def __init__(
        self, model: Model, head: RatingHead, reviewer: Reviewer, taste: Tastes, movie_rows: Rows
    ) -> None:
        self._model, self._head, self._taste, self._movie_rows = model, head, taste, movie_rows
        history_rows = reviewer.history.movie_rows
        residuals = (head.levels[reviewer.history.level_rows] - head.baselines[history_rows]).astype(
            np.float64
        )
        rows = head.history_vectors[history_rows]
        terms = rows[:, : head.dim] + residuals[:, None] * rows[:, head.dim :]  # [num_reviews, dim]
        pooled, num_reviews = terms.sum(axis=0), len(history_rows)
        self._moved = (pooled - terms) / np.sqrt(num_reviews) - pooled / np.sqrt(num_reviews + 1)
        self._near, self._near_without = np.zeros(len(movie_rows)), np.zeros((len(movie_rows), num_reviews))
        if model.rating_neighbours is not None:
            weights = model.rating_neighbours.between(movie_rows, history_rows)
            self._near, self._near_without = _neighbour_ratings(weights, residuals)

    def contributions(self) -> Doubles:
        """What each review adds: float64 [num_movies, num_reviews]."""
        movies, shape = np.arange(len(self._movie_rows)), self._near_without.shape
        # With the whole history and without each review, all at once: most of the time goes by the call.
        likes = self._log_likes(
            np.concatenate([movies, movies.repeat(shape[1])]),
            np.concatenate([np.zeros((len(movies), self._head.dim)), np.tile(self._moved, (len(movies), 1))]),
            np.concatenate([self._near, self._near_without.ravel()]),
        )
        return likes[: len(movies), None] - likes[len(movies) :].reshape(shape)

    def _log_likes(self, movies: Rows, moved: NDArray[np.floating], near: Doubles) -> Doubles:
        """The logarithm of the chance of a like of pairs: of a movie, and of the taste moved by a vector.

        Args:
            movies: int64 [num_pairs], positions in the movies asked for.
            moved: what is added to the reviewer's vector, float [num_pairs or 1, dim].
            near: float64 [num_pairs], what the neighbours' ratings say.
        """
        blend, taste = self._model.blend, self._taste
        tastes = Tastes((taste.vectors + moved).astype(np.float32), taste.biases, taste.log_scales)
        location, log_scale = self._head.locate(tastes, self._movie_rows[movies], blend.interaction_weight)
        location = (location + np.float32(blend.rating_neighbour_weight) * near).astype(np.float32)
        chances = self._head.probabilities(location, log_scale + np.float32(blend.log_temperature))
        return np.log(np.maximum(self._model.like_probability(chances), 1e-6)).astype(np.float64)


def _neighbour_ratings(weights: Doubles, residuals: Doubles) -> tuple[Doubles, Doubles]:
    """What neighbours' ratings say of movies, with the whole history and without each review.

    Args:
        weights: float64 [num_movies, num_reviews].
        residuals: float64 [num_reviews], stars above the movies' baselines.

    Returns:
        float64 [num_movies] and float64 [num_movies, num_reviews].
    """
    above, mass, total = weights @ residuals, weights.sum(axis=1), residuals.sum()
    damped = len(residuals) + OFFSET_DAMPING
    full = (above - total / damped * mass) / (mass + RATING_PRIOR)
    mass_without = mass[:, None] - weights
    offsets = (total - residuals) / (damped - 1)
    without = (above[:, None] - weights * residuals - offsets * mass_without) / (mass_without + RATING_PRIOR)
    return full, without
