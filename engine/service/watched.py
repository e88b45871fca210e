"""Checks the access and the size of every request, and counts and logs every request."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.service import metrics
from engine.service.access import Access
from engine.service.problems import REFUSALS, ProblemError, problem_of

MOST_BYTES = 1 << 20
"""The largest length of the body of a request, in bytes."""
OPEN_PATHS = ("/healthz", "/readyz")
"""The paths that are answered without a token, so that programs can check whether the service runs."""
_TOO_LONG = f"The body of a request may have at most {MOST_BYTES:,} bytes."
_LONGEST_REQUEST_ID = 100
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_LOG_SECONDS = 0.1
"""Log lines are collected for this many seconds and then written together."""
_LOG_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z

logger = logging.getLogger(__name__)


class Watched:
    """Wraps the service in an ASGI application that sees every request and every answer."""

    def __init__(self, app: ASGIApp, *, access: Access, log: RequestLog | None) -> None:
        self._app = app
        self._access = access
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one HTTP request; passes on other ASGI events, such as the start of the service."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope)
        request_id = given.get("X-Request-Id", "")[:_LONGEST_REQUEST_ID] or uuid.uuid4().hex
        # The status 499 stands for a client that goes away before it gets an answer.
        status, build = 499, None

        async def sending(message: Message) -> None:
            nonlocal status, build
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                build = next((value.decode() for name, value in headers if name == b"x-index-build"), None)
                more = ((b"x-request-id", request_id.encode("latin-1")), _NO_SNIFFING)
                message["headers"] = [*headers, *more]
            await send(message)

        try:
            is_free = scope["path"] in OPEN_PATHS or _is_preflight(scope, given)
            if not self._access.is_open and not is_free:
                self._access.check(Request(scope))
            await self._app(scope, _limited(given, receive), sending)
        except Exception as error:
            if not isinstance(error, REFUSALS):
                logger.exception("Request %s failed", request_id)
            if status == 499:
                await problem_of(error)(scope, receive, sending)
        seconds = time.perf_counter() - started
        question = getattr(scope.get("route"), "path", "unknown")
        metrics.count_request(question, status, seconds)
        if self._log is not None:
            self._log.note(
                {
                    "time": datetime.now(UTC),
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round(seconds * 1000, 2),
                    "build": build,
                }
            )


def _is_preflight(scope: Scope, given: Headers) -> bool:
    """Tells whether a request is a browser's CORS preflight, which never carries a token."""
    return scope["method"] == "OPTIONS" and "Access-Control-Request-Method" in given


def _limited(given: Headers, receive: Receive) -> Receive:
    """Returns a function that receives a request's body, and raises ProblemError if the body is too long.

    Raises:
        ProblemError: the request says in its headers that the body is too long.
    """
    length = given.get("Content-Length", "0")
    if length == "0" and "Transfer-Encoding" not in given:
        return receive
    if not length.isdecimal() or int(length[:20]) > MOST_BYTES:
        raise ProblemError(413, _TOO_LONG)
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BYTES:
            raise ProblemError(413, _TOO_LONG)
        return message

    return receiving


class RequestLog:
    """Writes a line of JSON to a stream for each request, without the request's query string and headers.

    Lines are written in groups, at most `_LOG_SECONDS` after the request.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []

    def note(self, line: Mapping[str, Any]) -> None:
        """Adds the line of one request, to be written within `_LOG_SECONDS`; runs in the event loop."""
        if not self._lines:
            asyncio.get_running_loop().call_later(_LOG_SECONDS, self.write)
        self._lines.append(orjson.dumps(line, default=repr, option=_LOG_OPTIONS))

    def write(self) -> None:
        """Writes the lines that `note` has added since the last call of `write`."""
        lines, self._lines = self._lines, []
        if lines:
            with suppress(OSError, ValueError):  # The error means that nobody reads the log any more.
                self._stream.write(b"".join(lines))
                self._stream.flush()
