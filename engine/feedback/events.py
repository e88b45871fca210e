"""Defines the kinds of feedback, the rating for which each kind stands, and the format of a journal line.

A reviewer has at most one review of a movie, even after feedback of several kinds:

* A rating or a dislike replaces every earlier review of the movie by the reviewer.
* A purchase replaces an earlier review only if the rating of the purchase is higher.
* A click counts only if the reviewer has not yet reviewed the movie.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import NoneType
from typing import Any

import numpy as np

from engine.arrays import Floats

RATING, CLICK, PURCHASE, DISLIKE, HIDDEN, SHOWN = (
    *("rating", "click", "purchase", "dislike"),
    *("hidden", "shown"),
)
_KINDS = (RATING, CLICK, PURCHASE, DISLIKE, HIDDEN, SHOWN)
"""The kinds of feedback; the kind "hidden" hides a movie from one reviewer or from everybody, and the kind
"shown" ends the hiding."""
_LIKED = 0.75
"""The least position on the rating scale, from 0 to 1, at which feedback stands for a like, in an index that
was built from counts such as numbers of plays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Holds one line of the journal: what a reviewer did with a movie, or that a movie is hidden or shown.

    Attributes:
        id: the id of the event, by which a repeated event is recognised.
        time: the time of the event, in seconds since 1970 (Unix time).
        kind: the kind of feedback, such as "rating".
        movie_id: the id of the movie, which need not be in the index yet.
        reviewer_id: the id of the reviewer; None if the event hides a movie from everybody or shows it to
            everybody again.
        rating: the rating for which the event stands; None if the event does not become a review.
        recommendation_id: the id of the recommendation list in which the reviewer saw the movie; None if
            unknown.
    """

    id: str
    time: int
    kind: str
    movie_id: str
    reviewer_id: str | None = None
    rating: float | None = None
    recommendation_id: str | None = None

    @property
    def is_review(self) -> bool:
        """Tells whether the event can become a review in the index."""
        return self.kind in (RATING, CLICK, PURCHASE) or (self.kind == DISLIKE and self.rating is not None)

    @property
    def content(self) -> tuple[object, ...]:
        """Returns the kind, movie, reviewer and rating of the event.

        If a client sends two events with the same id, both events must have the same content.
        """
        return self.kind, self.movie_id, self.reviewer_id, self.rating

    def to_line(self) -> bytes:
        """Returns the event as one line of JSON; leaves out entries that are None."""
        entries = {name: value for name in _NAMES if (value := getattr(self, name)) is not None}
        return json.dumps(entries).encode("ascii") + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Event | None:
        """Reads a line of the journal; returns None if the line does not hold a valid event."""
        try:
            values = json.loads(line)
            return cls(**values) if isinstance(values, dict) and _is_event(values) else None
        except (ValueError, RecursionError, OverflowError):
            return None


_NAMES = tuple(one.name for one in fields(Event))
_KNOWN = frozenset(_NAMES)
_TEXT, _TEXT_OR_NONE, _NUMBER_OR_NONE = str, (str, NoneType), (float, int, NoneType)


def _is_event(values: dict[str, Any]) -> bool:
    """Tells whether a JSON object has the entries of an event, with values of the right types.

    The function checks each line of a journal, so the checks are simple and fast.
    """
    get = values.get
    kind, rating = get("kind"), get("rating")
    return (
        type(get("id")) is _TEXT
        and type(get("movie_id")) is _TEXT
        and type(get("time")) is int
        and 0 <= values["time"] < 2**53
        and kind in _KINDS
        and type(get("reviewer_id")) in _TEXT_OR_NONE
        and type(get("recommendation_id")) in _TEXT_OR_NONE
        and type(rating) in _NUMBER_OR_NONE
        and (rating is None or math.isfinite(rating))
        and ("reviewer_id" in values or kind in (HIDDEN, SHOWN))
        and values.keys() <= _KNOWN
    )


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Converts feedback, such as clicks, to ratings on the rating scale of an index.

    Attributes:
        levels: the rating levels of the index, float32 [num_levels], ascending; empty if the index has no
            ratings.
        like_count: the lowest count that is a like, if the index was built from counts (such as numbers of
            plays); None if the index was built from ratings, or has no ratings.
        places: for each kind of feedback that comes without a rating, such as a click, a position on the
            rating scale from 0 (lowest rating) to 1 (highest rating).
    """

    levels: Floats
    like_count: float | None = None
    places: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_rated(self) -> bool:
        """Tells whether the index has ratings; counts, such as numbers of plays, also count as ratings."""
        return len(self.levels) > 0

    def rating_of(self, kind: str) -> float | None:
        """Returns the rating for which a kind of feedback stands; None if the index has no ratings.

        The attribute `places` gives each kind of feedback, such as a click, a position on the rating scale,
        from 0 (lowest rating) to 1 (highest rating). The method returns the rating level that is nearest to
        the position of `kind` on the rating scale. For a kind of feedback that `places` does not hold, the
        method returns None.

        For an index that was built from counts, such as numbers of plays, the method returns a count. If the
        position of `kind` on the rating scale (0 to 1) is 0.75 or more, the method returns `like_count`, the
        lowest count that means a like. If the position of `kind` on the rating scale is below 0.75, the
        method returns half of `like_count`, a count that means no like.
        """
        place = self.places.get(kind)
        if place is None or not self.is_rated:
            return None
        if self.like_count is not None:
            return self.like_count if place >= _LIKED else self.like_count / 2
        low, high = float(self.levels[0]), float(self.levels[-1])
        return self.nearest(low + place * (high - low))

    def nearest(self, rating: float | None) -> float | None:
        """Returns the rating level nearest to a rating.

        If the index was built from counts or has no ratings, or if `rating` is None, `rating` is returned
        unchanged.
        """
        if rating is None or not self.is_rated or self.like_count is not None:
            return rating
        return round(float(self.levels[self.level_row(rating)]), 4)

    def fault_of(self, rating: float | None) -> str | None:
        """Says in a sentence why a rating from a client is unusable; returns None if the rating is usable."""
        if not self.is_rated:
            if rating is None:
                return None
            return "The index was built without ratings; send a click or a purchase, without a rating."
        least = 0.0 if self.like_count is not None else float(self.levels[0])
        most = math.inf if self.like_count is not None else float(self.levels[-1])
        if rating is not None and least <= rating <= most:
            return None
        wanted = f"at least {least:g}" if most == math.inf else f"between {least:g} and {most:g}"
        found = "is missing" if rating is None else f"is {rating:g}"
        return f"The rating must be {wanted}, as in the index, but {found}."

    def level_row(self, rating: float | None) -> int:
        """Returns the position, in `levels`, of the rating level nearest to a rating; 0 without levels.

        For an index that was built from counts, such as numbers of plays, the method returns 1 for a count
        that means a like, and 0 for any other count.
        """
        if rating is None or not self.is_rated:
            return 0
        if self.like_count is not None:
            return int(rating >= self.like_count)
        middles = (self.levels[1:] + self.levels[:-1]) / 2
        return int(np.searchsorted(middles, rating, side="right"))
