"""Builds, updates and rollbacks under load: no failed request, no mixed answer, no file held or left."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import orjson
import pytest
from fastapi.testclient import TestClient
from held_files import open_builds
from made_index import movie_id, reviewer_id, write_index

from engine import Engine, responses
from engine.artifact.builds import live_build, roll_back
from engine.service.app import make_app
from engine.service.settings import ServiceSettings
from pipelines import add_reviews

REVIEWERS = [reviewer_id(row) for row in range(5, 12)]
MOVIE = movie_id(11)


def answer(engine: Engine, path: str) -> bytes:
    """Gives what a build answers in Python."""
    if "similar" in path:
        found = responses.similar_movies(MOVIE, engine.title(MOVIE), engine.similar(MOVIE))
    elif "nobody" in path:
        found = responses.list_of_reviewer("nobody", 10, engine.recommend("nobody", fallback="popular"))
    else:
        one, _, condition = path.rpartition("/")[2].partition("?where=")
        found = responses.list_of_reviewer(one, 10, engine.recommend(one, where=condition or None))
    return orjson.dumps(found, default=str, option=orjson.OPT_SERIALIZE_NUMPY)


PATHS = [
    *(f"/v1/recommend/reviewer/{one}" for one in REVIEWERS),
    *(f"/v1/recommend/reviewer/{one}?where=price<20" for one in REVIEWERS),
    f"/v1/similar/movie/{MOVIE}",
    "/v1/recommend/reviewer/nobody?fallback=popular",
]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_refreshes_under_load_lose_no_request_mix_no_builds_and_leave_nothing(tmp_path: Path) -> None:
    index, copies = tmp_path / "index", tmp_path / "copies"
    copies.mkdir()
    seen: dict[tuple[str, str], set[bytes]] = {}
    failed, done = [], threading.Event()

    def copy_builds() -> None:
        for build in index.glob("build-*"):
            if not (copies / build.name).exists():
                shutil.copytree(build, copies / build.name, copy_function=os.link)

    def ask_on(client: TestClient) -> None:
        while not done.is_set():
            for path in PATHS:
                found = client.get(path)
                if found.status_code != 200:
                    failed.append(found.text)
                seen.setdefault((path, found.headers["X-Index-Build"]), set()).add(found.content)

    def wait_for_live(client: TestClient) -> None:
        until = time.monotonic() + 60
        while client.get(PATHS[0]).headers["X-Index-Build"] != live_build(index):
            assert time.monotonic() < until
            time.sleep(0.05)

    write_index(index, seed=1)
    copy_builds()
    settings = ServiceSettings(indexes={"default": str(index)}, access_log=False, refresh=0.05)
    with TestClient(make_app(settings)) as client:
        threads = [threading.Thread(target=ask_on, args=(client,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for seed in (2, 3):
                write_index(index, seed=seed)
                copy_builds()
                wait_for_live(client)
                (tmp_path / "new.csv").write_text(
                    f"user_id,item_id,rating,timestamp\n{REVIEWERS[0]},{movie_id(300 + seed)},5,1600000000\n"
                    f"N{seed},{MOVIE},4,1600000001\n"
                )
                assert add_reviews([tmp_path / "new.csv"], index=index).update["added"] >= 1
                copy_builds()
                wait_for_live(client)
            roll_back(index)
            wait_for_live(client)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        until = time.monotonic() + 30
        while open_builds(index) != {live_build(index)} and time.monotonic() < until:
            time.sleep(0.05)
        assert open_builds(index) == {live_build(index)}
    assert failed == []
    assert len({build for _, build in seen}) >= 4
    engines = {build: Engine.load(copies / build) for build in {build for _, build in seen}}
    wrong = [key for key, found in seen.items() if found != {answer(engines[key[1]], key[0])}]
    assert wrong == []
    names = {path.name for path in index.iterdir() if not path.name.startswith("build-")}
    assert names == {"CURRENT", ".lock", ".live-lock"}
    assert len(list(index.glob("build-*"))) == 2


def test_a_build_that_cannot_be_opened_is_logged_once_and_not_every_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = write_index(tmp_path / "index", num_reviewers=20)
    settings = ServiceSettings(indexes={"default": str(index)}, access_log=False, refresh=0.01)
    with caplog.at_level(logging.WARNING), TestClient(make_app(settings)) as client:
        index.rename(tmp_path / "moved")
        path = f"/v1/recommend/reviewer/{reviewer_id(3)}?where=price<25"
        for _ in range(10):
            assert client.get(path).status_code == 200
            time.sleep(0.02)
    assert len([record for record in caplog.records if "stays at" in record.getMessage()]) == 1
