"""Handles every request before its route: checks access and size, counts requests, and logs requests."""

from __future__ import annotations

import json
import logging
import sys
import time
import uuid
from datetime import datetime
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.service import metrics
from engine.service.access import Access
from engine.service.problems import ProblemError, problem_of

MOST_BYTES = 1 << 20
"""The greatest length of the body of a request, in bytes."""
OPEN_PATHS = ("/healthz", "/readyz")
"""The paths that answer without a token, for those who watch whether the service runs."""

logger = logging.getLogger(__name__)
_requests = logging.getLogger("engine.service.requests")


class Watched:
    """An ASGI application around the service, through which every request and every answer passes."""

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one HTTP request; passes on all other events, such as the start of the service."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = Headers(scope=scope).get("X-Request-Id", "")[:100] or uuid.uuid4().hex
        answered: dict[str, Any] = {}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                answered.update(status=message["status"], build=headers.get("X-Index-Build"))
            await send(message)

        try:
            if scope["path"] not in OPEN_PATHS:
                self._access.check(Request(scope))
            await self._app(scope, _limited(scope, receive), sending)
        except ProblemError as error:
            await problem_of(error)(scope, receive, sending)
        except Exception as error:
            logger.exception("Request %s failed", request_id)
            if not answered:
                await problem_of(error)(scope, receive, sending)
        _note(scope, request_id, answered, time.perf_counter() - started)


def _limited(scope: Scope, receive: Receive) -> Receive:
    """Returns a function that receives a request, and that raises ProblemError if the body is too long.

    Raises:
        ProblemError: the request says that its body is too long.
    """
    too_long = ProblemError(413, f"The body of a request may have at most {MOST_BYTES:,} bytes.")
    length = Headers(scope=scope).get("Content-Length", "0")
    if not length.isdecimal() or int(length[:20]) > MOST_BYTES:
        raise too_long
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BYTES:
            raise too_long
        return message

    return receiving


def _note(scope: Scope, request_id: str, answered: dict[str, Any], seconds: float) -> None:
    """Counts a request, and logs the request, without its query and headers, as one line of JSON."""
    question = getattr(scope.get("route"), "path", "unknown")
    status = answered.get("status", 499)
    metrics.REQUESTS.labels(question, status).inc()
    metrics.SECONDS.labels(question).observe(seconds)
    if _requests.isEnabledFor(logging.INFO):
        line = {
            "time": datetime.now().astimezone().isoformat(timespec="milliseconds"),
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "milliseconds": round(seconds * 1000, 2),
            "build": answered.get("build"),
        }
        _requests.info(json.dumps(line, default=repr))


def start_request_log() -> None:
    """Starts the log of requests, which writes one line of JSON to stdout for each request."""
    if not _requests.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        _requests.addHandler(handler)
    _requests.setLevel(logging.INFO)
    _requests.propagate = False
