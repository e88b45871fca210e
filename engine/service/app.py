"""Builds the service: routes, access checks, metrics, error answers, and the watch for new builds."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

from engine.errors import EngineError
from engine.feedback.exposures import ExposureLog
from engine.feedback.journal import journal_of
from engine.service import metrics
from engine.service.access import Access
from engine.service.feedback.routes import router as feedback_router
from engine.service.lean_route import LeanRouter
from engine.service.live.arms import MAIN_ARM, Trial
from engine.service.live.commits import Committer
from engine.service.live.engine_thread import EngineThread
from engine.service.live.index import LiveIndex, keep_fresh
from engine.service.pages import browsing, lists
from engine.service.pages.rendering import STATIC
from engine.service.problems import REFUSALS, problem, problem_of
from engine.service.questions import ProblemAnswer
from engine.service.routes import router
from engine.service.settings import DEFAULT_NAME, ServiceSettings
from engine.service.watched import RequestLog, Watched

logger = logging.getLogger(__name__)


def make_app(settings: ServiceSettings | None = None) -> FastAPI:
    """Builds the service; default settings come from the environment, where `engine serve` puts them.

    Raises:
        ArtifactError: a directory holds no index that can be opened.
        ConfigError: the token file cannot be read; holds no token; or holds a token that is too short.
    """
    settings = settings or ServiceSettings.from_environment()
    access = Access(None if settings.token_file is None else Path(settings.token_file), settings.rate)
    thread = EngineThread(max_waiting=settings.max_waiting, timeout=settings.timeout)
    indexes = {name: _open(name, directory, settings, thread) for name, directory in settings.indexes.items()}
    trial = None if settings.trial is None else Trial(*settings.trial)
    watched = list(indexes.values())
    if trial is not None:
        main = indexes[DEFAULT_NAME]
        watched.append(_open(main.name, trial.directory, settings, thread, main, trial.name))
    exposures = None if settings.exposures is None else ExposureLog(Path(settings.exposures))
    log = RequestLog(sys.stdout.buffer) if settings.access_log else None

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(keep_fresh(watched, settings.refresh)),
            asyncio.create_task(_keep_measured(app, settings.refresh)),
        ]
        yield
        for task in tasks:
            task.cancel()
        thread.close()
        for index in indexes.values():
            index.committer.close()
        if exposures is not None:
            exposures.close()
        if log is not None:
            log.write()

    app = FastAPI(
        title="Movie Engine",
        version=version("movie-engine"),
        description="Recommends movies from an index that is built from reviews.",
        lifespan=running,
        redoc_url=None,
    )
    app.state.indexes, app.state.thread = indexes, thread
    app.state.trial, app.state.trial_index = trial, watched[-1]
    app.state.exposures = exposures
    _add_service_routes(app)
    app.include_router(router, prefix="/v1")
    app.include_router(feedback_router, prefix="/v1")
    app.include_router(browsing.router)
    app.include_router(lists.router)
    app.mount("/static", StaticFiles(directory=STATIC))
    for one in (router, feedback_router):
        app.include_router(one, prefix="/v1/indexes/{index_name}", include_in_schema=False)
    for kind in REFUSALS:
        app.add_exception_handler(kind, _refuse)
    _declare_problems(app)
    app.add_middleware(LeanRouter, routes=router.routes)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["X-Index-Build", "X-Request-Id", "Recommendation-Id", "Experiment-Arm"],
        )
    app.add_middleware(Watched, access=access, log=log)
    return app


def _open(
    name: str,
    directory: str,
    settings: ServiceSettings,
    thread: EngineThread,
    main: LiveIndex | None = None,
    arm: str = MAIN_ARM,
) -> LiveIndex:
    """Opens an index; the trial index of an A/B test shares the journal of the main index."""
    if main is not None:
        journal, committer = main.journal, main.committer
    else:
        journal = journal_of(Path(directory))
        committer = Committer(journal, max_waiting=settings.max_waiting, timeout=settings.timeout)
    return LiveIndex(name, Path(directory), journal, thread=thread, committer=committer, arm=arm)


async def _refuse(_request: Request, error: Exception) -> Response:
    return problem_of(error)


def _add_service_routes(app: FastAPI) -> None:
    """Adds routes about the state of the service; these routes do not wait for questions to be answered."""

    @app.get("/healthz", tags=["service"])
    async def health() -> dict[str, str]:
        """Answers that the process of the service is running."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["service"], response_class=Response)
    async def ready() -> Response:
        """Tells whether the process accepts questions; the status is 503 while too many questions wait."""
        thread: EngineThread = app.state.thread
        if thread.is_full:
            return problem(503, "Too many questions are waiting.", headers={"Retry-After": "1"})
        builds = {name: index.build for name, index in app.state.indexes.items()}
        content = orjson.dumps({"status": "ok", "builds": builds})
        return Response(content, media_type="application/json")

    @app.get("/metrics", tags=["service"], response_class=Response)
    async def exposed() -> Response:
        """Returns the metrics of the service in the text format of Prometheus."""
        _measure(app)
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _measure(app: FastAPI) -> None:
    """Sets the metrics of this process's state, such as the number of waiting questions."""
    metrics.WAITING.set(app.state.thread.num_waiting)
    for index in app.state.indexes.values():
        metrics.BUILT.labels(index.name).set(index.built_at)
        metrics.FRESH.labels(index.name).set(index.engine.index.feedback.num_fresh)
        metrics.JOURNAL.labels(index.name).set(sum(end.size for end in index.journal.segments()))


async def _keep_measured(app: FastAPI, seconds: float) -> None:
    """Updates the metrics of this process every few seconds, until the service ends.

    A request for metrics may reach any process of the service. Every process must keep its own metrics up to
    date, because the process that gets the request reports the metrics of all processes.

    If the service records which lists are shown, each update of the metrics calls `ExposureLog.rotate`. The
    method `ExposureLog.rotate` writes the recorded lists to a Parquet file every `LONGEST_WAIT` seconds. The
    argument `seconds` is the time between two updates of the metrics.
    """
    exposures: ExposureLog | None = app.state.exposures
    while True:
        try:
            _measure(app)
            if exposures is not None:
                exposures.rotate()
        except (OSError, EngineError):
            logger.exception("Could not measure the state of the service")
        await asyncio.sleep(seconds)


def _declare_problems(app: FastAPI) -> None:
    """Adds the schema of error answers, `ProblemAnswer`, to the OpenAPI document."""
    plain = app.openapi

    def document() -> dict[str, object]:
        found = plain()
        found["components"]["schemas"]["ProblemAnswer"] = ProblemAnswer.model_json_schema()
        return found

    app.openapi = document  # type: ignore[method-assign]
