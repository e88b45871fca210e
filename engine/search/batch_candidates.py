"""Finds candidates for very many reviewers at once, in few large array steps.

1. One product of matrices compares a batch of reviewers with the movies that come high for many reviewers.
2. Let s be the k-th best score of the unseen movies found. No movie that was not found can have an inner
   product above b, the lowest inner product found.
3. While b > s, the search asks for twice as many.
4. A neighbour of the history is a candidate only where its nearness makes up for the difference of s and b.
   Any other movie stays under the k found, for the chance of a like only takes away from a score (as in the
   threshold algorithm of Fagin, Lotem & Naor 2003).
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Doubles, Rows, are_held, distinct, k_highest_of_rows
from engine.model.values import Reviewers
from engine.search.candidates import LENGTH_STEP, CandidateSource

_LEAST = 32
"""Movies that are asked for at least: with fewer the bound b is too high to leave out neighbours."""
_ROUNDING = 1e-5
"""How far, as a share of a score, scores may lie from those of another order of summation."""


class BatchSource(CandidateSource):
    """Finds candidates in an index of exact vectors and among the neighbours that can get into a list.

    The index holds all or some of `model.relevance.movie_vectors`, unrounded. `num_candidates` is of no
    account here, since every movie is taken that can get into a list.
    """

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        """Finds candidates like `CandidateSource.find_many`, though often fewer."""
        if not len(reviewers):
            return super().find_many(reviewers, k)
        seen = self._seen_keys(reviewers)
        reached, highest = np.full(len(reviewers), -np.inf), np.zeros(len(reviewers))
        parts = []
        for length, group in reviewers.histories.by_length(LENGTH_STEP):
            places, wanted = group, max(_LEAST, 2 * k) + length
            while len(places):
                wanted = min(wanted, self.index.num_vectors)
                found = self.index.search(reviewers.queries[places], wanted)
                keys = self.model.keys(places[:, None], found.rows)
                is_open = ~are_held(seen, keys)
                near = self.model.blend.neighbour_weight * reviewers.near.at(keys)
                scores = np.where(is_open, found.scores + near, -np.inf)
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
        """Returns a score that k unseen movies of some of the reviewers reach, float64 [num].

        The keys, int64 [num, width], hold these reviewers and the movies that were found for them. The
        scores, float64 [num, width], are without ratings, and minus infinity for seen movies.
        """
        blend = self.model.blend
        if blend.like_weight == 0 or self.model.rating is None:
            return _kth_highest(scores, k)
        # Any k movies give a bound; those with the highest scores so far give one close to the list's own.
        best = k_highest_of_rows(scores, k)
        keys = np.take_along_axis(keys, best, axis=1)
        scores = np.take_along_axis(scores, best, axis=1)
        rated = np.isfinite(scores)
        places, movie_rows = np.divmod(keys[rated], self.model.num_movies)
        chances = self.model.rate_pairs(reviewers, places, movie_rows)
        scores[rated] += blend.like_weight * self.model.log_like(chances)
        return _kth_highest(scores, k)

    def _near_enough(self, reviewers: Reviewers, reached: Doubles, highest: Doubles) -> Rows:
        """Finds neighbours that can still reach a list if no inner product exceeds `highest`."""
        near, weight = reviewers.near, self.model.blend.neighbour_weight
        if weight == 0:
            return near.rows[:0]
        missing = (reached - highest - _ROUNDING * (np.abs(highest) + 1)) / weight
        return near.rows[(near.values > 0) & (near.values >= missing[near.rows // self.model.num_movies])]


def _kth_highest(values: Doubles, k: int) -> Doubles:
    """Returns the k-th highest number of each row, minus infinity where there are fewer."""
    if values.shape[1] < k:
        return np.full(len(values), -np.inf)
    border = values.shape[1] - k
    found: Doubles = np.partition(values, border, axis=1)[:, border]
    return found
