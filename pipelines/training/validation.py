"""Measures a head on held-out reviews after each training round, so that training can stop early."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.arrays import Floats
from engine.model.heads import RatingHead, RelevanceHead
from pipelines.dataset.reviews import Reviews, histories_of
from pipelines.measuring.metrics import log_chances, ndcg_of_ranks
from pipelines.measuring.ranking import pair_keys

_REVIEWERS = 2000
"""The largest number of reviewers for whom movies are ranked to validate the relevance head, because each
training round waits for the validation."""
_REVIEWS = 20_000
"""The largest number of held-out ratings that are predicted to validate the rating head."""
_DEPTH = 20
"""The length of the top lists by which the relevance head is validated."""
_MAX_SCORES = 2**25
"""The largest number of scores in memory at once: 128 MiB of float32."""


def ndcg_of(train: Reviews, liked: Reviews, seed: int) -> Callable[[RelevanceHead], float]:
    """Returns a function that computes the mean NDCG@20 of held-out likes, over at most 2,000 reviewers.

    The returned function computes the same NDCG@20 as `rank_held_out`. The rank of a liked movie is computed
    by counting the movies with higher scores, because sorting all movies would take longer than a training
    round. Movies that a reviewer has reviewed in `train` are not ranked, and held-out likes of these movies
    are ignored.
    """
    keys = np.setdiff1d(pair_keys(liked), pair_keys(train))
    owners, movies = np.divmod(keys, max(train.num_movies, 1))
    rows = np.unique(owners)
    if len(rows) > _REVIEWERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _REVIEWERS, replace=False))
    wanted = [movies[slice(*np.searchsorted(owners, (row, row + 1)))] for row in rows]
    num_wanted = np.array([len(own) for own in wanted], dtype=np.int64)
    places = np.repeat(np.arange(len(rows)), num_wanted)
    histories = histories_of(train).take(rows)
    seen = [histories.of(place).movie_rows for place in range(len(rows))]
    step = max(1, _MAX_SCORES // max(train.num_movies, 1))

    def validate(head: RelevanceHead) -> float:
        if not len(rows):
            return float("nan")
        queries = head.queries(rows, histories)
        ranks: list[int] = []
        for start in range(0, len(rows), step):
            scores = queries[start : start + step] @ head.movie_vectors.T
            for own, known, relevant in zip(scores, seen[start:], wanted[start:], strict=False):
                own[known] = -np.inf
                ranks += (_rank(own, movie) for movie in relevant)
        return float(ndcg_of_ranks(np.array(ranks), places, num_wanted, _DEPTH).mean())

    return validate


def likelihood_of(train: Reviews, held_out: Reviews, seed: int) -> Callable[[RatingHead], float]:
    """Returns a function that computes the mean log likelihood of at most 20,000 held-out ratings."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(held_out))[:_REVIEWS])
    movie_rows, level_rows = held_out.movie_rows[chosen], held_out.level_rows[chosen].astype(np.int64)
    reviewers, places = np.unique(held_out.reviewer_rows[chosen], return_inverse=True)
    history = histories_of(train).take(reviewers)

    def validate(head: RatingHead) -> float:
        tastes = head.tastes(reviewers, history).take(places)
        return float(log_chances(head.probabilities(*head.locate(tastes, movie_rows)), level_rows).mean())

    return validate


def _rank(scores: Floats, movie: int) -> int:
    """Counts the movies that are ranked before `movie`; movies with equal scores are ranked by movie row."""
    return int(np.count_nonzero(scores > scores[movie]) + np.count_nonzero(scores[:movie] == scores[movie]))
