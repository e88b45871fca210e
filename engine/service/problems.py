"""Converts errors to HTTP answers with problem details (RFC 9457), which contain the error's sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from engine.errors import ArtifactError, EngineError, TitleError, UnknownIdError
from engine.service.live.engine_thread import BusyError

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER = 1
"""If the service is busy, its answer tells the client to ask again after this many seconds."""
_TITLES = {
    400: "Bad request",
    401: "No valid token",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Request too large",
    415: "Not JSON",
    422: "Request refused",
    429: "Too many requests",
    500: "Fault in the service",
    503: "Not available",
    504: "Too slow",
}


class ProblemError(Exception):
    """A request is refused with an HTTP status, a sentence that gives the reason, and headers."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


REFUSALS = (
    ProblemError,
    EngineError,
    BusyError,
    TimeoutError,
    RequestValidationError,
    HTTPException,
)
"""The errors by which requests are refused on purpose; any other error is a fault in the service."""


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """Makes an HTTP answer with problem details; `more` holds additional entries, such as similar ids."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    content = orjson.dumps({**body, **more}, default=str)
    return Response(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def problem_of(error: Exception) -> Response:
    """Converts an error to an HTTP answer with problem details."""
    if isinstance(error, ProblemError):
        return problem(error.status, error.detail, headers=error.headers)
    if isinstance(error, BusyError):
        headers = {"Retry-After": str(_RETRY_AFTER)}
        return problem(503, "Too many questions are waiting; ask again in a second.", headers=headers)
    if isinstance(error, TimeoutError):
        return problem(504, "The answer took longer than the service waits; ask for less.")
    if isinstance(error, UnknownIdError):
        more: dict[str, Any] = {
            "kind": error.kind,
            "id": error.unknown_id,
            "close_matches": list(error.close_matches),
        }
        return problem(404, str(error), **more)
    if isinstance(error, TitleError):
        matches = [{"movie_id": match.movie_id, "title": match.title} for match in error.matches]
        return problem(409 if matches else 404, str(error), matches=matches)
    if isinstance(error, ArtifactError):
        return problem(503, str(error))
    if isinstance(error, EngineError):
        return problem(422, str(error))
    if isinstance(error, RequestValidationError):
        return problem(422, _sentence(error))
    if isinstance(error, HTTPException):
        return problem(error.status_code, str(error.detail), headers=error.headers)
    return problem(500, "The service failed to answer; its log says why.")


def _sentence(error: RequestValidationError) -> str:
    """Describes the first wrong value of a request in one sentence: its name, the fault, and the value."""
    fault = error.errors()[0]
    place = [str(part) for part in fault["loc"] if part not in ("query", "body", "path", "header")]
    name = ".".join(place) or "The request"
    reason = str(fault["msg"])
    shown = repr(fault.get("input"))
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return f"{name}: {reason[:1].lower()}{reason[1:]}, but is {shown}."
