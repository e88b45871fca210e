"""Starts the worker processes of a service; numeric libraries use one thread in each process."""

from __future__ import annotations

import os
import socket
import sys
from importlib.util import find_spec

from engine.artifact.locks import temporary_folder
from engine.errors import ConfigError
from engine.service.settings import LOOPBACK, THREAD_LIMITS, VARIABLE, ServiceSettings

_SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_NEEDED = ("fastapi", "uvicorn", "httptools", "uvloop", "orjson", "prometheus_client", "limits")
"""The packages of the extra [serve]."""


def run(settings: ServiceSettings, *, no_auth: bool = False) -> None:
    """Runs the service until Ctrl-C or SIGTERM; first finishes the requests that have begun.

    Raises:
        ConfigError: an address other than loopback is wanted without tokens, or the address is taken.
        ArtifactError: a directory holds no index that can be opened.
    """
    if settings.host not in LOOPBACK and settings.token_file is None and not no_auth:
        raise ConfigError(
            f"Whoever reaches {settings.host} could ask; give --token-file FILE, or --no-auth if the network "
            f"is trusted."
        )
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"The service needs {', '.join(missing)}; install it with: pip install 'movie-engine[serve]'."
        )
    # The libraries read these variables when they are imported, which no module here has done yet.
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    os.environ[VARIABLE] = settings.to_json()
    with temporary_folder() as shared:
        if settings.workers > 1:
            os.environ[_SHARED_METRICS] = str(shared)
        _listen(settings)


def _listen(settings: ServiceSettings) -> None:
    import uvicorn

    _check_free(settings.host, settings.port)
    uvicorn.run(
        "engine.service.app:make_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop" if sys.platform != "win32" else "auto",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        limit_concurrency=None,
    )


def _check_free(host: str, port: int) -> None:
    """Raises ConfigError if no server can listen at an address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen at {host}, port {port}: {error.strerror}; name another with --port."
        ) from error
