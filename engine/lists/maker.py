"""Makes top lists: finds candidates, leaves out excluded movies, and keeps the movies of highest score."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from engine.answers import OtherVariant, Recommendation, TopList, Variety
from engine.arrays import Doubles, Floats, Rows, are_held, k_highest
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants, format_of_card, is_in_format
from engine.lists.reasons import OneReviewer, Recipient
from engine.model.scorer import Model
from engine.model.values import Reviewer, Scores
from engine.questions.arguments import ListOptions, check_k
from engine.questions.conditions import Conditions, resolve_conditions
from engine.search.candidates import CandidateSource

if TYPE_CHECKING:
    from engine.search.filtered import FilteredSource

_BATCH = 256
"""The number of reviewers for whom candidates are searched in one step."""
_LEAST_OPEN = 0.1
"""The least number by which the number of candidates is divided. A list leaves out the movies that are hidden
from everyone. To make up for hidden movies among the candidates, the search looks for more candidates: the
number of candidates is divided by the share of all movies that are not hidden from everyone. If the share of
movies that are not hidden from everyone is less than `_LEAST_OPEN`, the number of candidates is divided by
`_LEAST_OPEN` instead of by the share. The search therefore finds at most ten times as many candidates as
without movies that are hidden from everyone."""

logger = logging.getLogger(__name__)


class RatedFields(TypedDict, total=False):
    """Holds the fields of an answer that describe a predicted rating; empty if the data has no ratings."""

    predicted_rating: float
    median_rating: float
    like_probability: float
    rating_probabilities: dict[str, float]


class _Pool(NamedTuple):
    """Holds the movies from which the movies of a list are chosen: the allowed movies of highest score."""

    rows: Rows
    """int64 [num]: the rows of the movies, the highest score first; movies of equal score are ordered by
    row."""
    scores: Scores
    num_open: int
    """The number of movies that meet all conditions of the list but `min_rating`, the lowest predicted
    rating."""
    best_rating: float | None
    """The highest predicted rating among the movies that meet all conditions of the list but `min_rating`;
    None if the list has no condition `min_rating`."""


class ListMaker:
    """Makes top lists for any recipient: a reviewer, a newcomer, a group, or an unknown reviewer.

    Args:
        model: the model that scores movies.
        candidates: finds candidates, the movies from which a list is chosen.
        movies: the table of movie ids and their rows.
        cards: holds the fields, such as the title, that answers show of each movie.
        matching_rows: a function that returns the rows of the movies that meet an SQL condition, int64,
            ascending.
        variants: says which movies are variants of one film.
        movie_counts: the number of reviews of each movie, int [num_movies].
        cold: bool [num_movies], True for a movie that has no reviews and is known by its metadata alone.
        hidden_rows: a function that returns the rows of the movies that are hidden from everybody, int64,
            ascending.
        filtered: finds candidates that meet an SQL condition; None if the vector index cannot check
            conditions.
    """

    def __init__(
        self,
        model: Model,
        candidates: CandidateSource,
        movies: IdTable,
        cards: MovieCards,
        matching_rows: Callable[[str], Rows],
        variants: Variants,
        movie_counts: NDArray[np.integer],
        cold: NDArray[np.bool_],
        hidden_rows: Callable[[], Rows] = lambda: np.zeros(0, dtype=np.int64),
        filtered: FilteredSource | None = None,
    ) -> None:
        self.model = model
        self.candidates = candidates
        self.movies = movies
        self.cards = cards
        self.variants = variants
        self.movie_counts = movie_counts
        self._matching_rows = matching_rows
        self.hidden_rows = hidden_rows
        self.filtered = filtered
        self._cold = cold

    def make(self, reviewers: Sequence[Reviewer], k: int, options: ListOptions) -> list[TopList]:
        """Makes the top list of each reviewer, highest score first; equal scores are ordered by movie id.

        A list holds fewer than k movies only if fewer than k movies meet the conditions in the options.

        Raises:
            ConfigError: `k` is less than 1; an option is out of range.
            DataError: `options.min_rating` is given, but the data has no ratings.
            FilterError: `options.where` is not an SQL condition on the columns of the catalogue.
            SourceError: a file of ids cannot be read.
            UnknownIdError: the index holds none of the movies in `options.only`.
        """
        check_k(k)
        lists = self._filtered_lists(reviewers, k, options) or self._scored_lists(reviewers, k, options)
        if empty := [top.why_empty for top in lists if top.why_empty is not None]:
            more = f" ({len(empty):,} of {len(lists):,} lists are empty)" if len(lists) > 1 else ""
            logger.warning("%s%s", empty[0], more)
        return lists

    def _filtered_lists(self, reviewers: Sequence[Reviewer], k: int, options: ListOptions) -> list[TopList]:
        """Makes lists from candidates that a database finds among the movies that meet `options.where`.

        Returns no lists if scoring every movie that meets `options.where` is faster, or if a list would hold
        fewer than k movies.
        """
        if self.filtered is None or options.where is None or options.only is not None:
            return []
        loose, wanted = self._conditions(replace(options, where=None)), _depth(k, options)
        depth, lists = self._open_depth(wanted + loose.num_named), []
        for begin in range(0, len(reviewers), _BATCH):
            batch = reviewers[begin : begin + _BATCH]
            found = self.filtered.find(batch, depth, options.where, include_seen=options.include_seen)
            for reviewer, rows in zip(batch, found or (), strict=found is not None):
                recipient = OneReviewer(self.model, reviewer, self.movies, self.cards)
                conditions = loose.among(rows)
                pool = self._pool(recipient, conditions.all_rows(), wanted, conditions, options)
                if len(pool.rows) < wanted:
                    return []
                lists.append(self._listed(recipient, pool, k, options))
            if found is None:
                return []
        return lists

    def _scored_lists(self, reviewers: Sequence[Reviewer], k: int, options: ListOptions) -> list[TopList]:
        """Makes lists from candidates, or, with conditions, from all movies that meet the conditions."""
        conditions = self._conditions(options)
        lists: list[TopList] = []
        for begin in range(0, len(reviewers), _BATCH):
            batch = reviewers[begin : begin + _BATCH]
            if conditions.rows is None:
                depth = self._open_depth(_depth(k, options) + conditions.num_named)
                found = self.candidates.find(batch, depth, include_seen=options.include_seen)
            else:
                # All movies that meet the conditions are scored, so that a list is short only if too few
                # movies meet the conditions.
                found = [conditions.rows] * len(batch)
            for reviewer, rows in zip(batch, found, strict=True):
                recipient = OneReviewer(self.model, reviewer, self.movies, self.cards)
                lists.append(self._list(recipient, rows, k, conditions, options))
        return lists

    def make_for(self, recipient: Recipient, candidates: Rows, k: int, options: ListOptions) -> TopList:
        """Makes the top list of any recipient, such as a group or an unknown reviewer.

        If `options` sets conditions on movies, every movie that meets the conditions is scored. If `options`
        sets no conditions on movies, only the movies in `candidates` are scored. If fewer than k movies in
        `candidates` may be listed, every movie is scored.

        Args:
            recipient: scores movies for whoever receives the list.
            candidates: int64, ascending, the rows of the movies to score.
            k: the number of movies that the list should hold, at least 1.
            options: the options of the list, such as the condition `where`.

        Raises:
            EngineError: `k` or an option is wrong; the docstring of `make` says which errors can occur.
        """
        check_k(k)
        conditions = self._conditions(options)
        rows = candidates if conditions.rows is None else conditions.rows
        found = self._list(recipient, rows, k, conditions, options)
        if found.why_empty is not None:
            logger.warning("%s", found.why_empty)
        return found

    def _open_depth(self, depth: int) -> int:
        """Returns the number of candidates to search for, so that about `depth` of them are not hidden."""
        num_hidden, num_movies = len(self.hidden_rows()), self.model.num_movies
        if not num_hidden:
            return depth
        share_open = max(_LEAST_OPEN, 1 - num_hidden / num_movies)
        return min(num_movies, math.ceil(max(depth, self.candidates.num_candidates) / share_open))

    def _conditions(self, options: ListOptions) -> Conditions:
        conditions = Conditions(num_movies=self.model.num_movies)
        if options.has_conditions:
            rating = self.model.rating
            conditions = resolve_conditions(options, self.movies, self._matching_rows, rating, self._cold)
        hidden = self.hidden_rows()
        return conditions.without(hidden) if len(hidden) else conditions

    def _list(
        self, recipient: Recipient, rows: Rows, k: int, conditions: Conditions, options: ListOptions
    ) -> TopList:
        wanted = _depth(k, options)
        pool = self._pool(recipient, rows, wanted, conditions, options)
        if len(pool.rows) < wanted and conditions.rows is None and len(rows) < conditions.num_movies:
            pool = self._pool(recipient, conditions.all_rows(), wanted, conditions, options)
        if not len(pool.rows):
            top = TopList()
            top.why_empty = conditions.why_none_is_left(pool.num_open, pool.best_rating)
            return top
        return self._listed(recipient, pool, k, options)

    def _listed(self, recipient: Recipient, pool: _Pool, k: int, options: ListOptions) -> TopList:
        """Chooses k movies of `pool`; returns a list of the chosen movies."""
        top = TopList()
        places = np.arange(min(k, len(pool.rows)))
        if options.is_varied:
            places, top.variety = self._vary(pool, k, options)
        top += self._answers(recipient, pool.rows[places], _pick(pool.scores, places), options)
        return top

    def _pool(
        self, recipient: Recipient, rows: Rows, wanted: int, conditions: Conditions, options: ListOptions
    ) -> _Pool:
        """Scores those movies in `rows` that may be listed; keeps the `wanted` movies of highest score."""
        rows = self._open(recipient, rows, conditions, options)
        num_open, best_rating = len(rows), None
        if conditions.min_rating is not None and self.model.rating:
            probabilities = recipient.scores(rows).probabilities
            if probabilities is not None:
                mean = self.model.rating.summarize(probabilities).mean.astype(np.float64)
                rows, best_rating = rows[mean >= conditions.min_rating], float(mean.max(initial=0))
        if self.variants and not options.all_variants:
            rows = rows[self.variants.one_each(rows, self._preference(rows, options))]
        places, scores = recipient.best_scores(rows, wanted)
        best = k_highest(scores.score, wanted)
        return _Pool(rows[places[best]], _pick(scores, best), num_open, best_rating)

    def _open(self, recipient: Recipient, rows: Rows, conditions: Conditions, options: ListOptions) -> Rows:
        """Returns the movies in `rows` and their variants, without seen, hidden and excluded movies.

        Returns:
            The rows of the movies that the list may hold, int64 [num], ascending.
        """
        if conditions.rows is None and self.variants and not options.all_variants:
            rows = self.variants.complete(rows)
        if conditions.excluded is not None:
            rows = rows[~are_held(conditions.excluded, rows)]
        for left_out in (recipient.hidden_rows, recipient.seen_rows[: 0 if options.include_seen else None]):
            if len(left_out):
                left_out = np.sort(left_out) if options.all_variants else self.variants.complete(left_out)
                rows = rows[~are_held(left_out, rows)]
        return rows

    def _preference(self, rows: Rows, options: ListOptions) -> Doubles:
        """Returns a preference for each movie; of a film's variants, a list holds the most preferred one.

        A variant in the format `options.format_preference` is preferred to a variant in any other format. If
        two variants both have, or both lack, the format `options.format_preference`, the variant with more
        reviews is preferred.
        """
        preference: Doubles = self.movie_counts[rows].astype(np.float64)
        if options.format_preference is None:
            return preference
        for place in np.flatnonzero(self.variants.are_several(rows)).tolist():
            if is_in_format(self.cards.card(int(rows[place])), options.format_preference):
                preference[place] += self.model.num_movies + len(self.model.histories.movie_rows)
        return preference

    def _vary(self, pool: _Pool, k: int, options: ListOptions) -> tuple[Rows, Variety]:
        from engine.lists.variety import diversify, lean, list_diversity, unit_vectors

        leaned = lean(pool.scores.score, self.movie_counts[pool.rows], options.novelty)
        order = k_highest(leaned, len(leaned))
        vectors = unit_vectors(self.model.relevance.movie_vectors[pool.rows][:, :-1])
        places = order[diversify(leaned[order], vectors[order], k, options.diversity)]
        score = pool.scores.score.astype(np.float64)
        return places, Variety(
            diversity=float(options.diversity),
            novelty=float(options.novelty),
            score_loss=max(0.0, float(score[: len(places)].mean() - score[places].mean())),
            list_diversity=list_diversity(vectors[places]),
            plain_diversity=list_diversity(vectors[: len(places)]),
        )

    def _answers(
        self, recipient: Recipient, rows: Rows, scores: Scores, options: ListOptions
    ) -> list[Recommendation]:
        rated = rated_fields(self.model, scores.probabilities, len(rows))
        reasons = recipient.reasons(rows) if options.because else None
        score, relevance, cold = scores.score.tolist(), scores.relevance.tolist(), self._cold[rows].tolist()
        answers = []
        for place, row in enumerate(rows.tolist()):
            card = self.cards.card(row)
            answers.append(
                Recommendation(
                    rank=place + 1,
                    movie_id=self.movies.id(row),
                    title=card["title"],
                    score=score[place],
                    relevance=relevance[place],
                    **rated[place],
                    card=card,
                    because=None if reasons is None else reasons[place],
                    variants=self.other_variants(row) if options.show_variants else None,
                    cold=cold[place],
                )
            )
        return answers

    def other_variants(self, row: int) -> tuple[OtherVariant, ...]:
        """Describes the other variants of a movie's film, the variant with the most reviews first."""
        rows = self.variants.of(row)
        rows = rows[rows != row]
        named = []
        for other in rows[k_highest(self.movie_counts[rows].astype(np.float64), len(rows))].tolist():
            card = self.cards.card(other)
            named.append(
                OtherVariant(movie_id=self.movies.id(other), title=card["title"], format=format_of_card(card))
            )
        return tuple(named)


def rated_fields(model: Model, probabilities: Floats | None, num: int) -> list[RatedFields]:
    """Makes the fields that describe predicted ratings, for each of `num` answers.

    Args:
        model: the model that predicted the ratings.
        probabilities: the chance of each rating level, float32 [num, num_levels]; None if the data has no
            ratings.
        num: the number of answers.
    """
    if probabilities is None or model.rating is None:
        return num * [RatedFields()]
    predicted = model.rating.summarize(probabilities)
    columns = predicted.mean, predicted.median, model.like_probability(probabilities), probabilities
    names = [str(round(level, 4)) for level in model.rating.levels.tolist()]
    return [
        RatedFields(
            predicted_rating=mean,
            median_rating=median,
            like_probability=like,
            rating_probabilities=dict(zip(names, chances, strict=True)),
        )
        for mean, median, like, chances in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _pick(scores: Scores, places: Rows) -> Scores:
    probabilities = None if scores.probabilities is None else scores.probabilities[places]
    return Scores(scores.score[places], scores.relevance[places], probabilities)


def _depth(k: int, options: ListOptions) -> int:
    """Returns the number of movies from which a list is chosen: k, or more if the list is varied."""
    if not options.is_varied:
        return k
    from engine.lists.variety import pool_size

    return pool_size(k)
