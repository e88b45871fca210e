"""One list for several reviewers, such as a household: what suits them all on average, or displeases none.

The members' scores lie on scales of their own, and whoever's are spread most would decide alone. So each
member's scores are first brought to mean 0 and standard deviation 1 over the same movies: the best
candidates of all members together, whatever the list may hold in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.answers import GroupRecommendation, MemberPrediction, Reason, TopList
from engine.arrays import Doubles, Rows
from engine.errors import ConfigError
from engine.lists.reasons import MOST_REASONS, Explainer
from engine.model.scorer import Model, Reviewer, Scores
from engine.search.candidates import CandidateSource

STRATEGIES = ("average", "least-misery")
"""How the members' scores become one: their mean, or the lowest (O'Connor et al. 2001)."""


class Group:
    """Several reviewers for whom one list is made; what any of them has seen counts as seen.

    Args:
        model: scores for each of them.
        source: finds the candidates of each.
        members: the reviewers, at least one.
        strategy: one of `STRATEGIES`.
        explainer: gives the reasons.
    """

    def __init__(
        self,
        model: Model,
        source: CandidateSource,
        members: Sequence[Reviewer],
        strategy: str,
        explainer: Explainer,
    ) -> None:
        check_strategy(strategy)
        if not members:
            raise ConfigError("A group needs members; name at least one reviewer")
        self._model, self._source, self._explainer = model, source, explainer
        self._members = members
        self._least = strategy == "least-misery"
        self._seen = np.unique(np.concatenate([member.history.movie_rows for member in members]))
        compared = self.candidates(source.num_candidates)
        scores = [model.rescore(member, compared).score.astype(np.float64) for member in members]
        self._means = np.array([score.mean() if len(score) else 0.0 for score in scores])
        spreads = np.array([score.std() if len(score) else 0.0 for score in scores])
        self._spreads = np.where(spreads > 0, spreads, 1.0)

    @property
    def seen_rows(self) -> NDArray[np.integer]:
        """The movies that any of them has reviewed."""
        return self._seen

    def candidates(self, k: int, *, include_seen: bool = False) -> Rows:
        """The candidates of all members, int64 [num], ascending; by default without what any has seen."""
        found = np.unique(np.concatenate(self._source.find(self._members, k, include_seen=include_seen)))
        return found if include_seen else np.setdiff1d(found, self._seen, assume_unique=True)

    def scores(self, movie_rows: Rows) -> Scores:
        """The members' scores as one, by the strategy."""
        parts = [self._model.rescore(member, movie_rows) for member in self._members]
        score = self._combined(self._normalised([part.score for part in parts]))
        relevance = self._combined(np.stack([part.relevance for part in parts]).astype(np.float64))
        rated = [part.probabilities for part in parts if part.probabilities is not None]
        if not rated or self._model.rating is None:
            return Scores(score, relevance, None)
        chances = np.stack(rated)  # [num_members, num_movies, num_levels]
        if not self._least:
            return Scores(score, relevance, chances.mean(axis=0))
        lowest = self._model.rating.mean(chances).argmin(axis=0)
        return Scores(score, relevance, chances[lowest, np.arange(len(movie_rows))])

    def best_scores(self, movie_rows: Rows, k: int) -> tuple[Rows, Scores]:
        """Those of all."""
        return np.arange(len(movie_rows)), self.scores(movie_rows)

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """The reviews that add most to each movie's score: of any member, or of the least pleased one."""
        normalised = self._normalised([self._model.rescore(one, movie_rows).score for one in self._members])
        share = np.full(normalised.shape, 1.0 / len(self._members))
        if self._least:
            share = (np.arange(len(share))[:, None] == normalised.argmin(axis=0)).astype(np.float64)
        share /= self._spreads[:, None]
        own = [self._explainer.reasons(member, movie_rows) for member in self._members]
        return [
            _strongest(
                [
                    replace(reason, contribution=reason.contribution * float(share[member, place]))
                    for member, reasons in enumerate(own)
                    if share[member, place] > 0
                    for reason in reasons[place]
                ]
            )
            for place in range(len(movie_rows))
        ]

    def with_members(self, items: TopList, reviewer_ids: Sequence[str], movie_rows: Rows) -> TopList:
        """Says of each movie of a list what each member would make of it.

        Args:
            items: the list.
            reviewer_ids: the members' ids.
            movie_rows: int64 [len(items)], the movies of the list.
        """
        of_members = [
            self._predictions(member, reviewer_id, movie_rows)
            for member, reviewer_id in zip(self._members, reviewer_ids, strict=True)
        ]
        found = [
            GroupRecommendation(**vars(item), members=members)
            for item, members in zip(items, zip(*of_members, strict=True), strict=True)
        ]
        return TopList(found, variety=items.variety, why_empty=items.why_empty)

    def _predictions(self, member: Reviewer, reviewer_id: str, movie_rows: Rows) -> list[MemberPrediction]:
        rating = self._model.rating
        if rating is None:
            return [MemberPrediction(reviewer_id=reviewer_id)] * len(movie_rows)
        chances = self._model.rate(member, movie_rows)
        means, likes = rating.summarize(chances).mean, self._model.like_probability(chances)
        return [
            MemberPrediction(reviewer_id=reviewer_id, predicted_rating=mean, like_probability=like)
            for mean, like in zip(means.tolist(), likes.tolist(), strict=True)
        ]

    def _normalised(self, scores: Sequence[NDArray[np.float32]]) -> Doubles:
        """Each member's scores on one scale, float64 [num_members, num_movies]."""
        normalised: Doubles = (np.stack(scores) - self._means[:, None]) / self._spreads[:, None]
        return normalised

    def _combined(self, values: Doubles) -> NDArray[np.float32]:
        combined = values.min(axis=0) if self._least else values.mean(axis=0)
        whole: NDArray[np.float32] = combined.astype(np.float32)
        return whole


def check_strategy(strategy: str) -> None:
    """Refuses a strategy that there is none of.

    Raises:
        ConfigError: it is not one of `STRATEGIES`.
    """
    if strategy not in STRATEGIES:
        raise ConfigError(f"strategy must be one of {', '.join(STRATEGIES)} but is {strategy!r}")


def _strongest(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    by_movie: dict[str, Reason] = {}
    for reason in reasons:
        known = by_movie.get(reason.movie_id)
        total = reason.contribution + (known.contribution if known else 0.0)
        by_movie[reason.movie_id] = replace(reason if known is None else known, contribution=total)
    ranked = sorted(by_movie.values(), key=lambda reason: -reason.contribution)
    return tuple(ranked[:MOST_REASONS])
