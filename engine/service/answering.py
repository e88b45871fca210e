"""Answers requests with JSON: chooses the index for a request, and records each top list that is sent."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from fastapi import Request, Response

from engine import responses
from engine.feedback.exposures import ExposureLog
from engine.recommender import Engine
from engine.service import metrics
from engine.service.live.index import LiveIndex
from engine.service.problems import MEDIA_TYPE, ProblemError
from engine.service.settings import DEFAULT_NAME

_HEADERS = {
    "X-Index-Build": "The build of the index that gave the answer.",
    "Recommendation-Id": "Names the list; a click or a purchase may carry the name.",
    "Experiment-Arm": "The arm of the A/B test that gave the answer, if the service runs a test.",
}


def documented(model: Any, **more: str) -> dict[str, Any]:
    """Returns arguments for a route decorator of FastAPI that describe the answers in the OpenAPI document.

    The answer to a successful request and common errors, such as 404, are always described. The keyword
    arguments in `more` describe further errors: the text in `refused_409` describes the error with the HTTP
    status 409.

    The routes return bytes and not Pydantic models, because FastAPI would need milliseconds to check and copy
    a model.
    """
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    texts = _REFUSALS | {int(name.removeprefix("refused_")): text for name, text in more.items()}
    refusals: dict[int, Any] = {
        status: {"description": text, "content": content} for status, text in texts.items()
    }
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}
    answers = {200: {"model": model, "headers": headers}, 400: _NO_HTTP, **refusals}
    return {"responses": answers, "response_class": Response}


_NO_HTTP: dict[str, Any] = {
    "description": "The request is no HTTP, its address is too long, or its body cannot be read.",
    "content": {
        "text/plain": {"schema": {"type": "string"}},
        MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}},
    },
}
_REFUSALS = {
    401: "The request has no valid token.",
    404: "The index does not hold the reviewer or the movie.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    422: "A value is out of range, or a condition is no condition.",
    429: "The token asked too often.",
    503: "Too many questions wait; Retry-After says when to ask again.",
    504: "The answer took too long.",
}


class Shown(NamedTuple):
    """Describes a top list that the service sends in an answer, and records in the log of shown lists."""

    question: str
    """The path of the route, such as recommend/reviewer."""
    key: str = "recommendations"
    """The key under which the answer's JSON object holds the top list."""
    reviewer_id: str | None = None
    first_rank: int = 1


async def answer(
    request: Request,
    index: LiveIndex,
    question: Callable[[Engine], responses.Response],
    shown: Shown | None = None,
) -> Response:
    """Asks the engine of an index a question, in the engine thread; returns an HTTP answer with JSON."""
    engine = index.engine
    headers = {"X-Index-Build": engine.build}
    if request.app.state.trial is not None:
        headers["Experiment-Arm"] = index.arm
    if shown is not None:
        headers["Recommendation-Id"] = uuid.uuid4().hex

    def ask(asked: Engine) -> bytes:
        found = question(asked)
        if shown is not None:
            expose(request, index, asked, headers["Recommendation-Id"], found, shown)
        return to_json(found)

    content = await index.ask(ask, engine)
    return Response(content, media_type="application/json", headers=headers)


def to_json(found: responses.Response) -> bytes:
    """Converts an answer, which may contain NumPy numbers, to JSON."""
    return orjson.dumps(found, default=str, option=orjson.OPT_SERIALIZE_NUMPY)


def expose(
    request: Request,
    index: LiveIndex,
    engine: Engine,
    recommendation_id: str,
    found: responses.Response,
    shown: Shown,
) -> None:
    """Adds 1 to the number of sent lists; writes the list to the log of shown lists if there is a log."""
    metrics.LISTS.labels(index.name, index.arm).inc()
    exposures: ExposureLog | None = request.app.state.exposures
    if exposures is None:
        return
    items = found[shown.key]
    facts = {
        "recommendation_id": recommendation_id,
        "index_name": index.name,
        "arm": index.arm,
        "build": engine.build,
        "question": shown.question,
        "reviewer_id": shown.reviewer_id,
    }
    scores = [item.get("score", item.get("similarity")) for item in items]
    exposures.add(facts, [item["movie_id"] for item in items], scores, shown.first_rank)
    metrics.EXPOSURES.labels(index.name, index.arm).inc()


def index_of(request: Request, asker: str | None = None) -> LiveIndex:
    """Returns the index that the path of a request names, or the default index if the path names none.

    The argument `asker` is the id of the reviewer for whom the request is made. In an A/B test, the trial
    index answers for a share of the reviewers, and the default index answers for all other reviewers.

    Raises:
        ProblemError: the service has no index with the name in the path.
    """
    state = request.app.state
    name = request.path_params.get("index_name")
    if name is None and asker is not None and state.trial is not None and state.trial.holds(asker):
        other: LiveIndex = state.trial_index
        return other
    found: LiveIndex | None = state.indexes.get(DEFAULT_NAME if name is None else name)
    if found is None:
        names = ", ".join(sorted(state.indexes))
        raise ProblemError(404, f"There is no index named {name!r}; the service has {names}.")
    return found
