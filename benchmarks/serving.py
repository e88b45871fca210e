"""Measures a service under load, beside the rate at which one thread answers the same questions in Python.

    python benchmarks/serving.py [--index movie-index] [--seconds 5] [--rounds 5] [--json FILE]

Each round measures three rates in turn. The first is the rate of one thread in a process of its own. The
second is the rate of this thread when it also turns its answers into JSON. The third is the rate of a service
with two workers, which 64 connections ask at once. Meanwhile one more connection asks for /healthz fifty
times a second. The figures are medians over the rounds.

The client shares the cores with the service. So the client sends bytes that were made before, and of an
answer it only reads the status and the length.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import uvloop
from measuring import parser_for, write_figures

from engine import Engine

CONNECTIONS = 64
WORKERS = 2
_PAUSE = 0.02
"""Seconds between two questions for /healthz."""
_NUM_IDS = 2_000
"""The number of ids that are asked for in turn."""
_STARTS = 5
_LONGEST_START = 60
"""Seconds within which a service has to answer."""
ONE_THREAD = """
import sys, time
import orjson
from engine import Engine, responses
engine, method, seconds = Engine.load(sys.argv[1]), sys.argv[2], float(sys.argv[3])
ask, ids = getattr(engine, method), sys.stdin.read().split("\\n")
def answer(one):
    if method == "recommend":
        return orjson.dumps(responses.list_of_reviewer(one, 10, ask(one)))
    return orjson.dumps(responses.similar_movies(one, engine.title(one), ask(one)))
for question in (ask, answer):
    for one in ids:
        question(one)
    num_asked, started = 0, time.perf_counter()
    while time.perf_counter() < started + seconds:
        question(ids[num_asked % len(ids)])
        num_asked += 1
    print(num_asked / (time.perf_counter() - started))
"""
"""Prints how many questions one thread answers in a second, without and with JSON."""


class Connection(asyncio.Protocol):
    """Asks one request after another over one connection, and notes the status and the time of each answer.

    Args:
        requests: the requests as bytes, which are sent in turn.
        until: the time after which no further request is sent, as `time.perf_counter` tells it.
        pause: the seconds between an answer and the next request.
    """

    def __init__(self, requests: Sequence[bytes], until: float, pause: float = 0) -> None:
        self.requests, self.until, self.pause = requests, until, pause
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first request."""
        self.transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self.started = time.perf_counter()
        if self.started >= self.until:
            self.transport.close()
            return
        self.received, self.missing = b"", -1
        self.transport.write(self.requests[len(self.times) % len(self.requests)])

    def data_received(self, data: bytes) -> None:
        """Reads a piece of an answer, and sends the next request after the last piece."""
        if self.missing < 0:
            self.received += data
            head, end, body = self.received.partition(b"\r\n\r\n")
            if not end:
                return
            self.status = int(head[9:12])
            self.missing = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            data = body
        self.missing -= len(data)
        if self.missing == 0:
            self.times.append(time.perf_counter() - self.started)
            self.statuses[self.status] += 1
            if self.pause:
                asyncio.get_running_loop().call_later(self.pause, self._send)
            else:
                self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """Ends the connection; a connection that the service closed ends early."""
        self.ended.set_result(None)


class Service:
    """A running `engine serve`, which ends with the `with` statement."""

    def __init__(self, index: Path, workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._index, self._workers = index, workers

    def __enter__(self) -> Service:
        command = [sys.executable, "-m", "engine.cli", "serve", "--index", str(self._index)]
        options = ["--port", str(self.port), "--workers", str(self._workers)]
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen([*command, *options], stdout=self._log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self._log.close()

    @property
    def pid(self) -> int:
        """Returns the number of the process that starts the workers."""
        return self._process.pid

    def wait(self, path: str) -> None:
        """Waits until the service answers a path."""
        until = time.perf_counter() + _LONGEST_START
        while time.perf_counter() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                    connection.sendall(request(path))
                    assert b" 200 " in connection.recv(100)
                    return
            except OSError:
                time.sleep(0.005)
        raise TimeoutError(f"The service did not answer within {_LONGEST_START} seconds.")


def request(path: str) -> bytes:
    """Returns a request as bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


async def load(port: int, requests: Sequence[bytes], seconds: float) -> dict[str, float]:
    """Asks over all connections at once for some seconds; returns rates and times of answers."""
    loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds
    step = max(1, len(requests) // CONNECTIONS)
    askers = [
        Connection([*requests[step * place :], *requests[: step * place]], until)
        for place in range(CONNECTIONS)
    ]
    health = Connection([request("/healthz")], until, _PAUSE)
    for connection in (*askers, health):
        await loop.create_connection(lambda found=connection: found, "127.0.0.1", port)
    await asyncio.gather(*(connection.ended for connection in (*askers, health)))
    times = sorted(taken for asker in askers for taken in asker.times)
    statuses = sum((asker.statuses for asker in (*askers, health)), Counter())
    return {
        "answers_a_second": len(times) / seconds,
        "median_ms": 1000 * statistics.median(times),
        "p99_ms": 1000 * times[int(0.99 * len(times))],
        "health_p99_ms": 1000 * sorted(health.times)[int(0.99 * len(health.times))],
        "not_answered": sum(number for status, number in statuses.items() if status != 200),
    }


def one_thread(index: Path, method: str, ids: Sequence[str], seconds: float) -> tuple[float, float]:
    """Returns how many questions one thread of Python answers in a second, without and with JSON."""
    command = [sys.executable, "-c", ONE_THREAD, str(index), method, str(seconds)]
    done = subprocess.run(command, input="\n".join(ids), stdout=subprocess.PIPE, text=True, check=True)
    plain, as_json = map(float, done.stdout.split())
    return plain, as_json


def seconds_to_answer(index: Path, path: str) -> float:
    """Returns the seconds from the start of a service to its first answer."""
    started = time.perf_counter()
    with Service(index, workers=1) as service:
        service.wait(path)
        return time.perf_counter() - started


def main() -> None:
    """Prints one JSON object."""
    parser = parser_for(__doc__)
    parser.add_argument("--index", type=Path, default=Path("movie-index"))
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    engine, chance = Engine.load(asked.index), random.Random(0)
    reviewers = engine.reviewer_ids(chance.choices(range(engine.num_reviewers), k=_NUM_IDS))
    movies = engine.movie_ids(chance.choices(range(engine.num_movies), k=_NUM_IDS))
    questions = {
        "recommend": ("/v1/recommend/reviewer/", reviewers),
        "similar": ("/v1/similar/movie/", movies),
    }
    path = f"/v1/recommend/reviewer/{quote(reviewers[0], safe='')}"
    figures: dict[str, Any] = {
        "movies": engine.num_movies,
        "reviewers": engine.num_reviewers,
        "seconds_to_first_answer": statistics.median(
            seconds_to_answer(asked.index, path) for _ in range(_STARTS)
        ),
    }
    with Service(asked.index, WORKERS) as service:
        service.wait(path)
        for method, (place, ids) in questions.items():
            requests = [request(place + quote(one, safe="")) for one in ids]
            uvloop.run(load(service.port, requests, asked.seconds))  # The first questions map in the pages.
            rounds = []
            for _ in range(asked.rounds):
                plain, as_json = one_thread(asked.index, method, ids, asked.seconds)
                served = uvloop.run(load(service.port, requests, asked.seconds))
                rate = served["answers_a_second"]
                rounds.append(
                    {
                        "one_thread_a_second": plain,
                        "one_thread_with_json_a_second": as_json,
                        **served,
                        "ratio": rate / plain,
                        "ratio_with_json": rate / as_json,
                    }
                )
            figures[method] = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            figures[method]["not_answered"] = sum(one["not_answered"] for one in rounds)
            figures[method]["ratios"] = sorted(round(one["ratio"], 3) for one in rounds)
    write_figures(figures, asked.json)


if __name__ == "__main__":
    main()
