"""Defines and updates metrics, such as counts of requests, for the monitoring system Prometheus."""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from engine.service.settings import SHARED_METRICS

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Counter("engine_requests", "Requests by question and status.", ["question", "status"])
SECONDS = Histogram("engine_request_seconds", "Seconds per request.", ["question"], buckets=_SECONDS)
WAITING = Gauge("engine_questions_waiting", "Questions that wait or run.", multiprocess_mode="livesum")
FALLBACKS = Counter("engine_fallback_lists", "Lists of popular movies for unknown reviewers.", ["index"])
SHORT = Counter("engine_short_lists", "Lists with fewer movies than were asked for.", ["index"])
REFRESHES = Counter("engine_refreshes", "Swaps to a new build, done or failed.", ["index", "outcome"])
LISTS = Counter("engine_lists", "Lists by index and by arm of an A/B test.", ["index", "arm"])
FEEDBACK = Counter("engine_feedback", "Feedback by kind, accepted or repeated.", ["index", "kind", "outcome"])
EXPOSURES = Counter("engine_exposures", "Lists that were noted with --log-exposures.", ["index", "arm"])
FRESH = Gauge(
    "engine_journal_events_waiting",
    "Events of the journal that the answering build has not taken in.",
    ["index"],
    multiprocess_mode="livemax",
)
JOURNAL = Gauge("engine_journal_bytes", "Bytes of the journal.", ["index"], multiprocess_mode="livemax")
BUILT = Gauge(
    "engine_index_built_timestamp_seconds",
    "Unix time at which the answering build was made.",
    ["index"],
    multiprocess_mode="livemin",
)


@cache
def _counters(question: str, status: int) -> tuple[Counter, Histogram]:
    """Returns the counter of requests and the histogram of answer times for a kind of question.

    The counter counts the requests that were answered with the HTTP status `status`. The counter and the
    histogram are cached, because looking up metrics by label is slow.
    """
    return REQUESTS.labels(question, status), SECONDS.labels(question)


def count_request(question: str, status: int, seconds: float) -> None:
    """Counts a request that has been answered, and records how many seconds the answer took."""
    requests, times = _counters(question, status)
    requests.inc()
    times.observe(seconds)


def exposition() -> bytes:
    """Returns the metrics, added up over all worker processes, in the text format of Prometheus."""
    if SHARED_METRICS not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
