"""Defines the routes that receive feedback, hide movies from all lists, and show movies again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Request, Response

from engine.feedback.events import HIDDEN, RATING, SHOWN, Event, Scale
from engine.feedback.writing import RepeatedIdError
from engine.service import metrics
from engine.service.answering import documented, index_of
from engine.service.feedback.questions import (
    HiddenAnswer,
    HiddenMoviesAnswer,
    NewReview,
    NewReviews,
    OneOrSeveral,
    TakenAnswer,
)
from engine.service.lean_route import require_json
from engine.service.live.index import LiveIndex
from engine.service.problems import ProblemError
from engine.service.routes import MovieId

router = APIRouter()

_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=190,
        description="Names the request, so that sending it again writes nothing again; stands for the ids of "
        "reviews without an id.",
    ),
]
_REPEATED = "The id of a review, or the Idempotency-Key, belongs to other feedback already."
_MOST_AHEAD = 86_400
"""The number of seconds by which the clock of a client may be ahead of the service's clock."""


@router.post("/reviews", **documented(TakenAnswer, refused_409=_REPEATED), tags=["feedback"])
async def take_reviews(request: Request, asked: OneOrSeveral, idempotency_key: _Key = None) -> Response:
    """Takes ratings, clicks, purchases and dislikes; answers when the feedback is on disk.

    The reviewer's next list uses the feedback. The commands `engine add-reviews` and `engine build-index` add
    the feedback to the index.
    """
    require_json(request)
    index = index_of(request)
    reviews = asked.reviews if isinstance(asked, NewReviews) else [asked]
    keys = [idempotency_key] if idempotency_key and isinstance(asked, NewReview) else None
    if idempotency_key and keys is None:
        keys = [f"{idempotency_key}/{place}" for place in range(len(reviews))]
    engine = index.engine
    scale = engine.index.feedback.scale
    events = [
        _event(review, scale, keys[place] if keys else None, place if len(reviews) > 1 else None)
        for place, review in enumerate(reviews)
    ]
    new = await _commit(index, events)
    for event, is_new in zip(events, new, strict=True):
        metrics.FEEDBACK.labels(index.name, event.kind, "accepted" if is_new else "repeated").inc()
    movie_ids = dict.fromkeys(event.movie_id for event in events)
    answer = {
        "accepted": sum(new),
        "repeated": len(new) - sum(new),
        "ids": [event.id for event in events],
        "unknown_movies": [movie_id for movie_id in movie_ids if not engine.holds_movie(movie_id)],
    }
    return Response(orjson.dumps(answer), media_type="application/json")


def _event(review: NewReview, scale: Scale, key: str | None, place: int | None) -> Event:
    """Converts a review in a request to an event for the journal.

    Raises:
        ProblemError: the rating or the time is unusable. If `place` (the review's position in the request,
            from 0) is given, the error message says which review is meant.
    """
    where = "" if place is None else f"Review {place + 1:,}: "
    now = int(time.time())
    if review.time is not None and review.time > now + _MOST_AHEAD:
        raise ProblemError(422, f"{where}The time {review.time} is in the future; send unix seconds.")
    rating = review.rating
    if review.kind == RATING:
        if (fault := scale.fault_of(rating)) is not None:
            raise ProblemError(422, where + fault)
        rating = scale.nearest(rating)
    elif rating is not None:
        raise ProblemError(422, f"{where}A {review.kind} has no rating; leave the rating out.")
    else:
        rating = scale.rating_of(review.kind)
    return Event(
        id=review.id or key or uuid.uuid4().hex,
        time=now if review.time is None else review.time,
        kind=review.kind,
        movie_id=review.movie_id,
        reviewer_id=review.reviewer_id,
        rating=rating,
        recommendation_id=review.recommendation_id,
    )


async def _commit(index: LiveIndex, events: Sequence[Event]) -> list[bool]:
    try:
        return await index.committer.commit(events)
    except RepeatedIdError as error:
        raise ProblemError(409, str(error)) from error


@router.get("/hidden", **documented(HiddenMoviesAnswer), tags=["feedback"])
async def hidden_movies(request: Request) -> Response:
    """Names the movies that are hidden from all lists."""
    found = await index_of(request).ask(lambda engine: sorted(engine.index.feedback.hidden.movies))
    return Response(orjson.dumps({"movies": found}), media_type="application/json")


@router.put("/movies/{movie_id:path}/hidden", **documented(HiddenAnswer), tags=["feedback"])
async def hide(request: Request, movie_id: MovieId) -> Response:
    """Hides a movie, such as a movie that is out of stock, from all lists, even after later builds."""
    await _set_hidden(index_of(request), movie_id, hidden=True)
    return _hidden_answer(movie_id, True)


@router.delete("/movies/{movie_id:path}/hidden", **documented(HiddenAnswer), tags=["feedback"])
async def show(request: Request, movie_id: MovieId) -> Response:
    """Ends the hiding of a movie, so that lists may hold the movie again."""
    await _set_hidden(index_of(request), movie_id, hidden=False)
    return _hidden_answer(movie_id, False)


async def _is_hidden(index: LiveIndex, movie_id: str) -> bool:
    return await index.ask(lambda engine: movie_id in engine.index.feedback.hidden.movies)


def _hidden_answer(movie_id: str, hidden: bool) -> Response:
    return Response(orjson.dumps({"movie_id": movie_id, "hidden": hidden}), media_type="application/json")


async def _set_hidden(index: LiveIndex, movie_id: str, *, hidden: bool) -> None:
    """Writes to the feedback journal that a movie is hidden, or that a hidden movie is shown again.

    Nothing is written if the movie is already hidden and `hidden` is True, or if the movie is not hidden and
    `hidden` is False.
    """
    if await _is_hidden(index, movie_id) == hidden:
        return
    kind = HIDDEN if hidden else SHOWN
    await _commit(index, [Event(id=uuid.uuid4().hex, time=int(time.time()), kind=kind, movie_id=movie_id)])
    metrics.FEEDBACK.labels(index.name, kind, "accepted").inc()
