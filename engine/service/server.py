"""Runs the service in one or several processes; numeric libraries use one thread in each process."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, SupportsIndex

from engine.artifact.locks import temporary_folder
from engine.errors import ConfigError, EngineError
from engine.service.settings import LOOPBACK, SHARED_METRICS, THREAD_LIMITS, VARIABLE, ServiceSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

_NEEDED = ("fastapi", "uvicorn", "httptools", "uvloop", "orjson", "prometheus_client", "limits", "jinja2")
"""The packages that the service needs, from the optional dependencies [serve]."""
_RECEIVERS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""The environment variables that give the address to which OpenTelemetry traces are sent."""


def run(settings: ServiceSettings, *, no_auth: bool = False) -> None:
    """Runs the service until Ctrl-C or SIGTERM, then finishes the requests that are being answered.

    Raises:
        ConfigError: other machines could reach the service, but no token file is given; or the address is in
            use.
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
    # Libraries read these environment variables when they are imported, so the variables must be set before
    # any import of the libraries.
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    os.environ[VARIABLE] = settings.to_json()
    with temporary_folder() as shared:
        if settings.workers > 1:
            os.environ[SHARED_METRICS] = str(shared)
        _listen(settings)


def _listen(settings: ServiceSettings) -> None:
    """Answers requests in this process; or starts several worker processes, and replaces workers that end."""
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    from engine.artifact.databases import require_server
    from engine.artifact.reader import Artifact

    _check_free(settings.host, settings.port)
    config = uvicorn.Config(
        "engine.service.server:worker_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop" if sys.platform != "win32" else "auto",
        http="httptools",
        log_level="warning",
        # Uvicorn's own configuration of logging is switched off, because it would close the log handlers of
        # all libraries in the process.
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    if settings.workers == 1:
        config.load_app()
        # After a signal, uvicorn finishes all requests, and then raises the signal again.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run()
        return
    # The indexes are checked here, because a worker process that cannot start would only be replaced by
    # another worker process.
    for directory in settings.indexes.values():
        require_server(Artifact.open(directory), "serves one process at a time; give --workers 1, or")
    # Other systems than Linux do not spread connections over several sockets.
    is_linux = sys.platform == "linux"
    bound = BalancedSocket.bound(settings.host, settings.port) if is_linux else config.bind_socket()
    workers = Multiprocess(config, [bound])
    workers.run()
    if any(process.exitcode == STARTUP_FAILURE for process in workers.processes):
        sys.exit(1)


def worker_app() -> FastAPI:
    """Builds the service in a worker process; an error is printed as one sentence, and ends the process."""
    from uvicorn.config import STARTUP_FAILURE

    from engine.service.app import make_app

    # The log of the engine is limited to errors, because an answer itself says that a list is empty or that
    # ids were skipped.
    logging.getLogger("engine").setLevel(logging.ERROR)
    logging.getLogger("engine.service").setLevel(logging.WARNING)
    try:
        return traced(make_app())
    except EngineError as error:
        if multiprocessing.parent_process() is None:
            raise
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(STARTUP_FAILURE)


def traced(app: FastAPI) -> FastAPI:
    """Adds OpenTelemetry traces if OpenTelemetry is installed and an environment variable sets the receiver.

    An environment variable in `_RECEIVERS` gives the address to which traces are sent. The environment
    variable OTEL_SERVICE_NAME gives the name of the service in the traces. A trace holds the path of a
    request, with the ids in the path, but no headers, so that no token is sent.
    """
    if not any(os.environ.get(name) for name in _RECEIVERS) or find_spec("opentelemetry.sdk") is None:
        return app
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", "movie-engine")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    app.add_middleware(
        OpenTelemetryMiddleware,
        tracer_provider=provider,
        excluded_urls="healthz,readyz,metrics",
        exclude_spans=["receive", "send"],
        default_span_details=_span_of,
    )
    return app


def _span_of(scope: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Names the trace of a request by the beginning of its path, such as GET /v1/recommend/reviewer."""
    return f"{scope['method']} {'/'.join(scope['path'].split('/')[:4])}", {}


class BalancedSocket(socket.socket):
    """Gives each worker process a separate socket at one common address.

    The system spreads new connections evenly over the sockets of an address. If all worker processes shared
    one socket, the busiest process would get most of the connections.
    """

    @classmethod
    def bound(cls, host: str, port: int) -> BalancedSocket:
        """Makes a socket at an address, and lets other sockets of this class listen at the same address."""
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = cls(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        return made

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[Any, ...]:
        """Lets pickle restore the socket, in a worker process, as a separate socket at the same address."""
        host, port = self.getsockname()[:2]
        return BalancedSocket.bound, (host, port)


def _check_free(host: str, port: int) -> None:
    """Raises ConfigError if the service cannot listen at an address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen at {host}, port {port}: {error.strerror}; name another with --port."
        ) from error
