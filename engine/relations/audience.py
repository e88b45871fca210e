"""Finds the reviewers for whom a movie scores highest, among the reviewers who have not reviewed the movie.

The search finds the same reviewers as scoring the given movie for every reviewer, but faster. The relevance
of the given movie to a reviewer is mainly a sum with one term for each review by the reviewer. The term of a
review depends mostly on the reviewed movie. To save time, the search first computes, for each movie of the
index, the part of the term that depends on the reviewed movie. In one pass over all reviews, the search then
adds up the relevance of the given movie to every reviewer.

The score is the relevance plus the weighted logarithm of the chance that the reviewer likes the given movie.
The search predicts ratings, and from the ratings the scores, in order of relevance: the reviewers to whom the
given movie is most relevant come first. The logarithm of the chance has known bounds, so the relevance limits
the score that a reviewer can reach. The search ends when no reviewer whose score is still unknown can reach
the k-th best score found so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.answers import LikelyReviewer
from engine.arrays import Floats, Rows, sums
from engine.artifact.arrays import check_finite
from engine.lists.maker import rated_fields
from engine.lists.reasons import OneReviewer
from engine.model.histories import Histories, recency_weights
from engine.model.neighbours import NeighbourTable, mean_stars, stars_above_expectation
from engine.model.scorer import LEAST_CHANCE, Model

if TYPE_CHECKING:
    from engine.opened import OpenedIndex

_RATED_AT_ONCE = 2**10
"""The least number of reviewers whose ratings are predicted in one call; many calls for fewer reviewers would
take more time."""
_ROUNDING = 1e-3
"""The largest amount by which a score may exceed its computed upper bound because of rounding errors."""


class ScoredReviewers(NamedTuple):
    """Holds the reviewers for whom a movie scores highest, highest score first; ties are ordered by row."""

    rows: Rows
    """The rows of the reviewers found, int64 [num], highest score first."""
    score: Floats
    """The score of the movie for each reviewer, float32 [num]."""
    relevance: Floats
    """The relevance of the movie to each reviewer, float32 [num]: the score without the chance of a like."""
    probabilities: Floats | None
    """The chance of each rating level for each reviewer found, float32 [num, num_levels]; None if the data
    has no ratings."""


def audience(index: OpenedIndex, movie_id: str, k: int, *, because: bool) -> list[LikelyReviewer]:
    """Finds the reviewers for whom a movie scores highest, as `Engine.reviewers_for` describes.

    For a movie that is hidden from everybody, no reviewers are returned. Reviewers from whom the movie is
    hidden, and reviewers whose fresh feedback has a review of the movie, are left out.
    """
    model, movie_row = index.model, index.movie_row(movie_id)
    if movie_row in index.feedback.hidden_rows:
        return []
    variants = index.variants.of(movie_row)
    left_out = index.reviewers.rows(sorted(index.feedback.has_seen(variants)))
    found = find_reviewers(model, movie_row, k, variants, left_out[left_out >= 0])
    rated = rated_fields(model, found.probabilities, len(found.rows))
    answers = []
    for place, row in enumerate(found.rows.tolist()):
        reasons = None
        if because:
            reviewer = OneReviewer(model, model.reviewer(row), index.movies, index.cards)
            (reasons,) = reviewer.reasons(np.array([movie_row]))
        answers.append(
            LikelyReviewer(
                rank=place + 1,
                reviewer_id=index.reviewers.id(row),
                score=float(found.score[place]),
                relevance=float(found.relevance[place]),
                **rated[place],
                because=reasons,
            )
        )
    return answers


def find_reviewers(
    model: Model, movie_row: int, k: int, seen_rows: Rows, left_out: Rows | None = None
) -> ScoredReviewers:
    """Finds the k reviewers for whom a movie scores highest, among reviewers who have not seen the movie.

    The array `seen_rows`, int64 [num], holds the rows of the movie and of its variants; a reviewer who has
    reviewed one of the rows has seen the movie. The reviewers whose rows are in `left_out`, int64 [num], are
    left out. Fewer than k reviewers are returned only if fewer than k reviewers of the index have not seen
    the movie.
    """
    relevance, seen = _relevance_of_all(model, movie_row, seen_rows)
    if left_out is not None:
        seen[left_out] = True
    order = np.flatnonzero(~seen)
    order = order[np.argsort(-relevance[order], kind="stable")]
    # This number is above 0 only if the weight of the chance of a like is negative.
    least = model.blend.doubted(np.log(np.array([LEAST_CHANCE], dtype=np.float32)))
    most_added = max(0.0, model.blend.like_weight * float(least[0]))
    column = None if model.rating_neighbours is None else _column(model.rating_neighbours, movie_row)
    found = _rated(model, movie_row, order[:0], relevance, column)
    step = max(k, _RATED_AT_ONCE)
    for begin in range(0, len(order), step):
        rows = order[begin : begin + step]
        if len(found.rows) == k and relevance[rows[0]] + most_added + _ROUNDING < found.score[-1]:
            break
        found = _best(found, _rated(model, movie_row, rows, relevance, column), k)
    return found


def _relevance_of_all(model: Model, movie_row: int, seen_rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
    """Computes a movie's relevance to each reviewer, and marks the reviewers who have seen the movie.

    Returns:
        The relevance to each reviewer, float32 [num_reviewers]; and whether each reviewer has seen the movie,
        bool [num_reviewers].
    """
    head = model.relevance
    vector = np.asarray(head.movie_vectors[movie_row])
    # [num_movies], the term of a review of each movie in the relevance
    pulls = head.history_vectors @ vector[:-1]
    near_tables = [(_column(near.table, movie_row), near) for near in model.near_tables]
    is_seen = np.zeros(model.num_movies, dtype=bool)
    is_seen[seen_rows] = True
    relevance = np.zeros(len(model.histories), dtype=np.float32)
    seen = np.zeros(len(model.histories), dtype=bool)
    for rows, histories in model.histories.parts():
        added = np.zeros(len(histories))
        for nearness, near in near_tables:
            fading = _fading(histories, near.recency_power)
            liked = fading * model.review_weights[histories.level_rows] * nearness[histories.movie_rows]
            weights = near.weight_of_review(sums(fading, histories.offsets))
            added += weights * sums(liked, histories.offsets)
        recent = histories.latest(head.max_history)
        fading = _fading(recent, head.recency_power)
        pulled = fading * head.level_weights[recent.level_rows] * pulls[recent.movie_rows]
        pooled = sums(pulled, recent.offsets) / np.sqrt(sums(fading, recent.offsets) + np.float32(1))
        own = head.own_products(rows, vector[:-1])
        relevance[rows] = pooled + own + vector[-1] + added
        if model.doubts is not None and model.doubts.is_cold[movie_row]:
            relevance[rows] -= model.doubts.of_reviewers(
                head.queries(np.arange(rows.start, rows.stop), histories)
            )
        check_finite(relevance[rows], "vectors")
        seen[rows] = sums(is_seen[histories.movie_rows].astype(np.int64), histories.offsets) > 0
    return relevance, seen


def _rated(
    model: Model, movie_row: int, rows: Rows, relevance: Floats, column: Floats | None
) -> ScoredReviewers:
    """Computes a movie's score for the given reviewers: relevance plus the weighted log chance of a like.

    Args:
        model: the model that predicts ratings.
        movie_row: the row of the movie.
        rows: the rows of the given reviewers, int64 [num].
        relevance: the relevance of the movie to every reviewer of the index, float32 [num_reviewers].
        column: for each movie of the index, the similarity of the movie's ratings to the ratings of the movie
            `movie_row`, from the table `model.rating_neighbours`, float32 [num_movies]; None if the model has
            no such table.
    """
    relevance = relevance[rows]
    if model.rating is None:
        return ScoredReviewers(rows, relevance, relevance, None)
    head, histories, stars = model.rating, model.histories.take(rows), None
    if column is not None:
        weights = column[histories.movie_rows].astype(np.float64)
        above = weights * stars_above_expectation(head.above_means(histories), histories)
        stars = mean_stars(sums(above, histories.offsets), sums(weights, histories.offsets))
    movie_rows = np.full(len(rows), movie_row)
    probabilities = model.rate_tastes(head.tastes(rows, histories), movie_rows, stars)
    like_weight = np.float32(model.blend.like_weight)
    score = (relevance + like_weight * model.log_like(probabilities)).astype(np.float32)
    return ScoredReviewers(rows, score, relevance, probabilities)


def _best(first: ScoredReviewers, second: ScoredReviewers, k: int) -> ScoredReviewers:
    """Merges two sets of reviewers, and keeps the k reviewers of highest score."""
    columns: Any = [
        None if one is None else np.concatenate([one, other])
        for one, other in zip(first, second, strict=True)
    ]
    both = ScoredReviewers(*columns)
    best = np.lexsort((both.rows, -both.score))[:k]
    kept: Any = (None if column is None else column[best] for column in columns)
    return ScoredReviewers(*kept)


def _fading(histories: Histories, power: float) -> Floats:
    """Returns the weight `age ** -power` of each review, float32 [num_reviews]; older reviews weigh less.

    The age of a reviewer's latest review is 1, the age of the review before the latest review is 2, and so
    on. Computing powers is slow, so the function computes one weight for each age, not for each review.
    """
    longest = int(histories.lengths.max(initial=0))
    return recency_weights(np.arange(1, longest + 1), power)[histories.ages - 1]


def _column(table: NeighbourTable, movie_row: int) -> Floats:
    """Returns the similarity of each movie to the movie `movie_row`, as stored in a neighbour table.

    Returns:
        The similarity of each movie to `movie_row`, float32 [num_movies]; 0 for a movie that does not have
        `movie_row` as a neighbour.
    """
    places = np.flatnonzero(table.movie_rows == movie_row)
    column = np.zeros(table.num_movies, dtype=np.float32)
    column[np.searchsorted(table.offsets, places, side="right") - 1] = table.weights[places]
    return column
