"""Functions that run at the same time in threads: their results, their errors, and the end of the others."""

from __future__ import annotations

import threading
import time

import pytest

from engine.errors import TrainingError
from pipelines.work.parallel import at_once, stop_if_asked
from pipelines.work.runners import HERE

PATIENCE = 20.0
"""The longest time in seconds that a function of the tests runs if nobody stops it."""


def run_until_stopped() -> None:
    """Runs as a training does: in steps, and asks before each step whether to stop."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        stop_if_asked()
        time.sleep(0.001)
    raise AssertionError("nobody stopped the function")


def fail() -> None:
    raise TrainingError("the loss is not finite")


def test_results_come_under_the_names_of_the_functions_and_in_their_order() -> None:
    both = threading.Barrier(2, timeout=PATIENCE)  # Passed only if both functions run at the same time.

    def named(name: str) -> str:
        both.wait()
        return name.upper()

    found = HERE.wait_for({name: HERE.begin(named, name) for name in ("relevance", "rating")})
    assert list(found.items()) == [("relevance", "RELEVANCE"), ("rating", "RATING")]


def test_one_function_runs_in_the_thread_of_the_caller() -> None:
    assert at_once({"only": threading.get_ident}) == {"only": threading.get_ident()}


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_ends_the_other_functions_and_is_raised(failing: int) -> None:
    names = ("relevance", "rating")
    functions = {name: fail if place == failing else run_until_stopped for place, name in enumerate(names)}
    with pytest.raises(TrainingError, match="not finite"):
        at_once(functions)
    stop_if_asked()  # The caller itself is not asked to stop.


def test_an_interrupt_of_the_caller_ends_the_other_functions() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        at_once({"relevance": interrupt, "rating": run_until_stopped})
    assert threading.active_count() == before
