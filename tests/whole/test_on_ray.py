"""What runs on Ray gives what runs without it, through lost workers, signals and wrong addresses.

The tests start Ray itself. One Ray serves all tests but those that end a command with a signal.
"""

from __future__ import annotations

import json
import os
import pickle
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from made_index import reviewer_id, write_index

from engine.config.sections import RelevanceConfig, load_config
from engine.errors import ArtifactNotFoundError, ConfigError, DataError, UnknownIdError
from pipelines import build_index, evaluate
from pipelines.batch.cluster import make_lists
from pipelines.batch.recommend_all import recommend_all
from pipelines.batch.shards import PROGRESS, Shards
from pipelines.dataset.reviews import make_reviews
from pipelines.evaluation.results import Evaluation
from pipelines.training.loops import train_relevance
from pipelines.tuning.parts import PARTS
from pipelines.tuning.tune import tune
from pipelines.work import cluster
from pipelines.work.checkpoints import to_arrays
from pipelines.work.cluster import RayWorkers, ray_workers
from pipelines.work.runners import ThisProcess, runner_for

pytest.importorskip("ray", reason="Ray is not installed; the extra [ray] installs it")

NUM_REVIEWERS = 2000
QUICK = load_config(
    assignments=[
        *("relevance.max_rounds=2", "relevance.embedding_dim=16", "relevance.num_members=1"),
        *("rating.max_rounds=2", "rating.dim=4", "split.max_holdouts=1"),
    ]
)
PATIENCE = 120.0
"""Seconds that a command on a busy machine may take."""
COMMAND = [
    sys.executable,
    "-c",
    f"import engine.cli.signals as signals; signals._SECONDS_TO_END = {PATIENCE}; "
    "from engine.cli.__main__ import start; start()",
]
"""The command line, which may take its time to clean up after a signal on a busy machine."""


@pytest.fixture(scope="module")
def workers() -> Iterator[RayWorkers]:
    """Starts Ray once, with workers of one thread that all kinds of work can use."""
    with pytest.MonkeyPatch.context() as patched:
        for name in cluster.THREADS:
            patched.setenv(name, "1")
        with ray_workers(None, 2, 1) as started:
            yield started


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("ray") / "index", NUM_REVIEWERS)


def files_of(lists: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(lists.iterdir())}


def on_ray(index: Path, lists: Path, **options: Any) -> dict[str, Any]:
    return recommend_all(index, lists, on="ray", processes=2, **options)


def test_wrong_places_are_refused_at_once() -> None:
    """This test comes first, before the program is connected to Ray."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # Nobody listens there.
        nowhere = f"127.0.0.1:{bound.getsockname()[1]}"
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"on": "ray", "address": nowhere}, "No Ray cluster can be used at 127"),
            ({"on": "ray", "address": "somewhere"}, "No Ray cluster can be used at somewhere"),
            ({"on": "spark"}, "ray"),
            ({"on": None, "address": "auto"}, "give --on ray as well"),
            ({"on": "ray", "processes": -1}, "processes"),
        ]
        for options, message in wrong:
            with pytest.raises(ConfigError, match=message), runner_for(**options):
                pass


def test_lists_are_the_same_to_the_byte(workers: RayWorkers, index: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"k": 3, "shard_size": 500, "where": "price < 20"}
    local = recommend_all(index, tmp_path / "local", processes=2, **options)
    remote = on_ray(index, tmp_path / "ray", **options)
    files = [files_of(tmp_path / name) for name in ("local", "ray")]
    progress = [json.loads(one.pop(PROGRESS)) for one in files]
    assert files[0] == files[1]
    assert len(files[0]) == NUM_REVIEWERS / 500
    assert progress[0] == progress[1]
    same = ("num_reviewers", "num_rows", "num_shards", "resumed_reviewers")
    assert [local[name] for name in same] == [remote[name] for name in same]


def test_one_file_and_unknown_reviewers(workers: RayWorkers, index: Path, tmp_path: Path) -> None:
    ids = [reviewer_id(7), "nobody", reviewer_id(3), reviewer_id(1999), "nobody else"]
    options: dict[str, Any] = {"k": 2, "reviewers": ids, "fallback": "popular", "shard_size": 2}
    recommend_all(index, tmp_path / "local.csv", **options)
    on_ray(index, tmp_path / "ray.csv", **options)
    assert (tmp_path / "ray.csv").read_bytes() == (tmp_path / "local.csv").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["local.csv", "ray.csv"]


def test_a_run_that_began_in_processes_goes_on_with_what_is_missing(
    workers: RayWorkers, index: Path, tmp_path: Path
) -> None:
    lists = tmp_path / "lists"
    recommend_all(index, lists, shard_size=500)
    before = files_of(lists)
    (lists / "part-00001.parquet").unlink()
    os.truncate(lists / "part-00003.parquet", 10)
    assert on_ray(index, lists, shard_size=500)["resumed_reviewers"] == 1000
    assert {**files_of(lists), PROGRESS: b""} == {**before, PROGRESS: b""}
    kept = {path.name: path.stat().st_mtime_ns for path in lists.glob("part-*")}
    assert on_ray(index, lists, shard_size=500)["resumed_reviewers"] == NUM_REVIEWERS
    assert {path.name: path.stat().st_mtime_ns for path in lists.glob("part-*")} == kept


def test_a_killed_worker_is_replaced_and_nothing_is_lost_or_twice(
    workers: RayWorkers, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommend_all(index, tmp_path / "local", shard_size=250)
    killed: list[int] = []
    write = Shards.write

    def kill_and_write(*arguments: Any) -> None:
        if len(killed) < 2:
            killed.append(kill_a_worker())
        write(*arguments)

    monkeypatch.setattr(Shards, "write", kill_and_write)
    on_ray(index, tmp_path / "ray", shard_size=250)
    assert len(set(killed)) == 2
    files = [files_of(tmp_path / name) for name in ("local", "ray")]
    assert {**files[0], PROGRESS: b""} == {**files[1], PROGRESS: b""}


def kill_a_worker() -> int:
    """Kills a worker of this process that makes lists at this moment, and gives its number."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name() == f"ray::{make_lists.__name__}":
                    process.kill()
                    process.wait(PATIENCE)
                    return process.pid
    raise AssertionError("no worker makes lists")


def test_a_call_that_loses_its_workers_again_and_again_is_one_sentence(
    workers: RayWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "MOST_LOST", 1)
    with pytest.raises(DataError, match="Ray lost 2 workers in the same part of the work"):
        list(workers.run(os._exit, [(1,)]))


def test_calls_run_once_each_and_share_values(workers: RayWorkers) -> None:
    calls = [(workers.share([number]), [-number]) for number in range(7)]
    for runner, given in ((workers, calls), (ThisProcess(), [([one], [-one]) for one in range(7)])):
        found = sorted(runner.run(max, given))
        assert found == [(number, [number]) for number in range(7)]
    with runner_for("ray", processes=3) as joined:
        assert joined.num_workers == 3
    with pytest.raises(ConfigError, match="connected to Ray already"), runner_for("ray", "auto"):
        pass
    assert list(workers.run(max, [])) == []


def test_errors_of_the_engine_arrive_as_they_are(workers: RayWorkers, tmp_path: Path) -> None:
    settings = {"index": str(tmp_path / "none"), "build": "b", "k": 1, "format": "csv", "options": {}}
    with pytest.raises(ArtifactNotFoundError, match="none"):
        list(workers.run(make_lists, [(json.dumps(settings), [0])]))
    error = UnknownIdError("movie", "x", "the index", ["y"])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.close_matches) == (str(error), ("y",))


def test_what_workers_say_is_not_printed(
    workers: RayWorkers, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "MOST_LOST", 0)
    with pytest.raises(DataError):
        list(workers.run(os._exit, [(1,)]))
    list(workers.run(print, [("hello",)]))
    time.sleep(1)
    assert capfd.readouterr() == ("", "")


def test_a_command_joins_a_cluster_by_its_address(workers: RayWorkers, index: Path, tmp_path: Path) -> None:
    import ray

    address = ray.get_runtime_context().gcs_address
    words = ["recommend", "all", "--index", index, "--output", tmp_path / "ray", "--shard-size", "500"]
    done = subprocess.run(
        [*COMMAND, *words, "--on", "ray", "--address", address, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert json.loads(done.stdout)["num_reviewers"] == NUM_REVIEWERS
    assert done.stderr.count("\n") == 1
    recommend_all(index, tmp_path / "local", shard_size=500)
    files = [files_of(tmp_path / name) for name in ("local", "ray")]
    assert {**files[0], PROGRESS: b""} == {**files[1], PROGRESS: b""}


def test_an_evaluation_finds_the_same_figures(workers: RayWorkers, tmp_path: Path) -> None:
    reviews = write_ratings(tmp_path / "ratings.csv")
    settings: dict[str, Any] = {"config": QUICK, "models": ("ncf", "ease", "constants")}
    here, there = (evaluate([reviews], protocol="random", on=on, **settings) for on in (None, "ray"))
    assert figures_of(there) == figures_of(here)
    assert list(there.results) == list(settings["models"])
    with pytest.raises(ConfigError, match="give --on ray"):
        evaluate([reviews], processes=2, **settings)
    models = ("popularity", "biases")
    folds = [evaluate([reviews], protocol="folds", models=models, on=on) for on in (None, "ray")]
    assert figures_of(folds[0]) == figures_of(folds[1])


def test_a_build_makes_the_same_index(workers: RayWorkers, tmp_path: Path) -> None:
    reviews = write_ratings(tmp_path / "ratings.csv")
    here, there = (
        build_index([reviews], output=tmp_path / str(on), config=QUICK, on=on) for on in (None, "ray")
    )
    for section in ("metrics", "baselines", "training", "calibration", "counts", "audit"):
        assert there.manifest.get(section) == here.manifest.get(section), section
    digests = [
        {name: file["sha256"] for name, file in built.manifest["files"].items() if name.endswith(".npy")}
        for built in (here, there)
    ]
    assert digests[0] == digests[1]
    assert "reviewer_embeddings.npy" in digests[0]


def test_parts_of_reviewers_are_trained_by_workers_of_their_own(workers: RayWorkers) -> None:
    generator = np.random.default_rng(0)
    reviews = make_reviews(
        np.repeat(np.arange(60), 5),
        np.concatenate([generator.permutation(20)[:5] for _ in range(60)]),
        None,
        np.arange(300),
        num_reviewers=60,
        num_movies=20,
    )
    config = RelevanceConfig(embedding_dim=4, max_rounds=2, num_parts=2)
    here, there = (
        to_arrays(train_relevance(reviews, reviews.likes(4.0), config, 7, runner=runner).head)
        for runner in (ThisProcess(), pickle.loads(pickle.dumps(workers)))
    )
    for name, array in here.items():
        np.testing.assert_array_equal(there[name], array, err_msg=name)


def figures_of(evaluation: Evaluation) -> str:
    found = evaluation.to_dict()
    for fold in found["folds"]:
        assert fold.pop("fit_seconds") >= 0
    return json.dumps(found)


def test_a_search_finds_the_same_settings(
    workers: RayWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [part for part in PARTS if part.name != "relevance"]
    monkeypatch.setattr("pipelines.tuning.tune.PARTS", quick)
    reviews = write_ratings(tmp_path / "ratings.csv")
    settings: dict[str, Any] = {"config": QUICK, "trials": 3, "at_once": 2}
    here, there = (tune([reviews], output=tmp_path / f"{on}.toml", on=on, **settings) for on in (None, "ray"))
    assert there == here
    assert (tmp_path / "ray.toml").read_bytes() == (tmp_path / "None.toml").read_bytes()
    assert [part.trials for part in there.parts] == [3, 3]


def write_ratings(path: Path) -> Path:
    generator = np.random.default_rng(0)
    lines = [
        f"R{reviewer},M{movie},{generator.integers(1, 6)},{1000 + generator.integers(9000)}"
        for reviewer in range(60)
        for movie in generator.permutation(30)[:12]
    ]
    path.write_text("\n".join(["reviewer,movie,rating,time", *lines]), encoding="utf-8")
    return path


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_process_and_no_folder(index: Path, tmp_path: Path, sent: signal.Signals) -> None:
    # Ray's sockets find no room in a folder with a long name.
    folder = Path("/tmp", secrets.token_hex(2))
    folder.mkdir()
    lists = tmp_path / "lists"
    words = ["recommend", "all", "--index", index, "--output", lists, "--shard-size", "20", "--on", "ray"]
    environment = {**os.environ, "TMPDIR": str(folder), "HOME": str(folder)}
    try:
        with subprocess.Popen(
            [*COMMAND, *words], stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        ) as process:
            wait_until(lambda: any(lists.glob("part-*")) or process.poll() is not None)
            children = psutil.Process(process.pid).children(recursive=True)
            # A terminal and service managers send signals to the group of a process.
            os.killpg(process.pid, sent)
            _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + sent, said
        assert said.count("\n") == 1
        assert "the same command goes on with the missing lists" in said
        assert len(children) > 2
        _, alive = psutil.wait_procs(children, timeout=PATIENCE)
        assert alive == []
        assert list(folder.iterdir()) == []
    finally:
        shutil.rmtree(folder)
    parts = len(list(lists.glob("part-*")))
    assert 0 < parts < NUM_REVIEWERS / 20


def wait_until(condition: Any) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_missing_package_is_one_sentence(index: Path, tmp_path: Path) -> None:
    script = "import sys; sys.modules['ray'] = None\nfrom engine.cli.main import main\nmain()"
    words = ["recommend", "all", "--index", index, "--output", tmp_path / "lists", "--on", "ray"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'movie-engine[ray]'" in done.stderr
    assert not (tmp_path / "lists").exists()


def test_ray_is_not_imported_before_it_is_asked_for(index: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom engine.cli.main import main\n"
        "try:\n    main()\nfinally:\n    assert 'ray' not in sys.modules"
    )
    for words in (
        ["recommend", "all", "--index", index, "--output", tmp_path / "lists"],
        ["evaluate", "--help"],
    ):
        subprocess.run([sys.executable, "-c", script, *words], check=True, capture_output=True)
