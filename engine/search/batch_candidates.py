"""Finds candidates for very many reviewers at once, with a few large array operations.

One matrix product computes the inner products of many reviewers' vectors and all vectors in the vector index.
The search asks the vector index for more and more movies for each reviewer. The search for a reviewer ends
when the scores of k unseen movies are at least as high as the inner product of any movie that was not found.
A movie that the vector index did not find can still become a candidate, because similarity to movies in the
reviewer's history adds to the movie's score. A movie that the vector index did not find becomes a candidate
only if its similarity to the history can lift its score to the score of the k-th best movie found. The chance
of a like cannot raise a score, because the logarithm of the chance is never above 0. The search is a
threshold algorithm (Fagin, Lotem & Naor 2003).
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Doubles, Rows, are_held, distinct, k_highest_of_rows
from engine.model.values import Reviewers
from engine.search.candidates import LENGTH_STEP, CandidateSource, nearest_movies

_LEAST = 32
"""The least number of movies that the vector index is asked for, because after finding fewer movies, too many
neighbours would become candidates."""
_ROUNDING = 1e-5
"""The tolerance, relative to a score, for rounding errors that come from summing in another order."""


class BatchSource(CandidateSource):
    """Finds every movie that can get into a top list, in an exact vector index and in neighbour tables.

    The exact vector index holds all or some of `model.relevance.movie_vectors`, unrounded. The attribute
    `num_candidates` is ignored, because every movie that can get into a top list is returned.
    """

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        """Finds the unseen movies that can get into the reviewers' lists of k movies."""
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
        """Returns, for each reviewer, a score that at least k unseen movies reach, float64 [num].

        Args:
            reviewers: the reviewers; `num` is the number of reviewers.
            keys: the movies that the vector index found for each reviewer, int64 [num, width], each as the
                number `place * num_movies + movie_row`, where `place` is the position of the reviewer.
            scores: the movies' scores without the chance of a like, float64 [num, width]; minus infinity for
                movies that the reviewer has seen.
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
        """Finds the movies whose `near`, the score added by the history, is at least `reached - highest`.

        Args:
            reviewers: the reviewers; `num` is the number of reviewers.
            reached: for each reviewer, a score that at least k unseen movies reach, float64 [num].
            highest: for each reviewer, the highest possible inner product of a movie that was not found,
                float64 [num].

        Returns:
            Pairs of reviewer and movie, each as the number `place * num_movies + movie_row`, where `place` is
            the position of the reviewer.
        """
        near = reviewers.near
        missing = reached - highest - _ROUNDING * (np.abs(highest) + 1)
        return near.rows[(near.values > 0) & (near.values >= missing[near.rows // self.model.num_movies])]


def _kth_highest(values: Doubles, k: int) -> Doubles:
    """Returns the k-th highest number of each row, or minus infinity for rows of fewer than k numbers."""
    if values.shape[1] < k:
        return np.full(len(values), -np.inf)
    border = values.shape[1] - k
    found: Doubles = np.partition(values, border, axis=1)[:, border]
    return found
