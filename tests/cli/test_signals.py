"""A signal ends a command with one sentence and 128 plus its number, whatever the command is busy with."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

START = """
import sys, threading, time
import click
import engine.cli.main as cli
from engine.cli.__main__ import start
from engine.errors import DataError

@click.command()
def work():
    print("ready", flush=True)
    {work}

cli.main.add_command(work)
sys.argv = ["engine", "work"]
start()
"""
IN_DUCKDB = """
    import duckdb
    duckdb.sql("select sum(a.range * b.range) from range(1000000) a, range(1000000) b").fetchall()
"""
IN_A_DESTRUCTOR = """
    class Slow:
        def __del__(self):
            time.sleep(30)
    slow = Slow()
    del slow
    time.sleep(30)
"""
AS_ANOTHER_ERROR = """
    try:
        time.sleep(30)
    except KeyboardInterrupt as interrupt:
        raise DataError("the file is damaged") from interrupt
"""
IN_A_POOL = """
    from concurrent.futures import ThreadPoolExecutor
    stopped = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        try:
            list(pool.map(stopped.wait, [30, 30]))
        finally:
            stopped.set()
"""
DEAF = """
    while True:
        try:
            time.sleep(30)
        except KeyboardInterrupt:
            print("deaf", flush=True)
"""


def begin(work: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", START.format(work=work)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    return process


@pytest.mark.parametrize(
    ("work", "number"),
    [
        (IN_DUCKDB, signal.SIGINT),
        (IN_A_DESTRUCTOR, signal.SIGINT),
        (AS_ANOTHER_ERROR, signal.SIGTERM),
        (IN_A_POOL, signal.SIGHUP),
        ("time.sleep(30)", signal.SIGTERM),
    ],
)
def test_a_signal_is_one_sentence_and_an_exit_code(work: str, number: signal.Signals) -> None:
    with begin(work) as process:
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number, said
    what = "Interrupted" if number == signal.SIGINT else f"Ended by {number.name}"
    assert said == f"Error: {what}; every file and index is as it was before, or complete.\n"


def test_two_signals_at_once_are_one_and_a_later_one_ends_the_process(tmp_path: Path) -> None:
    with begin("time.sleep(30)") as process:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20)[1].startswith("Error: Ended by SIGTERM")
    with begin(DEAF) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "deaf\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGINT


def test_a_command_that_does_not_listen_is_ended_after_a_while() -> None:
    with begin(f"import engine.cli.signals as begun; begun._SECONDS_TO_END = 0.5{DEAF}") as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGINT
    assert said.startswith("Error: Interrupted")


def test_an_ignored_signal_stays_ignored() -> None:
    work = "import os; os.kill(os.getpid(), 1); print('done')"
    script = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{START.format(work=work)}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\ndone\n", "")
