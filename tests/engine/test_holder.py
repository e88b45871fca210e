"""An engine answers from the build that it opened, whatever happens on disk, until it is told to reload."""

from __future__ import annotations

import ast
import copy
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from held_files import open_builds
from made_index import movie_id, reviewer_id, write_index

from engine import ArtifactError, Engine, recommender
from engine.artifact.layout import CURRENT

KNOWN, OTHER, MOVIE = reviewer_id(7), reviewer_id(30), movie_id(11)
QUESTIONS: dict[str, Callable[[Engine], Any]] = {
    "recommend": lambda engine: engine.recommend(KNOWN, 5),
    "where": lambda engine: engine.recommend(KNOWN, 5, where="price < 9 and title like '%1%'"),
    "popular": lambda engine: engine.recommend("nobody", 5, fallback="popular"),
    "ratings": lambda engine: engine.recommend_for({movie_id(3): 5, movie_id(4): 1}, 5),
    "group": lambda engine: engine.recommend_group([KNOWN, OTHER], 5, where="year > 1960"),
    "columns": lambda engine: [list(column) for column in engine.list_columns(np.arange(20), 5)],
    "similar": lambda engine: engine.similar(MOVIE, 5, where="price > 3"),
    "reviewers": lambda engine: engine.similar_reviewers(KNOWN, 5),
    "audience": lambda engine: engine.reviewers_for(MOVIE, 5),
    "predictions": lambda engine: engine.predictions(KNOWN, [MOVIE, movie_id(12)]),
    "movie": lambda engine: engine.movie(MOVIE),
    "reviewer": lambda engine: engine.reviewer(KNOWN),
    "title": lambda engine: engine.find_movies("film 11", 3),
    "scores": lambda engine: engine.score_all(KNOWN).tolist(),
    "info": lambda engine: engine.info(),
    "verify": lambda engine: engine.index.verify(),
}


def rebuild_again_and_again(index: Path) -> None:
    for seed in range(2, 6):
        write_index(index, seed=seed)


def delete(index: Path) -> None:
    shutil.rmtree(index)


def move(index: Path) -> None:
    index.rename(index.with_name("moved"))


def empty_every_file(index: Path) -> None:
    """Deletes the build and writes another one of the same name with nothing in its files."""
    for build in index.glob("build-*"):
        names = [path.name for path in build.iterdir()]
        shutil.rmtree(build)
        build.mkdir()
        for name in names:
            (build / name).touch()


@pytest.mark.parametrize("change", [rebuild_again_and_again, delete, move, empty_every_file])
def test_an_engine_that_was_opened_answers_every_question_whatever_happens_on_disk(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    index = write_index(tmp_path / "index", seed=1)
    asked_before, never_asked = Engine.load(index), Engine.load(index)
    expected = {name: repr(ask(asked_before)) for name, ask in QUESTIONS.items()}
    change(index)
    for engine in (asked_before, never_asked):
        assert {name: repr(ask(engine)) for name, ask in QUESTIONS.items()} == expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_an_engine_that_is_no_longer_used_holds_no_file_and_leaves_none(tmp_path: Path) -> None:
    index = write_index(tmp_path / "index", seed=1)
    engine = Engine.load(index)
    for seed in range(2, 5):
        for ask in QUESTIONS.values():
            ask(engine)
        write_index(index, seed=seed)
        assert engine.reload()
    assert open_builds(index) <= {engine.build}
    del engine
    assert open_builds(index) == set()
    assert len(list(index.glob("build-*"))) == 2


def test_reload_switches_to_the_live_build_and_says_whether_it_did(tmp_path: Path) -> None:
    index = write_index(tmp_path / "index", seed=1)
    engine = Engine.load(index)
    assert engine.is_current
    assert not engine.reload()
    before, old = copy.copy(engine), repr(engine.recommend(KNOWN, 5))
    write_index(index, seed=2)
    assert not engine.is_current
    assert engine.reload()
    assert engine.is_current
    assert repr(engine.recommend(KNOWN, 5)) == repr(Engine.load(index).recommend(KNOWN, 5)) != old
    assert repr(before.recommend(KNOWN, 5, where="true")) == repr(before.recommend(KNOWN, 5)) == old
    assert (before.build != engine.build, before.is_current) == (True, False)


def test_reload_finds_the_index_after_the_working_directory_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_index(Path("index"), seed=1)
    engine = Engine.load("index")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert engine.is_current
    write_index(tmp_path / "index", seed=2)
    assert engine.reload()


def test_a_build_that_cannot_be_opened_leaves_the_engine_as_it_was(tmp_path: Path) -> None:
    index = write_index(tmp_path / "index", seed=1)
    engine = Engine.load(index)
    build, old = engine.build, repr(engine.recommend(KNOWN, 5))
    (index / CURRENT).write_text("build-20990101T000000-abcdef " + "0" * 64 + "\n")
    with pytest.raises(ArtifactError, match="is missing"):
        engine.reload()
    shutil.rmtree(index)
    with pytest.raises(ArtifactError, match="There is no index"):
        engine.reload()
    assert (engine.build, repr(engine.recommend(KNOWN, 5))) == (build, old)
    write_index(index, seed=2)
    with pytest.raises(ArtifactError, match="not the expected one"):
        engine.reload(expect="0" * 64)
    assert engine.reload(expect=Engine.load(index).info()["digest"])


def test_every_method_of_an_engine_reads_the_opened_build_once() -> None:
    """Between two readings, another thread could reload, and the answer would mix two builds."""
    tree = ast.parse(Path(recommender.__file__).read_text(encoding="utf-8"))
    [engine] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Engine"]
    readings = {
        method.name: sum(
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
            for node in ast.walk(method)
        )
        for method in engine.body
        if isinstance(method, ast.FunctionDef)
    }
    assert len(readings) > 15
    assert {name: number for name, number in readings.items() if number > 1} == {}


def test_no_answer_mixes_two_builds_while_other_threads_reload(tmp_path: Path) -> None:
    """Each build has its own films, so that an answer that mixes two builds is seen at once."""
    builds = [write_index(tmp_path / f"build{seed}", seed=seed) for seed in (1, 2)]
    asks = [QUESTIONS[name] for name in ("recommend", "popular", "group", "columns", "movie", "where")]
    expected = [{repr(ask(Engine.load(build))) for build in builds} for ask in asks]
    index = write_index(tmp_path / "index", seed=1)
    engine, done, wrong = Engine.load(index), threading.Event(), []

    def ask_on() -> None:
        while not done.is_set():
            for ask, allowed in zip(asks, expected, strict=True):
                found = repr(ask(engine))
                if found not in allowed:
                    wrong.append(found)

    def reload_on() -> None:
        while not done.is_set():
            engine.reload()

    threads = [threading.Thread(target=target) for target in (ask_on, ask_on, reload_on, reload_on)]
    for thread in threads:
        thread.start()
    for seed in (2, 1):
        write_index(index, seed=seed)
    done.set()
    for thread in threads:
        thread.join()
    engine.reload()
    assert wrong == []
    assert engine.is_current
