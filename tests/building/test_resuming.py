"""Builds that are killed go on from their last checkpoint, to what they would have come to unbroken."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from engine import Engine
from engine.cli.main import main
from engine.config.sections import Config, RatingConfig, RelevanceConfig, load_config
from engine.errors import ArtifactError, ConfigError, TrainingError
from pipelines.building.resuming import resumable_work
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.networks import batches
from pipelines.training import loops
from pipelines.training.loops import train_rating, train_relevance
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints, from_arrays, to_arrays

NUM_MOVIES = 600
SMALL = (
    "relevance.max_rounds=3",
    "rating.max_rounds=3",
    "relevance.embedding_dim=8",
    "relevance.num_members=1",
    "split.max_holdouts=2",
)


def some_reviews(num_reviewers: int = 50, num_movies: int = 30, each: int = 8) -> Reviews:
    generator = np.random.default_rng(0)
    return make_reviews(
        np.repeat(np.arange(num_reviewers), each),
        np.concatenate([generator.permutation(num_movies)[:each] for _ in range(num_reviewers)]),
        generator.integers(1, 6, num_reviewers * each).astype(float),
        np.arange(num_reviewers * each),
        num_reviewers=num_reviewers,
        num_movies=num_movies,
    )


def write_reviews(path: Path) -> Path:
    """Everyone keeps to one kind of movie."""
    reviews = some_reviews(200, NUM_MOVIES, 8)
    movie_rows = reviews.movie_rows // 6 * 6 + reviews.reviewer_rows % 6
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["reviewer_id", "movie_id", "rating", "time"])
        table.writerows(
            zip(
                (f"R{row}" for row in reviews.reviewer_rows),
                (f"M{row}" for row in movie_rows),
                reviews.ratings.tolist(),
                (1_500_000_000 + reviews.times).tolist(),
                strict=True,
            )
        )
    return path


def write_movies(path: Path) -> Path:
    """Of which kind of six each of the movies is."""
    rows = [f"M{row},Movie {row},kind{row % 6}" for row in range(NUM_MOVIES)]
    path.write_text("\n".join(["movie_id,title,category", *rows, ""]))
    return path


def assert_equal_heads(one: Any, other: Any) -> None:
    """But for the order in which threads add up."""
    left, right = to_arrays(one), to_arrays(other)
    assert list(left) == list(right)
    for name in left:
        np.testing.assert_allclose(left[name], right[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_what_is_kept_is_given_back_and_the_latest_counts(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "work").within("part")
    assert checkpoints.load("step") is None
    for number in range(3):
        checkpoints.save("step", {"values": np.arange(number + 1)}, {"number": number})
    saved = checkpoints.load("step")
    assert saved is not None
    assert saved.arrays["values"].tolist() == [0, 1, 2]
    assert saved.facts == {"number": 2}
    assert len(list((tmp_path / "work" / "part").iterdir())) == 1
    Checkpoints(tmp_path / "work").forget("part")
    assert checkpoints.load("step") is None


def test_files_are_kept_with_a_step(tmp_path: Path) -> None:
    made = tmp_path / "made.txt"
    made.write_text("content")
    checkpoints = Checkpoints(tmp_path / "work")
    checkpoints.save("step", {}, {}, [made])
    made.unlink()
    saved = checkpoints.load("step")
    assert saved is not None
    assert [(path.name, path.read_text()) for path in saved.files] == [("made.txt", "content")]


@pytest.mark.parametrize("damage", ["facts.json", "values.npy"])
def test_a_damaged_step_counts_as_none(tmp_path: Path, damage: str) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("step", {"values": np.arange(5)}, {"number": 1})
    path = tmp_path / "step@0" / damage
    path.write_bytes(path.read_bytes()[:-4])
    assert checkpoints.load("step") is None


def test_a_step_that_was_being_written_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "step@0.new").mkdir()
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load("step") is None
    checkpoints.save("step", {}, {"number": 1})
    assert checkpoints.load("step") is not None


def test_nothing_is_kept_where_nobody_will_resume() -> None:
    NOTHING_KEPT.within("part").save("step", {}, {})
    assert not NOTHING_KEPT
    assert NOTHING_KEPT.load("step") is None


@pytest.mark.slow
@pytest.mark.parametrize("round_size", [1_000_000, 60], ids=["whole", "in-parts"])
@pytest.mark.parametrize("stops", [(1,), (1, 2)], ids=str)
@pytest.mark.parametrize("head", ["relevance", "rating"])
def test_a_training_that_was_cut_off_ends_as_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, stops: tuple[int, ...], round_size: int
) -> None:
    monkeypatch.setattr(loops, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(loops, "_SHARE_OF_SAVING", np.inf)
    monkeypatch.setattr(batches, "ROUND_EXAMPLES", round_size)
    monkeypatch.setattr(batches, "ROUND_REVIEWS", round_size)
    reviews = some_reviews()

    def train(validate: Callable[[Any], float], checkpoints: Checkpoints) -> Any:
        if head == "rating":
            config = RatingConfig(dim=4, max_rounds=5)
            return train_rating(reviews, config, 3, validate=validate, checkpoints=checkpoints)
        settings = RelevanceConfig(embedding_dim=4, max_rounds=5)
        likes = reviews.likes(4.0)
        return train_relevance(reviews, likes, settings, 3, validate=validate, checkpoints=checkpoints)

    def figure(found: Any) -> float:
        return -float(np.abs(found.movie_vectors).sum())

    unbroken = train(figure, NOTHING_KEPT)
    checkpoints = Checkpoints(tmp_path)
    for stop in stops:
        remaining = iter(range(stop))

        def cut_off(found: Any) -> float:
            if next(remaining, None) is None:  # noqa: B023
                raise KeyboardInterrupt
            return figure(found)

        with pytest.raises(KeyboardInterrupt):
            train(cut_off, checkpoints)
    resumed = train(figure, checkpoints)
    assert resumed.rounds == unbroken.rounds
    assert resumed.losses == pytest.approx(unbroken.losses, rel=1e-5)
    assert resumed.figures == pytest.approx(unbroken.figures, rel=1e-5)
    assert_equal_heads(resumed.head, unbroken.head)
    again = train(cut_off, checkpoints)  # finished, so that nothing is validated any more
    assert_equal_heads(again.head, unbroken.head)
    assert_equal_heads(from_arrays(type(again.head), to_arrays(again.head)), unbroken.head)


def test_only_a_build_of_the_same_files_and_settings_goes_on(tmp_path: Path) -> None:
    reviews, work = write_reviews(tmp_path / "reviews.csv"), tmp_path / "work"

    def work_of(config: Config, *, resume: bool) -> Any:
        return resumable_work(work, [reviews], [], config, resume=resume)

    with work_of(Config(), resume=True) as checkpoints:
        checkpoints.save("step", {}, {"number": 1})
    for config in (Config(seed=7), load_config(assignments=("relevance.num_members=9",))):
        with pytest.raises(ConfigError, match=r"of other settings \((seed|relevance.num_members)\)"):
            work_of(config, resume=True).__enter__()
    with work_of(load_config(assignments=("ingest.memory_limit=1GB",)), resume=True) as checkpoints:
        assert checkpoints.load("step") is not None
    reviews.write_text(reviews.read_text() + "R1,M1,5,1500000000\n")
    with pytest.raises(ConfigError, match="other files"):
        work_of(Config(), resume=True).__enter__()
    with work_of(Config(), resume=False) as checkpoints:
        assert checkpoints.load("step") is None


def test_a_build_that_is_refused_leaves_no_work(tmp_path: Path) -> None:
    with pytest.raises(TrainingError), resumable_work(tmp_path / "w", [], [], Config(), resume=False):
        raise TrainingError("no")
    assert not (tmp_path / "w").exists()


def test_a_full_disk_and_an_interrupt_keep_the_work_and_say_how_to_go_on(tmp_path: Path) -> None:
    full = ArtifactError("Cannot write an index: the disk is full")
    full.__cause__ = OSError(28, "No space left on device")

    def build(error: BaseException) -> None:
        with resumable_work(tmp_path / "w", [], [], Config(), resume=False) as checkpoints:
            checkpoints.save("step", {}, {"number": 1})
            raise error

    for error in (full, KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            build(error)
        assert caught.value.__notes__ == ["the same command with --resume goes on from the last checkpoint"]
        with resumable_work(tmp_path / "w", [], [], Config(), resume=True) as checkpoints:
            assert checkpoints.load("step") is not None


def test_going_on_says_that_the_index_has_changed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "CURRENT").write_text("build-1 abc\n")
    with resumable_work(tmp_path / "w", [], [], Config(), resume=False):
        pass
    with resumable_work(tmp_path / "w", [], [], Config(), resume=True):
        assert "The index has changed" not in caplog.text
    (tmp_path / "CURRENT").write_text("build-2 abc\n")
    with resumable_work(tmp_path / "w", [], [], Config(), resume=True):
        assert "The index has changed since the interrupted build began" in caplog.text


class Build:
    """Builds by the command line, in this process or in one that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "index"
        settings = [part for setting in SMALL for part in ("--set", setting)]
        self._words = [
            "build-index", str(write_reviews(folder / "reviews.csv")),
            "--metadata", str(write_movies(folder / "movies.csv")),
            "--output", str(self.output), "--json", *settings,
        ]  # fmt: skip

    def run(self, *options: str) -> dict[str, Any]:
        done = CliRunner().invoke(main, [*self._words, *options], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        manifest: dict[str, Any] = json.loads(done.stdout)
        return manifest

    def kill_at(self, pattern: str, *options: str) -> None:
        """Kills a build as soon as a checkpoint of such a name is there."""
        command = [sys.executable, "-m", "engine.cli", *self._words, *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not list((self.output / ".work").glob(pattern)):
            assert process.poll() is None, "the build ended before it could be killed"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_a_killed_build_leaves_the_old_index_live_and_goes_on_to_the_same_figures(tmp_path: Path) -> None:
    build = Build(tmp_path)
    whole = build.run()
    assert whole["training"]["nearness"]["content"] > 0
    lists = [found.movie_id for found in Engine.load(build.output).recommend("R1", 5)]
    for place, pattern in enumerate(("measured/**/relevance@*", "quality@*")):
        build.kill_at(pattern, *(["--resume"] if place else []))
        engine = Engine.load(build.output)
        assert engine.info()["build"] == whole["build"]
        assert [found.movie_id for found in engine.recommend("R1", 5)] == lists
    resumed = build.run("--resume")
    assert resumed["build"] != whole["build"]
    for section in ("metrics", "training", "model", "audit", "calibration", "counts", "config"):
        assert resumed[section] == whole[section], section
    assert not (build.output / ".work").exists()
    assert not list(build.output.glob(".partial-*"))
