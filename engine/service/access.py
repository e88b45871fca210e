"""Decides which requests are answered: checks access tokens, and limits the number of requests per token."""

from __future__ import annotations

import base64
import hmac
import logging
from pathlib import Path

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from engine.errors import ConfigError
from engine.service.problems import ProblemError

logger = logging.getLogger(__name__)

_SHORTEST = 16
"""The least number of characters in an access token, because a shorter token could be guessed."""


class Access:
    """Checks each request: it must have a token of the token file, and the token must not be used too often.

    The token file holds one token on each line; a line that begins with # is a comment. A changed token file
    is read again, so that tokens can be added or withdrawn while the service runs.

    Args:
        token_file: the path of the token file, or None if anybody may send requests.
        rate: the largest number of requests per second with one token, or from one address if no tokens are
            needed; None for no limit.

    Raises:
        ConfigError: the token file cannot be read; the file holds no token; or a token is too short.
    """

    def __init__(self, token_file: Path | None, rate: float | None) -> None:
        self._token_file = token_file
        self._state: tuple[int, int] | None = None
        self._tokens: tuple[bytes, ...] = ()
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limit = None if rate is None else _limit(rate)
        if token_file is not None:
            self._read(token_file)

    @property
    def is_open(self) -> bool:
        """Tells whether no request can be refused: no token is needed, and requests are not limited."""
        return self._token_file is None and self._limit is None

    def check(self, request: Request) -> None:
        """Checks that a request has a valid token, and that the token is not used too often.

        Raises:
            ProblemError: the request has no valid token (status 401); or too many requests came with the
                token (status 429).
        """
        asker = request.client.host if request.client else "unknown"
        if self._token_file is not None:
            asker = self._checked_token(request)
        if self._limit is not None and not self._limiter.hit(self._limit, asker):
            raise ProblemError(
                429,
                f"At most {self._limit.amount} requests in {self._limit.multiples} s.",
                {"Retry-After": str(self._limit.multiples)},
            )

    def _checked_token(self, request: Request) -> str:
        given = _token_of(request.headers.get("Authorization", ""))
        assert self._token_file is not None
        self._read(self._token_file)
        # Every known token is compared, so that the time of the answer reveals nothing about the tokens.
        valid = [hmac.compare_digest(given, known) for known in self._tokens]
        if not any(valid):
            kind = "Bearer" if request.url.path.startswith("/v1/") else 'Basic realm="Movie Engine"'
            raise ProblemError(
                401,
                "The request has no valid token; send the header Authorization: Bearer TOKEN. A browser asks "
                "for a name, which may be anything, and a password, which is the token.",
                {"WWW-Authenticate": kind},
            )
        return f"token {valid.index(True)}"

    def _read(self, path: Path) -> None:
        """Reads the token file if it has changed; if it cannot be used, no token is valid any more."""
        try:
            stat = path.stat()
            state = (stat.st_mtime_ns, stat.st_size)
            if state == self._state:
                return
            self._tokens, self._state = _tokens_in(path), state
        except (OSError, ConfigError) as error:
            if self._state is None:
                raise ConfigError(f"Cannot read the tokens in {path}: {_reason(error)}") from error
            logger.warning("No token is valid any more: %s", _reason(error))
            self._tokens = ()


def _token_of(header: str) -> bytes:
    """Returns the token in an Authorization header: a Bearer token or a Basic password; b"" if none."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value.strip().encode("utf-8", "replace")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except ValueError:
            return b""
    return b""


def _tokens_in(path: Path) -> tuple[bytes, ...]:
    """Reads the tokens in a token file, which has one token per line.

    Raises:
        OSError: the file cannot be read.
        ConfigError: the file holds no token; or a token is too short.
    """
    lines = [line.strip() for line in path.read_bytes().split(b"\n")]
    tokens = tuple(line for line in lines if line and not line.startswith(b"#"))
    if not tokens or any(len(token) < _SHORTEST for token in tokens):
        raise ConfigError(
            f"expected at least one token of {_SHORTEST} characters or more, one a line; make one with: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return tokens


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _limit(rate: float) -> RateLimitItemPerSecond:
    """Converts a limit to whole requests in whole seconds: 0.5 requests per second become 1 in 2 seconds."""
    if rate >= 1:
        return RateLimitItemPerSecond(int(rate))
    return RateLimitItemPerSecond(1, max(1, round(1 / rate)))
