"""Lets answers use fresh feedback: reviews and hidden movies that came after the build of the index.

Fresh reviews are added to a reviewer's history, from which the engine computes the scores of movies for the
reviewer. The model is not trained again. An answer is the same as after `engine add-reviews` has added the
fresh feedback to the index.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Rows
from engine.artifact.ids import IdTable
from engine.feedback.events import CLICK, PURCHASE, Event, Scale
from engine.feedback.hidden import HiddenMovies
from engine.feedback.journal import Tail
from engine.model.histories import Histories, History

_NO_ROWS: Rows = np.zeros(0, dtype=np.int64)


class FreshReview(NamedTuple):
    """Holds a fresh review, which came as feedback after the build of the index."""

    kind: str
    level_row: int
    time: int


class DatedHistory(NamedTuple):
    """Holds a reviewer's history, the oldest review first, and the time of each review (Unix time)."""

    history: History
    times: NDArray[np.int64]


def outcome_of(first: FreshReview | None, then: FreshReview) -> FreshReview:
    """Returns the review that counts if a reviewer has reviewed a movie twice; `then` is the later review."""
    if first is None:
        return then
    if then.kind == CLICK or (then.kind == PURCHASE and then.level_row <= first.level_row):
        return first
    return then


class Feedback:
    """Holds fresh feedback (feedback that came after the build of the index) and all hidden movies.

    Args:
        hidden: the hidden movies that the build of the index holds.
        reviewers: the table of reviewer ids and their rows.
        movies: the table of movie ids and their rows.
        histories: the histories of the reviewers in the build.
        times: the time of each review in `histories`, int [num_reviews], in seconds since 1970 (Unix time).
        make_scale: a function that returns the rating scale of the build.
    """

    def __init__(
        self,
        hidden: HiddenMovies,
        reviewers: IdTable,
        movies: IdTable,
        histories: Histories,
        times: NDArray[np.integer],
        make_scale: Callable[[], Scale],
    ) -> None:
        self.hidden = hidden
        self._make_scale = make_scale
        self.num_fresh = 0
        """The number of events that were appended to the journal after the build of the index."""
        self._reviewers, self._movies = reviewers, movies
        self._histories, self._times = histories, times
        self._reviews: dict[str, dict[int, FreshReview]] = {}
        self._tail: Tail | None = None
        self._hidden_rows: Rows | None = None

    @cached_property
    def scale(self) -> Scale:
        """Returns the rating scale of the build."""
        return self._make_scale()

    def follow(self, tail: Tail) -> None:
        """Starts reading a journal through `tail`, which begins after the events in the build."""
        self._tail = tail
        self.catch_up()

    def catch_up(self) -> None:
        """Reads the events that were appended to the journal since the last call; is fast without new events.

        Raises:
            ArtifactError: the journal cannot be read.
        """
        if self._tail is None:
            return
        events = self._tail.read().events
        if events:
            self.num_fresh += len(events)
            self.hidden.apply(events)
            self._hidden_rows = None
            for event in events:
                if event.is_review:
                    self._add(event)

    def _add(self, event: Event) -> None:
        row = self._movies.row(event.movie_id)
        if row is None or event.reviewer_id is None:
            return
        reviews = self._reviews.setdefault(event.reviewer_id, {})
        new = FreshReview(event.kind, self.scale.level_row(event.rating), event.time)
        old = reviews.get(row)
        is_in_order = old is None or old.time <= new.time
        if (outcome_of(old, new) if is_in_order or old is None else outcome_of(new, old)) is new:
            # The review is removed and added again at the end, because reviews with equal times stay in the
            # order of the journal, as in `engine add-reviews`.
            reviews.pop(row, None)
            reviews[row] = new

    @property
    def hidden_rows(self) -> Rows:
        """Returns the rows of the movies that are hidden from everybody: int64, ascending."""
        if self._hidden_rows is None:
            self._hidden_rows = self._rows(self.hidden.movies)
        return self._hidden_rows

    def hidden_for(self, reviewer_id: str) -> Rows:
        """Returns the rows of the movies that are hidden from one reviewer alone: int64, ascending."""
        return self._rows(self.hidden.by_reviewer.get(reviewer_id, ()))

    def _rows(self, ids: set[str] | tuple[()]) -> Rows:
        if not ids:
            return _NO_ROWS
        rows = self._movies.rows(sorted(ids))
        return np.sort(rows[rows >= 0])

    def knows(self, reviewer_id: str) -> bool:
        """Tells whether a reviewer has a fresh review, which came after the build of the index."""
        return reviewer_id in self._reviews

    def history(self, reviewer_id: str) -> DatedHistory | None:
        """Returns a reviewer's history with fresh reviews; None if the reviewer has no fresh review.

        A fresh review is left out if the build has a later review of the movie by the reviewer.
        """
        fresh = self._reviews.get(reviewer_id)
        if not fresh:
            return None
        movie_rows, level_rows, times = self._taken_in(reviewer_id)
        places = {int(row): place for place, row in enumerate(movie_rows)}
        kept = np.ones(len(movie_rows), dtype=bool)
        added: list[tuple[int, int, int]] = []
        for row, review in fresh.items():
            place = places.get(row)
            if place is not None:
                held = FreshReview("rating", int(level_rows[place]), int(times[place]))
                if review.time < held.time or outcome_of(held, review) is held:
                    continue
                kept[place] = False
            added.append((row, review.level_row, review.time))
        rows = np.concatenate([movie_rows[kept], [one[0] for one in added]])
        levels = np.concatenate([level_rows[kept], [one[1] for one in added]])
        when = np.concatenate([times[kept], [one[2] for one in added]]).astype(np.int64)
        order = np.argsort(when, kind="stable")
        history = History(rows[order].astype(np.int32), levels[order].astype(np.int8))
        return DatedHistory(history, when[order])

    def whole_history(self, reviewer_id: str) -> DatedHistory:
        """Returns a reviewer's history with fresh reviews; an unknown reviewer has an empty history."""
        fresh = self.history(reviewer_id)
        if fresh is not None:
            return fresh
        movie_rows, level_rows, times = self._taken_in(reviewer_id)
        return DatedHistory(History(movie_rows, level_rows), times)

    def hidden_by_row(self) -> dict[int, Rows]:
        """Maps the row of a reviewer to the rows of the movies that are hidden from this reviewer alone."""
        rows = {self._reviewers.row(one): self.hidden_for(one) for one in self.hidden.by_reviewer}
        return {row: hidden for row, hidden in rows.items() if row is not None and len(hidden)}

    def has_seen(self, movie_rows: Rows) -> set[str]:
        """Returns the ids of reviewers who hid a movie of `movie_rows`, or reviewed one after the build."""
        wanted = set(movie_rows.tolist())
        seen = {one for one, reviews in self._reviews.items() if not wanted.isdisjoint(reviews)}
        ids = set(self._movies.ids(sorted(wanted)))
        return seen | {one for one, hidden in self.hidden.by_reviewer.items() if not ids.isdisjoint(hidden)}

    def _taken_in(self, reviewer_id: str) -> tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]]:
        """Returns the movies, rating levels and times of a reviewer's reviews, without fresh reviews."""
        row = self._reviewers.row(reviewer_id)
        if row is None:
            return np.zeros(0, np.int32), np.zeros(0, np.int8), np.zeros(0, np.int64)
        history = self._histories.of(row)
        begin, end = int(self._histories.offsets[row]), int(self._histories.offsets[row + 1])
        return history.movie_rows, history.level_rows, self._times[begin:end].astype(np.int64)
