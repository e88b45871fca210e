"""Kills a service at random moments under writes, and checks that no acknowledged review is lost or doubled.

    python benchmarks/feedback_kills.py [--kills 10] [--clients 8] [--workers 2] [--seed 0] [--json FILE]

Several clients send reviews to `engine serve`, one by one and in batches, and note every review that the
service acknowledged. At random moments all processes of the service are killed with SIGKILL and started
again. A client sends a request again, with the same ids, until the request is acknowledged. Meanwhile `engine
add-reviews` takes the journal in again and again, and is killed at random moments of its run. At the end,
every acknowledged review must be in the journal once, and in the index once after a last `engine
add-reviews`, and once again after a new `engine build-index` of the first files.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from kills import QUICK, engine, write_movies, write_reviews
from measuring import parser_for, write_figures

from engine import Engine
from engine.feedback.journal import journal_of

_MOST_SECONDS = 120.0
"""Seconds after which a service that does not answer counts as broken."""


class Client(threading.Thread):
    """Sends reviews of movies until it is told to stop, and notes which reviews were acknowledged."""

    def __init__(self, number: int, port: int, seed: str) -> None:
        super().__init__()
        self.acknowledged: dict[str, tuple[str, str, float]] = {}
        """The reviewer, the movie and the rating of each acknowledged review, by the id of the review."""
        self.num_sent_again = 0
        self.failure: str | None = None
        """What the service answered in place of taking a review; None if it took every review."""
        self._number, self._port = number, port
        self._random = random.Random(seed)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Sends one request after another; a request without an answer is sent again."""
        num_requests = 0
        while not self._stopping.is_set():
            name = f"C{self._number}-{num_requests}"
            movies = self._random.sample(range(40), self._random.choice([1, 1, 1, 5, 20]))
            reviews = [
                {
                    "id": f"{name}-{place}",
                    "reviewer_id": name,
                    "movie_id": f"M{movie:03d}",
                    "rating": self._random.choice([1, 2, 3, 4, 5]),
                    "time": 1_700_000_000 + num_requests,
                }
                for place, movie in enumerate(movies)
            ]
            self._send(reviews)
            num_requests += 1

    def _send(self, reviews: list[dict[str, Any]]) -> None:
        body = json.dumps({"reviews": reviews} if len(reviews) > 1 else reviews[0])
        is_first = True
        while True:
            self.num_sent_again += not is_first
            is_first = False
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
                connection.request("POST", "/v1/reviews", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                content = response.read()
                connection.close()
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            if response.status == 503:
                continue
            if response.status != 200:
                self.failure = content.decode()
                return
            for review in reviews:
                said = review["reviewer_id"], review["movie_id"], float(review["rating"])
                self.acknowledged[review["id"]] = said
            return

    def stop(self) -> None:
        """Lets the client end after the request that it is sending."""
        self._stopping.set()


class Adder(threading.Thread):
    """Takes the journal into the index again and again, and kills most of these runs at a random moment."""

    def __init__(self, index: Path, seed: str) -> None:
        super().__init__()
        self.num_kills = self.num_ended = 0
        self._index = index
        self._random = random.Random(seed)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Runs `engine add-reviews` until it is told to stop."""
        longest = 10.0
        while not self._stopping.is_set():
            began = time.monotonic()
            words = [*engine(), "add-reviews", "--index", str(self._index)]
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(self._random.uniform(0.3 * longest, 1.1 * longest))
                if process.returncode == 0:
                    longest = time.monotonic() - began
                    self.num_ended += 1
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.num_kills += 1

    def stop(self) -> None:
        """Ends the thread after the present run."""
        self._stopping.set()


def main() -> None:
    """Kills the service as often as asked for, and prints what was found."""
    parser = parser_for(__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="benchmark-feedback-") as folder:
        base = Path(folder)
        index = build(base)
        before = reviews_of(index)
        port = free_port()
        clients = [Client(number, port, f"{asked.seed} {number}") for number in range(asked.clients)]
        for client in clients:
            client.start()
        adder = Adder(index, f"{asked.seed} add-reviews")
        adder.start()
        for _ in range(asked.kills):
            service = start(index, port, asked.workers)
            time.sleep(chance.uniform(0.1, 3.0))
            os.killpg(service.pid, signal.SIGKILL)
            service.wait()
        service = start(index, port, asked.workers)
        running = (*clients, adder)
        for thread in running:
            thread.stop()
        for thread in running:
            thread.join()
        os.killpg(service.pid, signal.SIGTERM)
        service.wait()
        assert not any(client.failure for client in clients), [client.failure for client in clients]
        acknowledged = {name: said for client in clients for name, said in client.acknowledged.items()}
        figures = {
            "kills of the service": asked.kills,
            "kills of add-reviews": adder.num_kills,
            "runs of add-reviews that ended": adder.num_ended,
            "acknowledged reviews": len(acknowledged),
            "requests sent again": sum(client.num_sent_again for client in clients),
            **check_journal(index, acknowledged),
            **check_index(index, before, acknowledged),
        }
        build(base)
        rebuilt = reviews_of(index)
        missing = [said for said in acknowledged.values() if rebuilt[said] != 1]
        assert not missing, f"{len(missing)} reviews are not in the new build once"
        figures["in the index once after build-index"] = len(acknowledged)
    write_figures(figures, asked.json)
    for name, figure in figures.items():
        print(f"| {name} | {figure:,} |")


def build(base: Path) -> Path:
    """Builds a small index, or builds the index again beside its journal."""
    reviews, movies = base / "reviews.csv", base / "movies.csv"
    write_reviews(reviews, range(60), 12)
    write_movies(movies, range(40))
    quick = [word for setting in QUICK for word in ("--set", setting)]
    keep_all = ["--min-reviews-per-reviewer", "1", "--min-reviews-per-movie", "1"]
    words = ["build-index", str(reviews), "--metadata", str(movies), *quick, *keep_all]
    subprocess.run([*engine(), *words, "--output", str(base / "index")], check=True, capture_output=True)
    return base / "index"


def start(index: Path, port: int, workers: int) -> subprocess.Popen[bytes]:
    """Starts the service in a process group of its own, and waits until it answers."""
    words = [
        "serve",
        "--index",
        str(index),
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--no-access-log",
    ]
    service = subprocess.Popen(
        [*engine(), *words], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    until = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < until and service.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return service
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"The service does not answer: {service.stderr.read() if service.stderr else b''!r}")


def free_port() -> int:
    """Returns a port at which no program listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def reviews_of(index: Path) -> Counter[tuple[str, str, float]]:
    """Counts every review of an index by its reviewer, its movie and its rating."""
    opened = Engine.load(index).index
    histories, rating = opened.model.histories, opened.model.rating
    assert rating is not None
    reviewers, movies = list(opened.reviewers), list(opened.movies)
    columns = histories.places, histories.movie_rows, rating.levels[histories.level_rows]
    return Counter(
        (reviewers[reviewer], movies[movie], float(level))
        for reviewer, movie, level in zip(*(column.tolist() for column in columns), strict=True)
    )


def check_journal(index: Path, acknowledged: dict[str, tuple[str, str, float]]) -> dict[str, int]:
    """Checks that every acknowledged review is in the journal once, with what the client said."""
    lines: dict[str, list[tuple[str | None, str, float | None]]] = {}
    num_torn = 0
    for found in journal_of(index).parts():
        num_torn += found.num_torn
        for event in found.events:
            lines.setdefault(event.id, []).append((event.reviewer_id, event.movie_id, event.rating))
    wrong = [name for name, said in acknowledged.items() if lines.get(name) != [said]]
    assert not wrong, f"{len(wrong)} acknowledged reviews are not in the journal once, such as {wrong[0]}"
    doubled = [name for name, said in lines.items() if len(said) > 1]
    assert not doubled, f"{len(doubled)} reviews are in the journal several times"
    return {
        "lines of the journal": len(lines),
        "torn lines": num_torn,
        "in the journal once": len(acknowledged),
    }


def check_index(
    index: Path, before: Counter[tuple[str, str, float]], acknowledged: dict[str, tuple[str, str, float]]
) -> dict[str, int]:
    """Takes the rest of the journal in, and checks that each acknowledged review is in the index once."""
    subprocess.run([*engine(), "add-reviews", "--index", str(index)], check=True, capture_output=True)
    after = reviews_of(index)
    wrong = [said for said in acknowledged.values() if after[said] != 1]
    assert not wrong, f"{len(wrong)} acknowledged reviews are not in the index once, such as {wrong[0]}"
    history = Engine.load(index).info()["updates"]["history"]
    num_lines = sum(len(found.events) for found in journal_of(index).parts())
    num_taken_in = sum(update["journal"]["reviews"] for update in history)
    num_added = sum(update["added"] for update in history)
    assert num_taken_in == num_lines, f"{num_taken_in} lines were taken in of {num_lines}"
    assert num_added == sum(after.values()) - sum(before.values()) == num_lines
    return {"updates": len(history), "in the index once after add-reviews": len(acknowledged)}


if __name__ == "__main__":
    main()
