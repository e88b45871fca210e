"""Describes the recipients of top lists: which movies they have seen, how movies score, and why.

A reason is a review by the recipient; the contribution of the review is the score of a movie minus the score
that the movie would have without the review. The score of a movie is computed from a few sums over the
recipient's reviews. To compute the score that a movie would have without a review, the engine corrects the
sums over the recipient's reviews. To correct a sum takes less time than to add up all other reviews again.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from engine.answers import Reason
from engine.arrays import Doubles, Rows, distinct, k_highest_of_rows
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.model.heads import RatingHead, Tastes
from engine.model.histories import recency_weights
from engine.model.neighbours import stars_without_each
from engine.model.scorer import Model
from engine.model.values import Reviewer, Scores

MOST_REASONS = 3
"""The largest number of reviews that a recommended movie names as reasons."""
_PAIRS_AT_ONCE = 200_000
"""The number of pairs (a movie and a review) whose contributions are computed in one step; a pair takes some
hundred bytes of memory."""
_CONTRIBUTIONS_CHECKED = 8
"""The contributions of at least this many reviews are computed exactly for each movie; the contributions of
all other reviews are only estimated."""
_STEP = 0.01
"""To estimate how fast the log chance of a like grows with the location (centre) of a predicted rating's
distribution, the location is raised by `_STEP` logits. To estimate how fast the log chance of a like grows
with the log scale of a predicted rating's distribution, the log scale is raised by `_STEP`."""


class Recipient(Protocol):
    """Scores movies for whoever receives a list; no movie's score depends on other movies."""

    seen_rows: NDArray[np.integer]
    """int [num]: the rows of the movies that the recipient has seen."""
    hidden_rows: Rows
    """int64 [num]: the rows of the movies that are hidden from the recipient."""

    def scores(self, movie_rows: Rows) -> Scores:
        """Scores the given movies for the recipient."""
        ...

    def best_scores(self, movie_rows: Rows, k: int) -> tuple[Rows, Scores]:
        """Scores movies that may be among the k best; returns positions in `movie_rows`, and the scores.

        The method of the base class scores all movies in `movie_rows`. A subclass may leave out a movie that
        is certain to score lower than the k best movies.
        """
        return np.arange(len(movie_rows)), self.scores(movie_rows)

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """Finds the reviews that add most to each movie's score, the largest contribution first."""
        ...


class _Named(TypedDict):
    """Holds those fields of a `Reason` that describe the review."""

    movie_id: str
    title: str | None
    rating: float | None


class OneReviewer(Recipient):
    """Scores movies for a single reviewer: a reviewer of the index or a newcomer.

    Args:
        model: the model that scores movies.
        reviewer: what scores depend on: the vectors and the history of the reviewer.
        movies: the table of movie ids; a reason names a movie by its id.
        cards: the cards of the movies; a reason also names a movie by its title.
    """

    def __init__(self, model: Model, reviewer: Reviewer, movies: IdTable, cards: MovieCards) -> None:
        self.reviewer = reviewer
        self.seen_rows = reviewer.history.movie_rows
        self.hidden_rows = reviewer.hidden_rows
        self._model = model
        self._movies = movies
        self._cards = cards

    def scores(self, movie_rows: Rows) -> Scores:
        """Scores the given movies for the reviewer."""
        return self._model.rescore(self.reviewer, movie_rows)

    def best_scores(self, movie_rows: Rows, k: int) -> tuple[Rows, Scores]:
        """Scores movies that may be among the k best, without predicting ratings of all movies."""
        return self._model.rescore_best(self.reviewer, movie_rows, k)

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """Finds the reviews, at most `MOST_REASONS`, that add most to each movie's score.

        A review whose contribution is 0 or less is no reason, unless it is the reviewer's only review.
        """
        only = len(self.reviewer.history.movie_rows) == 1
        found = strongest_contributions(self._model, self.reviewer, movie_rows, MOST_REASONS)
        named = {place: self._named(place) for place in distinct(found.places.ravel()).tolist()}
        return [
            tuple(
                Reason(**named[place], contribution=amount)
                for place, amount in zip(places, amounts, strict=True)
                if amount > 0 or only
            )
            for places, amounts in zip(found.places.tolist(), found.amounts.tolist(), strict=True)
        ]

    def _named(self, place: int) -> _Named:
        """Describes the review at the position `place` in the reviewer's history."""
        row, level = (int(rows[place]) for rows in self.reviewer.history)
        head = self._model.rating
        rating = None if head is None else round(float(head.levels[level]), 4)
        return _Named(movie_id=self._movies.id(row), title=self._cards.title(row), rating=rating)


class Contributions(NamedTuple):
    """Holds the reviews that add most to the score of each movie, and what the reviews add."""

    places: Rows
    """int64 [num_movies, num_strongest]: the reviews that add most to the score of each movie. A review is
    named by its position in the reviewer's history."""
    amounts: Doubles
    """float64 [num_movies, num_strongest], descending: the number that each review in `places` adds to the
    score of the movie."""


def strongest_contributions(
    model: Model, reviewer: Reviewer, movie_rows: Rows, num_strongest: int
) -> Contributions:
    """Finds the `num_strongest` reviews of a history that add most to the score of each movie.

    The contribution of a review is the score of the movie minus the score without the review. In a long
    history, the contributions of all reviews are estimated by a linear approximation. Only the contributions
    of the reviews with the highest estimates are computed exactly. The function returns the `num_strongest`
    highest of the exact contributions.
    """
    num_reviews = len(reviewer.history.movie_rows)
    shape = len(movie_rows), min(num_strongest, num_reviews)
    places, amounts = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    step = max(1, _PAIRS_AT_ONCE // max(1, num_reviews))
    for begin in range(0, len(movie_rows) if num_reviews else 0, step):
        block = slice(begin, begin + step)
        num_checked = max(num_strongest, _CONTRIBUTIONS_CHECKED)
        checked, added = _contributions(model, reviewer, movie_rows[block], num_checked)
        best = k_highest_of_rows(added, num_strongest)
        places[block] = np.take_along_axis(checked, best, axis=1)
        amounts[block] = np.take_along_axis(added, best, axis=1)
    return Contributions(places, amounts)


def _contributions(
    model: Model, reviewer: Reviewer, movie_rows: Rows, num_checked: int
) -> tuple[Rows, Doubles]:
    """Computes, for each movie, the exact contributions of the reviews that seem to contribute most.

    The contribution of a review is the number that the review adds to the score of the movie. The function
    estimates the contributions of all reviews, and computes the exact contributions of the `num_checked`
    reviews with the highest estimates. If the history has at most `num_checked` reviews, or if the model
    predicts no ratings, all contributions are computed exactly, and none is estimated.

    Returns:
        For each movie, the reviews with the highest estimated contributions, as positions in the reviewer's
        history, int64 [num_movies, num_checked]; and the exact contributions of these reviews, float64
        [num_movies, num_checked].
    """
    relevance = _relevance_contributions(model, reviewer, movie_rows)
    if model.rating is None or reviewer.taste is None:
        places = np.broadcast_to(np.arange(relevance.shape[1]), relevance.shape)
        return places, relevance
    without = _without_each_review(model.rating, reviewer, movie_rows)
    if relevance.shape[1] <= num_checked:
        places = np.broadcast_to(np.arange(relevance.shape[1]), relevance.shape)
    else:
        likes = without.estimates(model, model.rating, reviewer.taste, movie_rows)
        places = k_highest_of_rows(relevance + model.blend.like_weight * likes, num_checked)
    likes = without.like_contributions(model, reviewer.taste, movie_rows, places)
    return places, np.take_along_axis(relevance, places, axis=1) + model.blend.like_weight * likes


def _relevance_contributions(model: Model, reviewer: Reviewer, movie_rows: Rows) -> Doubles:
    """Returns what each review adds to the relevance of each movie: float64 [num_movies, num_reviews].

    A review of another movie adds to the relevance of a movie in two ways: through the reviewer's vector, and
    through each neighbour table that names the movie as a neighbour or successor of the reviewed movie.
    """
    head, history = model.relevance, reviewer.history
    ages = np.arange(len(history.movie_rows), 0, -1)
    added: Doubles = np.zeros((len(movie_rows), len(ages)))
    for table, found in zip(model.near_tables, reviewer.near_found, strict=True):
        fading = recency_weights(ages, table.recency_power).astype(np.float64)
        near = table.table.between(movie_rows, found)
        near = near * model.review_weights[history.level_rows].astype(np.float64)
        mass = fading.sum()
        weight, shorter = table.weight_of_review(np.array([mass, mass - fading[0]]))
        added += weight * (near @ fading)[:, None] - shorter * _without_each(near, fading)

    # The window holds one review more than `max_history`, since the oldest review counts if a newer review is
    # left out.
    latest = slice(-head.max_history - 1, None)
    window, levels = history.movie_rows[latest], history.level_rows[latest]
    fading = recency_weights(ages, head.recency_power).astype(np.float64)[latest]
    shorter = fading[1:].sum()
    if len(window) > head.max_history:
        fading[0] = 0.0
    products = head.movie_vectors[movie_rows, :-1] @ head.history_vectors[window].T
    pooled: Doubles = products.astype(np.float64) * head.level_weights[levels]
    full = pooled @ fading / np.sqrt(fading.sum() + 1.0)
    added[:, latest] += full[:, None] - _without_each(pooled, fading) / np.sqrt(shorter + 1.0)
    return added


def _without_each(terms: Doubles, fading: Doubles) -> Doubles:
    """Sums what the reviews of a history add to the scores of movies, leaving out each review in turn.

    A review adds its number in `terms`, multiplied by the weight of the review, to the score of a movie. The
    number of a review in `terms` depends on the scored movie and the reviewed movie; an example is the
    similarity of the two movies. The weight of a review depends on the age of the review; an older review
    weighs less. The age of a review is counted in reviews: 1 for the latest review of a history, 2 for the
    review before, and so on. If a review is left out, the age of every older review falls by one, so all
    older reviews weigh more.

    Args:
        terms: float64 [num_movies, num_reviews], for each movie and each review, the number that is
            multiplied by the weight of the review; the oldest review is first.
        fading: float64 [num_reviews], the weight of each review if no review is left out; the oldest review
            is first.

    Returns:
        float64 [num_movies, num_reviews]: column i holds, for each movie, what all reviews except review i
        add to the score of the movie.
    """
    kept = terms * fading
    moved = terms[:, :-1] * fading[1:]
    without: Doubles = kept.sum(axis=1)[:, None] - kept.cumsum(axis=1)
    without[:, 1:] += moved.cumsum(axis=1)
    return without


class _WithoutEach(NamedTuple):
    """Holds the data to predict a reviewer's ratings as if each review of the history were left out in turn.

    A predicted rating depends on the reviewer's vector in the rating head, and on the reviewer's ratings of
    the movie's neighbours (similar movies).
    """

    moved: Doubles
    """float64 [num_reviews, dim]: the change of the reviewer's vector in the rating head when each review is
    left out."""
    stars: Doubles
    """float64 [num_movies]: for each movie, the mean difference, in stars, between the reviewer's ratings of
    the movie's neighbours (similar movies) and the expected ratings."""
    stars_without: Doubles
    """float64 [num_movies, num_reviews]: for each movie, the mean difference, in stars, between the
    reviewer's ratings of the movie's neighbours and the expected ratings; column i leaves out review i of the
    history."""

    def estimates(self, model: Model, head: RatingHead, taste: Tastes, movie_rows: Rows) -> Doubles:
        """Estimates what each review adds to the log chance of a like: float64 [num_movies, num_reviews].

        The estimate takes the log chance of a like to be a linear function of the reviewer's vector.
        """
        location, log_scale = head.locate(taste, movie_rows, model.blend.interaction_weight)
        location = location + np.float32(model.blend.rating_neighbour_weight) * self.stars.astype(np.float32)
        log_scale = log_scale + np.float32(model.blend.log_temperature)
        steps = np.repeat(
            np.array([[0, 0], [_STEP, 0], [0, _STEP]], dtype=np.float32), len(movie_rows), axis=0
        )
        chances = head.probabilities(np.tile(location, 3) + steps[:, 0], np.tile(log_scale, 3) + steps[:, 1])
        likes = model.log_like(chances).astype(np.float64).reshape(3, -1)
        by_location, by_scale = (likes[1:] - likes[0]) / _STEP
        location_slopes, scale_slopes = head.slopes(taste, movie_rows, model.blend.interaction_weight)
        slopes = by_location[:, None] * location_slopes + by_scale[:, None] * scale_slopes
        by_stars = model.blend.rating_neighbour_weight * by_location
        changed = slopes @ self.moved.T + by_stars[:, None] * (self.stars_without - self.stars[:, None])
        estimates: Doubles = np.negative(changed)
        return estimates

    def like_contributions(self, model: Model, taste: Tastes, movie_rows: Rows, places: Rows) -> Doubles:
        """Computes what the reviews at the positions `places` add to the log chance of a like.

        Args:
            model: the model that predicts ratings.
            taste: the reviewer's vector, bias and log scale, all computed from the whole history.
            movie_rows: the rows of the movies, int64 [num_movies].
            places: for each movie, the reviews whose contributions are computed, as positions in the
                reviewer's history, int64 [num_movies, num_checked].

        Returns:
            float64 [num_movies, num_checked], what each review in `places` adds to the log chance that the
            reviewer likes the movie.
        """
        # One call predicts with the whole history and with every history without a review, because one call
        # is faster than several calls.
        moved = np.concatenate([np.zeros((len(movie_rows), self.moved.shape[1])), self.moved[places.ravel()]])
        tastes = Tastes((taste.vectors + moved).astype(np.float32), taste.biases, taste.log_scales)
        movies = np.concatenate([movie_rows, movie_rows.repeat(places.shape[1])])
        without = np.take_along_axis(self.stars_without, places, axis=1)
        chances = model.rate_tastes(tastes, movies, np.concatenate([self.stars, without.ravel()]))
        likes = model.log_like(chances).astype(np.float64)
        return likes[: len(movie_rows), None] - likes[len(movie_rows) :].reshape(places.shape)


def _without_each_review(head: RatingHead, reviewer: Reviewer, movie_rows: Rows) -> _WithoutEach:
    """Computes the data to predict a reviewer's ratings as if each review were left out in turn.

    The model predicts a rating from the reviewer's vector in the rating head, and from the reviewer's ratings
    of the movie's neighbours (similar movies). The ratings of neighbours count as one number: the mean
    difference, in stars, between the reviewer's ratings of the movie's neighbours and the expected ratings.
    """
    history, ratings = reviewer.history, reviewer.neighbour_ratings
    above = head.above_means(history).astype(np.float64)
    rows = head.history_vectors[history.movie_rows]
    terms = rows[:, : head.dim] + above[:, None] * rows[:, head.dim :]  # [num_reviews, dim]
    pooled, num_reviews = terms.sum(axis=0), len(terms)
    moved = (pooled - terms) / np.sqrt(num_reviews) - pooled / np.sqrt(num_reviews + 1)
    stars, stars_without = np.zeros(len(movie_rows)), np.zeros((len(movie_rows), num_reviews))
    if ratings is not None:
        weights = ratings.table.between(movie_rows, ratings.found)
        stars, stars_without = stars_without_each(weights, above)
    return _WithoutEach(moved, stars, stars_without)
