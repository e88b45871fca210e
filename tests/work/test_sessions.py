"""A busy machine may start Ray too slowly, so that Ray is started twice before a command gives up."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from pipelines.work.cluster import THREADS
from pipelines.work.sessions import _start

ray = pytest.importorskip("ray", reason="Ray is not installed; the extra [ray] installs it")


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Holds the processes that stand for Ray, one for each try."""
    processes: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    return processes


def start(
    tries: list[subprocess.Popen[bytes]], num_failures: int, monkeypatch: pytest.MonkeyPatch
) -> list[subprocess.Popen[bytes]]:
    started: list[subprocess.Popen[bytes]] = []

    def init(**settings: Any) -> None:
        assert settings["num_cpus"] == 2
        tries.append(subprocess.Popen(["sleep", "60"], process_group=0))
        started.append(tries[-1])
        if len(tries) <= num_failures:
            raise Exception("The current node timed out during startup.\n")

    monkeypatch.setattr(ray, "init", init)
    _start(Path("/tmp/engine-work/r"), 2, started)
    return started


def test_ray_gets_a_second_try(
    tries: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        started = start(tries, 1, monkeypatch)
    assert "The current node timed out during startup); trying once more" in caplog.text
    assert started == tries[1:]
    assert tries[0].wait(10) < 0
    assert tries[1].poll() is None
    tries[1].kill()
    tries[1].wait()


def test_ray_that_does_not_start_twice_is_one_sentence(
    tries: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        DataError, match=r"Ray cannot start on this machine: .* make room in memory and in /tmp"
    ):
        start(tries, 2, monkeypatch)
    assert [process.wait(10) < 0 for process in tries] == [True, True]


def test_threads_are_limited_by_variables_that_libraries_read() -> None:
    assert set(THREADS) == {
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"),
    }
