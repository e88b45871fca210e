"""Makes the top lists: for whoever they are, under whatever conditions, from candidates to answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from engine.answers import OtherVariant, Recommendation, TopList
from engine.arrays import Floats, Rows, are_held, best_places
from engine.artifact.ids import IdTable
from engine.catalogue.cards import MovieCards
from engine.catalogue.database import Catalog
from engine.catalogue.variants import Variants, format_of_card, is_in_format
from engine.lists.reasons import Explainer
from engine.lists.recipients import OneReviewer, Recipient
from engine.model.scorer import Model, Reviewer, Scores
from engine.questions.conditions import Conditions, resolve_conditions
from engine.questions.options import ListOptions, check_k
from engine.search.candidates import CandidateSource

if TYPE_CHECKING:
    from engine.answers import Variety
    from engine.lists.groups import Group


_BATCH = 256

logger = logging.getLogger(__name__)


class _Pool(NamedTuple):
    """What a list is chosen from: the best of the movies that meet every condition, one of each film."""

    rows: Rows
    """int64 [num], highest score first, equal ones by row."""
    scores: Scores
    num_open: int
    """Movies that were scored, whatever their predicted rating is."""
    best_rating: float | None
    """The highest rating predicted among them; None where none was asked for."""


class _Rated(TypedDict):
    """The part of a recommendation that says what the reviewer will give."""

    predicted_rating: float | None
    median_rating: float | None
    like_probability: float | None
    rating_probabilities: dict[str, float] | None


_UNRATED = _Rated(predicted_rating=None, median_rating=None, like_probability=None, rating_probabilities=None)


class ListMaker:
    """Makes top lists for reviewers, known or new.

    Args:
        model: scores the candidates.
        candidates: finds them.
        movies: the ids of the movies.
        cards: what is shown of them.
        catalog: answers conditions.
        variants: which movies are one film; none where nobody looked.
        movie_counts: int [num_movies], each movie's reviews; by default counted from the histories.
        cold: bool [num_movies], which movies have no reviews to learn from; by default none is one.
    """

    def __init__(
        self,
        model: Model,
        candidates: CandidateSource,
        movies: IdTable,
        cards: MovieCards,
        catalog: Catalog,
        variants: Variants | None = None,
        movie_counts: NDArray[np.integer] | None = None,
        cold: NDArray[np.bool_] | None = None,
    ) -> None:
        self._model = model
        self._candidates = candidates
        self._movies = movies
        self._cards = cards
        self._catalog = catalog
        self._variants = variants or Variants.none()
        self._given_counts = movie_counts
        self._cold = np.zeros(model.num_movies, dtype=bool) if cold is None else cold
        self._explainer = Explainer(model, movies, cards)

    def make(self, reviewers: Sequence[Reviewer], k: int, options: ListOptions) -> list[TopList]:
        """Makes the top list of each reviewer.

        Args:
            reviewers: who they are for, as `Model.reviewer` works them out.
            k: how long the lists are, at least 1; shorter only where no more movies match.
            options: what the lists may hold.

        Returns:
            A list for each reviewer, best first; equal scores stand in the order of the movies' ids.

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
            lists.extend(self._make(reviewers[begin : begin + _BATCH], k, conditions, options))
        if empty := [top.why_empty for top in lists if top.why_empty is not None]:
            more = f" ({len(empty):,} of {len(lists):,} lists are empty)" if len(lists) > 1 else ""
            logger.warning("%s%s", empty[0], more)
        return lists

    def make_for(self, recipient: Recipient, candidates: Rows, k: int, options: ListOptions) -> TopList:
        """Makes one top list for a recipient of any kind.

        Args:
            recipient: whom it is for.
            candidates: int64 [num], ascending, the movies worth scoring where no condition names others; all
                are scored where too few of them can be listed.
            k: how long the list is, at least 1; shorter only where no more movies match.
            options: what the list may hold.

        Raises:
            EngineError: as `make`.
        """
        check_k(k)
        conditions = self._conditions(options)
        wanted = _pool_size(k, options)
        rows = candidates if conditions.rows is None else conditions.rows
        found = self._list(recipient, rows, k, wanted, conditions, options)
        if found.why_empty is not None:
            logger.warning("%s", found.why_empty)
        return found

    def group(self, members: Sequence[Reviewer], strategy: str) -> Group:
        """Several reviewers as one recipient.

        Raises:
            ConfigError: there is no such strategy.
        """
        from engine.lists.groups import Group

        return Group(self._model, self._candidates, members, strategy, self._explainer)

    def recipient(self, reviewer: Reviewer) -> OneReviewer:
        """One reviewer as a recipient."""
        return OneReviewer(self._model, reviewer, self._explainer)

    def _conditions(self, options: ListOptions) -> Conditions:
        return resolve_conditions(options, self._movies, self._catalog, self._model.rating, self._cold)

    def _make(
        self, reviewers: Sequence[Reviewer], k: int, conditions: Conditions, options: ListOptions
    ) -> list[TopList]:
        wanted = _pool_size(k, options)
        if conditions.rows is None:
            depth = wanted + conditions.num_named
            found = self._candidates.find(reviewers, depth, include_seen=options.include_seen)
        else:
            # With a condition every matching movie is scored, so that a list is short only when they run out.
            found = [conditions.rows] * len(reviewers)
        return [
            self._list(self.recipient(reviewer), rows, k, wanted, conditions, options)
            for reviewer, rows in zip(reviewers, found, strict=True)
        ]

    def _list(
        self,
        recipient: Recipient,
        rows: Rows,
        k: int,
        wanted: int,
        conditions: Conditions,
        options: ListOptions,
    ) -> TopList:
        pool = self._pool(recipient, rows, wanted, conditions, options)
        if len(pool.rows) < wanted and conditions.rows is None and len(rows) < conditions.num_movies:
            pool = self._pool(recipient, conditions.all_rows(), wanted, conditions, options)
        if not len(pool.rows):
            return TopList(why_empty=conditions.why_none_is_left(pool.num_open, pool.best_rating))
        places, variety = np.arange(min(k, len(pool.rows))), None
        if options.is_varied:
            places, variety = self._vary(pool, k, options)
        answers = self._answers(recipient, pool.rows[places], _pick(pool.scores, places), options)
        return TopList(answers, variety=variety)

    def _pool(
        self, recipient: Recipient, rows: Rows, wanted: int, conditions: Conditions, options: ListOptions
    ) -> _Pool:
        """Scores what may be listed of some movies, and keeps the best."""
        rows = self._open(recipient, rows, conditions, options)
        num_open, best_rating = len(rows), None
        if conditions.min_rating is not None and self._model.rating:
            probabilities = recipient.scores(rows).probabilities
            if probabilities is not None:
                mean = self._model.rating.summarize(probabilities).mean.astype(np.float64)
                rows, best_rating = rows[mean >= conditions.min_rating], float(mean.max(initial=0))
        if self._variants and not options.all_variants:
            rows = rows[self._variants.one_each(rows, self._preference(rows, options))]
        places, scores = recipient.best_scores(rows, wanted)
        best = best_places(scores.score, wanted)
        return _Pool(rows[places[best]], _pick(scores, best), num_open, best_rating)

    def _open(self, recipient: Recipient, rows: Rows, conditions: Conditions, options: ListOptions) -> Rows:
        """The movies that may be listed, of some and of their variants: int64, ascending."""
        if conditions.rows is None and self._variants and not options.all_variants:
            rows = self._variants.complete(rows)
        if len(conditions.excluded):
            rows = rows[~are_held(conditions.excluded, rows)]
        if not options.include_seen:
            seen = recipient.seen_rows
            seen = np.sort(seen) if options.all_variants else self._variants.complete(seen)
            rows = rows[~are_held(seen, rows)]
        return rows

    def _preference(self, rows: Rows, options: ListOptions) -> NDArray[np.float64]:
        """Which variant of a film is listed: one of the wanted format, then the one with most reviews."""
        preference = np.asarray(self._counts(rows), dtype=np.float64)
        if options.format_preference is None:
            return preference
        for place in np.flatnonzero(self._variants.are_several(rows)).tolist():
            if is_in_format(self._cards.card(int(rows[place])), options.format_preference):
                preference[place] += self._model.num_movies + len(self._model.histories.movie_rows)
        return preference

    def _vary(self, pool: _Pool, k: int, options: ListOptions) -> tuple[Rows, Variety]:
        from engine.answers import Variety
        from engine.lists.variety import diversify, lean, list_diversity, unit_vectors

        leaned = lean(pool.scores.score, self._counts(pool.rows), options.novelty)
        order = best_places(leaned, len(leaned))
        vectors = unit_vectors(self._model.relevance.movie_vectors[pool.rows][:, :-1])
        places = order[diversify(leaned[order], vectors[order], k, options.diversity)]
        score = pool.scores.score.astype(np.float64)
        return places, Variety(
            diversity=float(options.diversity),
            novelty=float(options.novelty),
            score_loss=max(0.0, float(score[: len(places)].mean() - score[places].mean())),
            list_diversity=list_diversity(vectors[places]),
            plain_diversity=list_diversity(vectors[: len(places)]),
        )

    def _counts(self, rows: Rows) -> NDArray[np.integer]:
        if self._given_counts is None:
            self._given_counts = np.bincount(
                self._model.histories.movie_rows, minlength=self._model.num_movies
            )
        return self._given_counts[rows]

    def _answers(
        self, recipient: Recipient, rows: Rows, scores: Scores, options: ListOptions
    ) -> list[Recommendation]:
        ratings = self._ratings(scores.probabilities, len(rows))
        reasons = recipient.reasons(rows) if options.because else None
        score, relevance, cold = scores.score.tolist(), scores.relevance.tolist(), self._cold[rows].tolist()
        answers = []
        for place, row in enumerate(rows.tolist()):
            card = self._cards.card(row)
            answers.append(
                Recommendation(
                    rank=place + 1,
                    movie_id=self._movies.id(row),
                    title=card["title"],
                    score=score[place],
                    relevance=relevance[place],
                    **ratings[place],
                    card=card,
                    because=None if reasons is None else reasons[place],
                    variants=self._others(row) if options.show_variants else None,
                    cold=cold[place],
                )
            )
        return answers

    def _ratings(self, probabilities: Floats | None, num: int) -> list[_Rated]:
        """What answers say of ratings, in as many of them."""
        if probabilities is None or self._model.rating is None:
            return num * [_UNRATED]
        predicted = self._model.rating.summarize(probabilities)
        likes = self._model.like_probability(probabilities)
        names = [str(round(level, 4)) for level in self._model.rating.levels.tolist()]
        columns = (predicted.mean, predicted.median, likes, probabilities)
        return [
            _Rated(
                predicted_rating=mean,
                median_rating=median,
                like_probability=like,
                rating_probabilities=dict(zip(names, chances, strict=True)),
            )
            for mean, median, like, chances in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def _others(self, row: int) -> tuple[OtherVariant, ...]:
        rows = self._variants.of(row)
        rows = rows[rows != row]
        cards = [
            (int(other), self._cards.card(int(other)))
            for other in rows[np.argsort(-self._counts(rows), kind="stable")]
        ]
        return tuple(
            OtherVariant(movie_id=self._movies.id(other), title=card["title"], format=format_of_card(card))
            for other, card in cards
        )


def _pool_size(k: int, options: ListOptions) -> int:
    """How many movies a list is chosen from."""
    if not options.is_varied:
        return k
    from engine.lists.variety import pool_size

    return pool_size(k)


def _pick(scores: Scores, places: Rows) -> Scores:
    probabilities = None if scores.probabilities is None else scores.probabilities[places]
    return Scores(scores.score[places], scores.relevance[places], probabilities)
