"""A build says which step begins, and foretells the time that is left from the steps that have ended."""

import logging

import pytest

from pipelines.building import steps
from pipelines.building.steps import STEPS, Steps


def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, times: list[float]) -> list[str]:
    """Begins every step of a build at the given seconds."""
    clock = [0.0]
    monkeypatch.setattr(steps.time, "monotonic", lambda: clock[0])
    with caplog.at_level(logging.INFO, "pipelines.building.steps"), Steps() as build:
        for number, clock[0] in enumerate(times):
            build.begin(500.0 if number == 1 else None)
    return [record.message for record in caplog.records]


def test_every_step_is_named_with_its_number_and_the_time_left(caplog, monkeypatch) -> None:
    shares = list(STEPS.values())
    times = [0.0, 50.0, *(50 + 1000 * sum(shares[: number + 1]) for number in range(1, 4))]
    lines = said(caplog, monkeypatch, times)
    assert [line.split(":")[0] for line in lines] == [f"Step {number} of 5" for number in range(1, 6)]
    assert "left" not in lines[0]
    assert lines[1].endswith("about 8 min 20 s left")
    assert lines[2].endswith("about 4 min 10 s left")
    assert lines[4].endswith("about 2 min 00 s left")


def test_a_resumed_build_foretells_nothing_from_steps_that_took_no_time(caplog, monkeypatch) -> None:
    lines = said(caplog, monkeypatch, [0.0, 0.1, 0.2, 0.3, 0.4])
    assert [line for line in lines if "left" in line] == [lines[1]]


def test_the_shares_of_the_steps_make_a_whole() -> None:
    assert sum(STEPS.values()) == pytest.approx(1)
