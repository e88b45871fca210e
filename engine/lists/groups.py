"""Makes one top list for a group of reviewers, such as a household, from the scores of all members.

The scores of different members have different spreads, so a mean of the scores would follow the member whose
scores vary most. To give all members the same influence, each member's scores of the unseen candidates are
normalised to mean 0 and standard deviation 1. Options that exclude movies from the list, such as `--where`,
do not change the means and standard deviations by which scores are normalised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from engine.answers import GroupRecommendation, MemberPrediction, Reason, TopList
from engine.arrays import Doubles, Floats, Rows
from engine.errors import ConfigError
from engine.lists.maker import ListMaker, rated_fields
from engine.lists.reasons import MOST_REASONS, OneReviewer, Recipient
from engine.model.values import Reviewer, Scores
from engine.questions.arguments import ListOptions

STRATEGIES = ("average", "least-misery")
"""The ways to compute a group's score of a movie: "average", the mean of the members' scores; "least-misery",
the lowest of the members' scores (O'Connor et al. 2001)."""


class Group(Recipient):
    """Scores movies for a group of reviewers; a movie that one member has seen counts as seen.

    Args:
        members: maps the id of each member to the member's vectors and history.
        strategy: how the scores of the members are combined; one of `STRATEGIES`.

    Raises:
        ConfigError: the group has no member; the strategy is not one of `STRATEGIES`.
    """

    def __init__(self, lists: ListMaker, members: Mapping[str, Reviewer], strategy: str) -> None:
        if strategy not in STRATEGIES:
            raise ConfigError(f"strategy must be one of {', '.join(STRATEGIES)} but is {strategy!r}")
        if not members:
            raise ConfigError("A group needs members; name at least one reviewer")
        self._model, self._source, self._ids = lists.model, lists.candidates, list(members)
        self._members = [
            OneReviewer(lists.model, member, lists.movies, lists.cards) for member in members.values()
        ]
        self._least = strategy == "least-misery"
        self.seen_rows = np.unique(np.concatenate([member.seen_rows for member in self._members]))
        self.hidden_rows = np.unique(np.concatenate([member.hidden_rows for member in self._members]))
        compared = self.candidates(self._source.num_candidates)
        scores = [member.scores(compared).score.astype(np.float64) for member in self._members]
        self._means = np.array([score.mean() if len(score) else 0.0 for score in scores])
        spreads = np.array([score.std() if len(score) else 0.0 for score in scores])
        self._spreads = np.where(spreads > 0, spreads, 1.0)

    def candidates(self, k: int, *, include_seen: bool = False) -> Rows:
        """Returns the rows of all members' candidates, int64, ascending; by default without seen movies."""
        sides = [member.reviewer for member in self._members]
        found = np.unique(np.concatenate(self._source.find(sides, k, include_seen=include_seen)))
        return found if include_seen else np.setdiff1d(found, self.seen_rows, assume_unique=True)

    def scores(self, movie_rows: Rows) -> Scores:
        """Scores the given movies for the group, according to the group's strategy.

        If the strategy is "average", the chance of each rating level is the mean of the members' chances. If
        the strategy is "least-misery", the chances of the rating levels are the chances of the member whose
        predicted rating is lowest.
        """
        parts = [member.scores(movie_rows) for member in self._members]
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

    def reasons(self, movie_rows: Rows) -> list[tuple[Reason, ...]]:
        """Finds the reviews of members that add most to the group's score of each movie.

        If the strategy of the group is "average", a review of any member can be a reason. If the strategy is
        "least-misery", only a review of the member whose normalised score of the movie is lowest can be a
        reason.
        """
        normalised = self._normalised([member.scores(movie_rows).score for member in self._members])
        share = np.full(normalised.shape, 1.0 / len(self._members))
        if self._least:
            share = (np.arange(len(share))[:, None] == normalised.argmin(axis=0)).astype(np.float64)
        share /= self._spreads[:, None]
        own = [member.reasons(movie_rows) for member in self._members]
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

    def predictions(self, movie_rows: Rows) -> list[tuple[MemberPrediction, ...]]:
        """Predicts, for each of the given movies, the rating and the chance of a like of each member."""
        columns = []
        for reviewer_id, member in zip(self._ids, self._members, strict=True):
            chances = member.scores(movie_rows).probabilities
            columns.append(
                [
                    MemberPrediction(
                        reviewer_id=reviewer_id,
                        predicted_rating=fields.get("predicted_rating"),
                        like_probability=fields.get("like_probability"),
                    )
                    for fields in rated_fields(self._model, chances, len(movie_rows))
                ]
            )
        return list(zip(*columns, strict=True))

    def _normalised(self, scores: Sequence[Floats]) -> Doubles:
        """Subtracts each member's mean from the member's scores; divides by the standard deviation.

        Returns:
            The normalised scores, float64 [num_members, num_movies].
        """
        normalised: Doubles = (np.stack(scores) - self._means[:, None]) / self._spreads[:, None]
        return normalised

    def _combined(self, values: Doubles) -> Floats:
        """Returns the mean or the minimum, over all members, of each movie's scores: float32 [num_movies].

        Args:
            values: float64 [num_members, num_movies], the normalised score, or the relevance, of each movie
                for each member.
        """
        combined: Doubles = values.min(axis=0) if self._least else values.mean(axis=0)
        return combined.astype(np.float32)


def group_list(
    lists: ListMaker, members: Mapping[str, Reviewer], strategy: str, k: int, options: ListOptions
) -> TopList:
    """Makes the top list of a group; each listed movie says the predicted rating of each member.

    Raises:
        EngineError: the group has no member; an argument is wrong (the docstring of `ListMaker.make` says
            which errors can occur).
    """
    group = Group(lists, members, strategy)
    top = lists.make_for(group, group.candidates(k, include_seen=options.include_seen), k, options)
    predictions = group.predictions(lists.movies.rows([item.movie_id for item in top]))
    top[:] = [
        GroupRecommendation(**vars(item), members=made) for item, made in zip(top, predictions, strict=True)
    ]
    return top


def _strongest(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Merges reasons that name the same movie into one reason, whose contribution is the sum.

    At most `MOST_REASONS` reasons are returned: the reasons with the largest contributions.
    """
    by_movie: dict[str, Reason] = {}
    for reason in reasons:
        known = by_movie.get(reason.movie_id)
        total = reason.contribution + (known.contribution if known else 0.0)
        by_movie[reason.movie_id] = replace(known or reason, contribution=total)
    ranked = sorted(by_movie.values(), key=lambda reason: -reason.contribution)
    return tuple(ranked[:MOST_REASONS])
