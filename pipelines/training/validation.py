"""The figures by which training is stopped: how well a head does on the reviews that were set aside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.model.heads import RatingHead, RelevanceHead
from pipelines.dataset.reviews import Reviews, histories_of

_REVIEWERS = 2000
_REVIEWS = 20_000
_DEPTH = 20
_MAX_SCORES = 2**25


def ndcg_of(earlier: Reviews, liked: Reviews, seed: int) -> Callable[[RelevanceHead], float]:
    """Gives a validation figure: the NDCG@20 of the likes that were held out, over at most 2,000 reviewers.

    It is the figure that `rank_held_out` gives, but only the places of what is relevant are found, by
    counting what is better: sorting the whole catalogue after each round would take longer than the round.

    Args:
        earlier: what each reviewer is known to have reviewed.
        liked: the likes that were held out; those of movies that the reviewer had seen do not count.
        seed: of the sample of reviewers.
    """
    keys = np.setdiff1d(_keys(liked), _keys(earlier))
    owners, movies = np.divmod(keys, max(earlier.num_movies, 1))
    rows = np.unique(owners)
    if len(rows) > _REVIEWERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _REVIEWERS, replace=False))
    wanted = [movies[slice(*np.searchsorted(owners, (row, row + 1)))] for row in rows]
    histories = histories_of(earlier).take(rows)
    seen = [histories.of(place).movie_rows for place in range(len(rows))]
    step = max(1, _MAX_SCORES // max(earlier.num_movies, 1))

    def validate(head: RelevanceHead) -> float:
        queries = head.queries(rows, histories)
        total = 0.0
        for start in range(0, len(rows), step):
            scores = queries[start : start + step] @ head.movie_vectors.T
            for own, known, relevant in zip(scores, seen[start:], wanted[start:], strict=False):
                own[known] = -np.inf
                total += _ndcg(own, relevant)
        return total / len(rows) if len(rows) else float("nan")

    return validate


def likelihood_of(earlier: Reviews, later: Reviews, seed: int) -> Callable[[RatingHead], float]:
    """Gives a validation figure: the mean log chance of what was given, over at most 20,000 reviews.

    Args:
        earlier: what each reviewer is known to have given.
        later: the reviews that were held out.
        seed: of the sample of reviews.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(later))[:_REVIEWS])
    movie_rows, level_rows = later.movie_rows[chosen], later.level_rows[chosen].astype(np.int64)
    reviewers, places = np.unique(later.reviewer_rows[chosen], return_inverse=True)
    history = histories_of(earlier).take(reviewers)

    def validate(head: RatingHead) -> float:
        tastes = head.tastes(reviewers, history).take(places)
        chances = head.probabilities(*head.locate(tastes, movie_rows))
        return float(np.log(chances[np.arange(len(places)), level_rows] + 1e-7).mean())

    return validate


def _ndcg(scores: NDArray[np.float32], relevant: NDArray[np.int64]) -> float:
    """NDCG@20 of one reviewer's scores, of which equal ones are ordered by movie row."""
    ranks = [
        np.count_nonzero(scores > scores[movie]) + np.count_nonzero(scores[:movie] == scores[movie])
        for movie in relevant
    ]
    found = sum(1 / np.log2(rank + 2) for rank in ranks if rank < _DEPTH)
    return float(found / (1 / np.log2(np.arange(2, min(len(relevant), _DEPTH) + 2))).sum())


def _keys(reviews: Reviews) -> NDArray[np.int64]:
    return reviews.reviewer_rows.astype(np.int64) * reviews.num_movies + reviews.movie_rows
