"""Finds candidates for the top lists of very many reviewers, with a few large array operations.

The vector index returns the movies of highest inner product with each reviewer's vector; one matrix product
serves many reviewers. The search asks the vector index for more and more movies, until no other movie can
enter the list of k movies by its inner product alone. Let s be the k-th best score among the returned movies
that the reviewer has not reviewed. The search stops asking the vector index for movies once every movie that
was not returned has an inner product of at most s. A movie's similarity to the reviewer's history can raise
the movie's score above the inner product. So a movie that the vector index did not return becomes a candidate
if similarity to the history can lift the movie's score to s, the k-th best score among the returned movies.
The chance of a like cannot raise a score, because the logarithm of the chance is never above 0. The search is
the threshold algorithm of Fagin, Lotem & Naor (2003).
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Doubles, Rows, are_held, distinct, k_highest_of_rows
from engine.model.values import Reviewers
from engine.search.candidates import LENGTH_STEP, CandidateSource, nearest_movies

_LEAST = 32
"""The least number of movies that the vector index is asked for. If the vector index returned fewer movies,
the search would have to score too many neighbours of the movies in a reviewer's history."""
_ROUNDING = 1e-5
"""The relative error of a score that rounding may cause, because the terms of a score are added in different
orders."""


class BatchSource(CandidateSource):
    """Finds, for each reviewer, every movie that can be in the top list, with a vector index that is exact.

    The vector index holds `model.relevance.movie_vectors`, or some of these vectors, unrounded. The attribute
    `num_candidates` is ignored, because every movie that can be in a top list is returned.
    """

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        """Finds, for each reviewer, the unseen movies that can be in the reviewer's list of k movies."""
        if not len(reviewers):
            return super().find_many(reviewers, k)
        seen = self._seen_keys(reviewers)
        reached, highest = np.full(len(reviewers), -np.inf), np.zeros(len(reviewers))
        parts = []
        for length, group in reviewers.histories.by_length(LENGTH_STEP):
            places, wanted = group, max(_LEAST, 2 * k) + length
            while len(places):
                wanted = min(wanted, self.index.num_vectors)
                found = nearest_movies(self.index, reviewers.queries[places], wanted)
                keys = self.model.keys(places[:, None], found.rows)
                is_open = ~are_held(seen, keys)
                near = reviewers.near.at(keys)
                scores = np.where(is_open, found.scores + near, -np.inf)
                if (doubts := self.model.doubts) is not None:
                    lowered = doubts.of_reviewers(reviewers.queries[places])[:, None]
                    scores -= np.where(doubts.is_cold[found.rows], lowered, np.float32(0))
                known = self._reached(reviewers, keys, scores, k)
                reached[places] = np.maximum(reached[places], known)
                highest[places] = found.scores[:, -1]
                settled = (highest[places] <= reached[places]) | (wanted == self.index.num_vectors)
                least = reached[places] - _ROUNDING * (np.abs(reached[places]) + 1)
                parts.append(keys[is_open & settled[:, None] & (scores >= least[:, None])])
                places, wanted = places[~settled], 2 * wanted
        own = np.concatenate(parts)
        keys = self._near_enough(reviewers, reached, highest)
        keys = distinct(np.concatenate([own, keys[~are_held(seen, keys)]]))
        return keys // self.model.num_movies, keys % self.model.num_movies

    def _reached(self, reviewers: Reviewers, keys: Rows, scores: Doubles, k: int) -> Doubles:
        """Returns, for each reviewer, a lower bound of the scores of the k best unseen movies: float64 [num].

        Args:
            reviewers: the reviewers; `num` is the number of reviewers.
            keys: the movies that the vector index found for each reviewer, int64 [num, width], each as the
                number `place * num_movies + movie_row`, where `place` is the position of the reviewer.
            scores: the scores of the movies in `keys`, without the chance of a like, float64 [num, width];
                minus infinity for seen movies.
            k: the number of movies in each list.
        """
        blend = self.model.blend
        if blend.like_weight == 0 or self.model.rating is None:
            return _kth_highest(scores, k)
        # At least k movies reach the lowest full score of any k movies; the k movies of highest score without
        # ratings give the highest such bound.
        best = k_highest_of_rows(scores, k)
        keys = np.take_along_axis(keys, best, axis=1)
        scores = np.take_along_axis(scores, best, axis=1)
        rated = np.isfinite(scores)
        places, movie_rows = np.divmod(keys[rated], self.model.num_movies)
        chances = self.model.rate_pairs(reviewers, places, movie_rows)
        scores[rated] += blend.like_weight * self.model.log_like(chances)
        return _kth_highest(scores, k)

    def _near_enough(self, reviewers: Reviewers, reached: Doubles, highest: Doubles) -> Rows:
        """Finds movies that may be among a reviewer's k best, because the reviewer reviewed similar movies.

        The score of a movie that the vector index did not return is at most the number in `highest` plus the
        movie's similarity to the reviewer's history. The score of each of the k best movies is at least the
        number in `reached`. So a movie that the vector index did not return can be among the k best only if
        the movie's similarity to the reviewer's history is at least `reached - highest`.

        Args:
            reviewers: the reviewers; `num` is the number of reviewers.
            reached: for each reviewer, the lower bound that `_reached` returns, float64 [num].
            highest: for each reviewer, an upper bound of the inner products of movies that the vector index
                did not return, float64 [num].

        Returns:
            Pairs of reviewer and movie, each as the number `place * num_movies + movie_row`, where `place` is
            the position of the reviewer in `reviewers`.
        """
        near = reviewers.near
        missing = reached - highest - _ROUNDING * (np.abs(highest) + 1)
        return near.rows[(near.values > 0) & (near.values >= missing[near.rows // self.model.num_movies])]


def _kth_highest(values: Doubles, k: int) -> Doubles:
    """Returns the k-th highest number of each matrix row; minus infinity if a row has under k numbers."""
    if values.shape[1] < k:
        return np.full(len(values), -np.inf)
    border = values.shape[1] - k
    found: Doubles = np.partition(values, border, axis=1)[:, border]
    return found
