"""What each review of a history adds to the score of a movie, found by leaving it out.

A review's contribution is the score with the whole history less the score without that review, all else
being equal: `Model.reviewer(row, history without it)`. Scoring once a review would take seconds, so it is
worked out in closed form: every pooled sum less one term, with the older reviews one place newer and the
normalisers of a history that is one shorter. What a reviewer has beyond the pooled history, such as an
embedding or a generosity of their own, stays as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.model.histories import History, recency_weights
from engine.model.neighbour_ratings import OFFSET_DAMPING, RATING_PRIOR
from engine.model.rating_head import RatingHead, Tastes
from engine.model.scorer import Model, Reviewer

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]

EXACT_REVIEWS = 50
"""Reviews of a longer history that are left out one by one; a first-order estimate finds the strongest."""
_PAIRS_AT_ONCE = 200_000
_STEP = np.float32(1e-2)


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

    In a history of up to `EXACT_REVIEWS` reviews each is left out in turn. In a longer one that is done with
    those that add most by a first-order estimate: exact in relevance, linear in the chance of a like.

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
        found, added = _contributions(model, reviewer, movie_rows[block])
        best = (-added).argsort(axis=1, kind="stable")[:, :width]
        movies = np.arange(len(best))[:, None]
        places[block] = found[movies, best]
        amounts[block] = added[movies, best]
    return Contributions(places, amounts)


def _contributions(model: Model, reviewer: Reviewer, movie_rows: Rows) -> tuple[Rows, Doubles]:
    """Positions in the history, and what they add, each [num_movies, num_reviews left out]."""
    relevance = _relevance_contributions(model, reviewer.history, movie_rows)  # [num_movies, num_reviews]
    places = np.broadcast_to(np.arange(relevance.shape[1]), relevance.shape)
    if model.rating is None or reviewer.taste is None:
        return places, relevance
    left_out = _Ratings(model, model.rating, reviewer, reviewer.taste, movie_rows)
    if relevance.shape[1] > EXACT_REVIEWS:
        estimate = relevance + model.blend.like_weight * left_out.estimates()
        places = np.argpartition(-estimate, EXACT_REVIEWS - 1, axis=1)[:, :EXACT_REVIEWS]
        places = np.sort(places, axis=1)
        relevance = relevance[np.arange(len(places))[:, None], places]
    return places, relevance + model.blend.like_weight * left_out.contributions(places)


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

    def contributions(self, places: Rows) -> Doubles:
        """Exactly, for some reviews of each movie: float64 of the shape of `places`, [num_movies, num]."""
        movies = np.arange(len(places))
        near = self._near_without[movies[:, None], places]
        # With the whole history and without each review, all at once: most of the time goes by the call.
        likes = self._log_likes(
            np.concatenate([movies, np.repeat(movies, places.shape[1])]),
            np.concatenate([np.zeros((len(movies), self._head.dim)), self._moved[places.ravel()]]),
            np.concatenate([self._near, near.ravel()]),
        )
        full, without = likes[: len(movies)], likes[len(movies) :]
        return full[:, None] - without.reshape(places.shape)

    def estimates(self) -> Doubles:
        """To first order, for all reviews: float64 [num_movies, num_reviews]."""
        num_movies, dim = len(self._movie_rows), self._head.dim
        movies = np.repeat(np.arange(num_movies), dim)
        steps = np.tile(_STEP * np.eye(dim, dtype=np.float32), (num_movies, 1))
        full = self._log_likes(np.arange(num_movies), np.zeros((1, dim)), self._near)
        moved = self._log_likes(movies, steps, np.repeat(self._near, dim)).reshape(num_movies, dim)
        nearer = self._log_likes(np.arange(num_movies), np.zeros((1, dim)), self._near + _STEP)
        by_vector = (moved - full[:, None]) / _STEP @ self._moved.T
        by_near = (nearer - full)[:, None] / _STEP * (self._near_without - self._near[:, None])
        estimates: Doubles = -(by_vector + by_near)
        return estimates

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
