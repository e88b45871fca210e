"""A build takes in the whole journal of its index, so that a nightly build loses no feedback."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine import Engine
from engine.config.sections import load_config
from engine.feedback.events import Event
from engine.feedback.journal import journal_of
from engine.feedback.writing import JournalWriter
from pipelines import add_reviews, build_index

pytestmark = pytest.mark.slow

QUICK = (
    *("report.baselines_up_to=0", "relevance.max_rounds=1", "rating.max_rounds=1", "split.test_share=0"),
    *("relevance.num_members=1", "relevance.embedding_dim=4", "split.max_holdouts=1"),
    *("ingest.min_reviews_per_reviewer=1", "ingest.min_reviews_per_movie=1"),
)


def reviews_in(path: Path) -> Path:
    chance = random.Random(0)
    rows = [
        f"R{reviewer:02d},M{movie:02d},{chance.randint(1, 5)},{1_400_000_000 + reviewer}"
        for reviewer in range(30)
        for movie in chance.sample(range(20), 8)
    ]
    path.write_text("\n".join(["user,item,rating,timestamp", *rows, ""]))
    return path


def send(index: Path, name: str, movie: str, kind: str, reviewer: str | None, rating: float | None) -> None:
    line = Event(id=name, time=1_700_000_000, kind=kind, movie_id=movie, reviewer_id=reviewer, rating=rating)
    JournalWriter(journal_of(index)).write([[line]])


def rating_of(index: Path, reviewer: str, movie: str) -> float | None:
    history = Engine.load(index).reviewer(reviewer, 100).history
    return next((review.rating for review in history if review.movie_id == movie), None)


def test_a_new_build_holds_the_feedback_that_came_before(tmp_path: Path) -> None:
    files, config = [reviews_in(tmp_path / "reviews.csv")], load_config(None, QUICK)
    index, trial = tmp_path / "index", tmp_path / "trial"
    plain = build_index(files, output=index, config=config).manifest
    assert "journal" not in plain
    send(index, "a", "M03", "rating", "newcomer", 5.0)
    send(index, "b", "M05", "hidden", None, None)
    add_reviews(index=index)
    send(index, "c", "M04", "rating", "newcomer", 2.0)
    built = build_index(files, output=index, config=config).manifest
    assert built["counts"]["reviews"] == plain["counts"]["reviews"] + 2
    assert built["journal"]["lines"] == {"reviews": 2, "hidden": 1, "torn": 0, "off_scale": 0}
    assert (rating_of(index, "newcomer", "M03"), rating_of(index, "newcomer", "M04")) == (5.0, 2.0)
    assert not add_reviews(index=index).update["changed"]
    engine = Engine.load(index)
    assert "M05" not in {movie.movie_id for movie in engine.recommend("newcomer", 20, include_seen=True)}
    build_index([*files, index / "journal"], output=trial, config=config)
    other = Engine.load(trial)
    other.index.follow(journal_of(index))
    assert other.index.feedback.num_fresh == 0
    assert rating_of(trial, "newcomer", "M03") == 5.0
    send(index, "d", "M06", "rating", "newcomer", 3.0)
    other.index.feedback.catch_up()
    assert other.reviewer("newcomer").num_reviews == 3
    assert add_reviews([index / "journal"], index=trial).update["added"] == 1
    assert rating_of(trial, "newcomer", "M06") == 3.0
