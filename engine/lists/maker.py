"""Makes top lists: finds candidates, leaves out what the options exclude, keeps the best, names them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from engine.answers import OtherVariant, Recommendation, TopList, Variety
from engine.arrays import Doubles, Floats, Rows, are_held, k_highest
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.catalogue.variants import Variants, format_of_card, is_in_format
from engine.lists.recipients import OneReviewer, Recipient
from engine.model.scorer import Model
from engine.model.values import Reviewer, Scores
from engine.questions.conditions import Conditions, resolve_conditions
from engine.questions.options import ListOptions, check_k
from engine.search.candidates import CandidateSource

_BATCH = 256
"""Reviewers whose candidates are searched for at once."""

logger = logging.getLogger(__name__)


class RatedFields(TypedDict, total=False):
    """Holds the fields of an answer about predicted ratings; empty where the data has no ratings."""

    predicted_rating: float
    median_rating: float
    like_probability: float
    rating_probabilities: dict[str, float]


class _Pool(NamedTuple):
    """Holds what a list is chosen from: the best of the movies that may be listed, one of each film."""

    rows: Rows
    """int64 [num], highest score first, equal ones by row."""
    scores: Scores
    num_open: int
    """How many movies were let in, whatever their predicted rating."""
    best_rating: float | None
    """The highest predicted rating of the movies let in; None where no least rating was asked for."""


class ListMaker:
    """Makes top lists for recipients of any kind.

    `matching_rows` finds the movies that meet a condition in SQL, int64, ascending. `movie_counts`, int
    [num_movies], says how many reviews each movie has; `cold`, bool [num_movies], which movies are cold.
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
    ) -> None:
        self.model = model
        self.candidates = candidates
        self.movies = movies
        self.cards = cards
        self.variants = variants
        self.movie_counts = movie_counts
        self._matching_rows = matching_rows
        self._cold = cold

    def make(self, reviewers: Sequence[Reviewer], k: int, options: ListOptions) -> list[TopList]:
        """Makes the top list of each reviewer, best first, equal scores in the order of the movies' ids.

        A list holds k movies, at least 1, and fewer only where no more movies match.

        Raises:
            ConfigError: `k` is less than 1, or an option is out of range.
            DataError: `options.min_rating` is given, but the data has no ratings.
            FilterError: `options.where` is not a condition over the catalogue.
            SourceError: a file of ids cannot be read.
            UnknownIdError: the index holds none of the movies of `options.only`.
        """
        check_k(k)
        conditions = self._conditions(options)
        lists: list[TopList] = []
        for begin in range(0, len(reviewers), _BATCH):
            batch = reviewers[begin : begin + _BATCH]
            if conditions.rows is None:
                depth = _depth(k, options) + conditions.num_named
                found = self.candidates.find(batch, depth, include_seen=options.include_seen)
            else:
                # Every matching movie is scored, so that a list is short only where no more movies match.
                found = [conditions.rows] * len(batch)
            for reviewer, rows in zip(batch, found, strict=True):
                recipient = OneReviewer(self.model, reviewer, self.movies, self.cards)
                lists.append(self._list(recipient, rows, k, conditions, options))
        if empty := [top.why_empty for top in lists if top.why_empty is not None]:
            more = f" ({len(empty):,} of {len(lists):,} lists are empty)" if len(lists) > 1 else ""
            logger.warning("%s%s", empty[0], more)
        return lists

    def make_for(self, recipient: Recipient, candidates: Rows, k: int, options: ListOptions) -> TopList:
        """Makes one top list for a recipient of any kind, as `make` does.

        The candidates, int64, ascending, are scored where no condition names movies; where too few of them
        can be listed, every movie is scored.

        Raises:
            EngineError: an argument is wrong, as in `make`.
        """
        check_k(k)
        conditions = self._conditions(options)
        rows = candidates if conditions.rows is None else conditions.rows
        found = self._list(recipient, rows, k, conditions, options)
        if found.why_empty is not None:
            logger.warning("%s", found.why_empty)
        return found

    def _conditions(self, options: ListOptions) -> Conditions:
        if not options.has_conditions:
            return Conditions(num_movies=self.model.num_movies)
        rating = self.model.rating
        return resolve_conditions(options, self.movies, self._matching_rows, rating, self._cold)

    def _list(
        self, recipient: Recipient, rows: Rows, k: int, conditions: Conditions, options: ListOptions
    ) -> TopList:
        wanted = _depth(k, options)
        pool = self._pool(recipient, rows, wanted, conditions, options)
        if len(pool.rows) < wanted and conditions.rows is None and len(rows) < conditions.num_movies:
            pool = self._pool(recipient, conditions.all_rows(), wanted, conditions, options)
        top = TopList()
        if not len(pool.rows):
            top.why_empty = conditions.why_none_is_left(pool.num_open, pool.best_rating)
            return top
        places = np.arange(min(k, len(pool.rows)))
        if options.is_varied:
            places, top.variety = self._vary(pool, k, options)
        top += self._answers(recipient, pool.rows[places], _pick(pool.scores, places), options)
        return top

    def _pool(
        self, recipient: Recipient, rows: Rows, wanted: int, conditions: Conditions, options: ListOptions
    ) -> _Pool:
        """Scores what may be listed of some movies, and keeps the best."""
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
        """Finds the movies that may be listed among some movies and their variants: int64, ascending."""
        if conditions.rows is None and self.variants and not options.all_variants:
            rows = self.variants.complete(rows)
        if conditions.excluded is not None:
            rows = rows[~are_held(conditions.excluded, rows)]
        if not options.include_seen:
            seen = recipient.seen_rows
            seen = np.sort(seen) if options.all_variants else self.variants.complete(seen)
            rows = rows[~are_held(seen, rows)]
        return rows

    def _preference(self, rows: Rows, options: ListOptions) -> Doubles:
        """Ranks the variants of a film: those of the wanted format first, then by their number of reviews."""
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
                    variants=self._others(row) if options.show_variants else None,
                    cold=cold[place],
                )
            )
        return answers

    def _others(self, row: int) -> tuple[OtherVariant, ...]:
        """Describes the other variants of a film, those with most reviews first."""
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
    """Describes the predicted ratings of `num` answers by the chances, [num, num_levels], of the levels."""
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
    """Returns how many movies a list of k is chosen from: more than k if the list is varied."""
    if not options.is_varied:
        return k
    from engine.lists.variety import pool_size

    return pool_size(k)
