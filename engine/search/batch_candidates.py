"""The first stage of a search for very many reviewers at once, in few large array steps.

The movies that come high for many reviewers are compared with all of a batch in one product of matrices. That
finds, for a list of k, a score that k unseen movies reach, and what the inner product of a movie that was not
found is at most; where that is more than the score, more are asked for. So of the neighbours of a history
only those are candidates whose nearness makes up for the difference: any other stays under the k found (as in
the threshold algorithm of Fagin, Lotem & Naor 2003), for the chance of a like only takes away from a score.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Doubles, Rows, are_held, distinct
from engine.model.scorer import Reviewers
from engine.search.candidates import LENGTH_STEP, CandidateSource

_LEAST = 32
"""Movies that are asked for at least: with few of them the bound is too high to leave out neighbours."""
_ROUNDING = 1e-5
"""How far, as a part of them, scores may lie from those of another order of summation."""


class BatchSource(CandidateSource):
    """Finds candidates in an index of exact vectors and among the neighbours that can get into a list.

    Args:
        model: what they are scored with later.
        index: holds some of `model.relevance.movie_vectors`, or all, as they are.
        num_candidates: of no account here: as many are taken as can get into a list.
    """

    def find_many(self, reviewers: Reviewers, k: int) -> tuple[Rows, Rows]:
        """Finds candidates as `CandidateSource.find_many`, though often fewer."""
        if not len(reviewers):
            return super().find_many(reviewers, k)
        histories = reviewers.histories
        seen = np.sort(self.model.keys(histories.places, histories.movie_rows))
        reached, highest = np.full(len(reviewers), -np.inf), np.zeros(len(reviewers))
        parts = []
        for length, group in histories.by_length(LENGTH_STEP):
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

    def _reached(
        self,
        reviewers: Reviewers,
        keys: Rows,
        scores: Doubles,
        k: int,
    ) -> Doubles:
        """A score that k unseen movies of each reviewer reach, float64 [num], by some that were found.

        Args:
            reviewers: all of the batch.
            keys: int64 [num, width], of reviewers and the movies that were found for them.
            scores: float64 [num, width], what they come to without ratings; minus infinity if seen.
            k: how long the lists will be.
        """
        blend = self.model.blend
        if blend.like_weight == 0 or self.model.rating is None:
            return _kth_highest(scores, k)
        # Any k of them would do: of the best by what is known the list will be close to these.
        border = scores.shape[1] - min(k, scores.shape[1])
        best = np.argpartition(scores, border, axis=1)[:, border:]
        keys = np.take_along_axis(keys, best, axis=1)
        scores = np.take_along_axis(scores, best, axis=1)
        rated = np.isfinite(scores)
        places, movie_rows = np.divmod(keys[rated], self.model.num_movies)
        likes = self.model.log_like(self.model.rate_pairs(reviewers, places, movie_rows))
        scores[rated] += blend.like_weight * likes
        return _kth_highest(scores, k)

    def _near_enough(self, reviewers: Reviewers, reached: Doubles, highest: Doubles) -> Rows:
        """Keys of the neighbours that can come up to a score, with an inner product of so much at most."""
        near, weight = reviewers.near, self.model.blend.neighbour_weight
        if weight == 0:
            return near.rows[:0]
        missing = (reached - highest - _ROUNDING * (np.abs(highest) + 1)) / weight
        return near.rows[(near.values > 0) & (near.values >= missing[near.rows // self.model.num_movies])]


def _kth_highest(values: Doubles, k: int) -> Doubles:
    """The k-th highest number of each row, minus infinity where there are fewer."""
    if values.shape[1] < k:
        return np.full(len(values), -np.inf)
    border = values.shape[1] - k
    found: Doubles = np.partition(values, border, axis=1)[:, border]
    return found
