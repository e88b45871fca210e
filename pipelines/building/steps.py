"""Logs each step of a build when the step begins, with an estimate of the remaining time of the build."""

from __future__ import annotations

import logging
import time

from pipelines.work.progress import duration, set_step

logger = logging.getLogger(__name__)

STEPS = {
    "read the files": 0.0,
    "train on a part, to measure and to choose": 0.75,
    "measure baselines": 0.01,
    "train on all reviews": 0.12,
    "index the movies and check the search": 0.12,
}
"""Maps the name of each step of a build to the step's usual share of the build's time, 0 to 1. The time of
reading the files does not count as time of the build, so the share of the step that reads the files is 0."""


_LEAST_SECONDS = 2.0
"""The remaining time is estimated only if the completed steps took at least this many seconds; in a resumed
build, completed steps take hardly any time."""


class Steps:
    """Logs each step of a build when the step begins, with an estimate of the remaining time."""

    def __init__(self) -> None:
        self._names = list(STEPS)
        self._num_begun = 0
        self._started = time.monotonic()

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_error: object) -> None:
        set_step("")

    def begin(self, expected: float | None = None) -> None:
        """Logs that the next step of the build begins.

        The remaining time of the build is estimated from the time of the completed steps, without the step
        that reads the files. Until a step after the reading of the files is complete, the remaining time of
        the build is taken to be `expected`, in seconds; None means unknown.
        """
        names = self._names[: self._num_begun]
        name = self._names[self._num_begun]
        self._num_begun += 1
        share, took = sum(STEPS[one] for one in names), time.monotonic() - self._started
        left = expected
        if share and took >= _LEAST_SECONDS:
            left = took * (1 - share) / share
        elif not share:
            self._started = time.monotonic()
        where = f"Step {self._num_begun} of {len(self._names)}"
        set_step(where)
        logger.info("%s: %s%s", where, name, "" if left is None else f"; about {duration(left)} left")
