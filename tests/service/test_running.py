"""The service while it runs: many questions at once, a new build, tokens, rates, worker processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2 as httpx
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from made_index import reviewer_id, write_index

from engine.cli.main import main
from engine.errors import ConfigError
from engine.recommender import Engine
from engine.service.access import Access
from engine.service.app import make_app
from engine.service.live.engine_thread import BusyError, EngineThread
from engine.service.settings import ServiceSettings, named_indexes

TOKEN = "a-token-of-sixteen-letters"
LIST = f"/v1/recommend/reviewer/{reviewer_id(7)}"


def settings_of(index: Path, **more: object) -> ServiceSettings:
    return ServiceSettings(indexes={"default": str(index)}, access_log=False, **more)  # type: ignore[arg-type]


def test_questions_beyond_the_queue_are_refused_and_the_others_answered() -> None:
    begin = threading.Event()

    async def ask() -> list[object]:
        thread = EngineThread(max_waiting=3, timeout=10)
        asked = [asyncio.create_task(thread.ask(begin.wait)) for _ in range(5)]
        await asyncio.sleep(0.05)
        begin.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert await thread.ask(lambda: 7) == 7
        thread.close()
        return list(found)

    found = asyncio.run(ask())
    assert found[:3] == [True, True, True]
    assert all(isinstance(error, BusyError) for error in found[3:])


def test_a_question_that_waits_too_long_is_dropped() -> None:
    begin, ran = threading.Event(), []

    async def ask() -> None:
        thread = EngineThread(max_waiting=3, timeout=0.05)
        first = asyncio.create_task(thread.ask(begin.wait))
        second = asyncio.create_task(thread.ask(lambda: ran.append(1)))
        for task in (first, second):
            with pytest.raises(TimeoutError):
                await task
        begin.set()
        thread.close()
        await asyncio.sleep(0.05)  # Answers are collected for some milliseconds.
        assert thread.num_waiting <= 1

    asyncio.run(ask())
    assert ran == []


def test_a_new_build_answers_and_the_build_before_ends_its_answers(tmp_path: Path) -> None:
    write_index(tmp_path / "index", seed=1)
    with TestClient(make_app(settings_of(tmp_path / "index", refresh=0.05))) as client:
        before = client.get(LIST)
        old = Engine.load(tmp_path / "index")
        write_index(tmp_path / "index", seed=2)
        assert not old.is_current
        until = time.monotonic() + 20
        while (after := client.get(LIST)).headers["X-Index-Build"] == before.headers["X-Index-Build"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        expected = Engine.load(tmp_path / "index").recommend(reviewer_id(7), 10)
        assert [m["movie_id"] for m in after.json()["recommendations"]] == [m.movie_id for m in expected]
        assert 'engine_refreshes_total{index="default",outcome="done"}' in client.get("/metrics").text


def test_a_damaged_new_build_leaves_the_build_before_in_place(tmp_path: Path) -> None:
    write_index(tmp_path / "index", seed=1)
    with TestClient(make_app(settings_of(tmp_path / "index", refresh=0.02))) as client:
        before = client.get(LIST).json()
        (tmp_path / "index" / "CURRENT").write_text("build-20990101T000000-abcdef " + "0" * 64 + "\n")
        time.sleep(0.3)
        assert client.get(LIST).json() == before
        assert client.get("/readyz").status_code == 200


def test_tokens_are_asked_for_and_can_be_withdrawn(tmp_path: Path) -> None:
    write_index(tmp_path / "index")
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# the shop\n{TOKEN}\n")
    with TestClient(make_app(settings_of(tmp_path / "index", token_file=str(tokens)))) as client:
        refused = client.get(LIST)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert client.get(LIST, headers={"Authorization": "Bearer wrong-token-of-letters"}).status_code == 401
        assert client.get(LIST, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics").status_code == 401
        tokens.write_text("another-token-of-letters\n")
        assert client.get(LIST, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401
        tokens.write_text("")
        assert client.get(LIST, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401


@pytest.mark.parametrize("content", ["", "# nothing\n", "short\n"])
def test_a_file_of_no_good_tokens_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens").write_text(content)
    with pytest.raises(ConfigError, match="16 characters or more"):
        Access(tmp_path / "tokens", None)


def test_a_token_asks_only_so_often(tmp_path: Path) -> None:
    write_index(tmp_path / "index")
    with TestClient(make_app(settings_of(tmp_path / "index", rate=3.0))) as client:
        statuses = [client.get(LIST).status_code for _ in range(6)]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses


def test_only_named_origins_may_ask_from_a_browser(tmp_path: Path) -> None:
    write_index(tmp_path / "index")
    origin = {"Origin": "https://shop.example"}
    with TestClient(make_app(settings_of(tmp_path / "index"))) as client:
        assert "access-control-allow-origin" not in client.get(LIST, headers=origin).headers
    settings = settings_of(tmp_path / "index", origins=("https://shop.example",))
    with TestClient(make_app(settings)) as client:
        found = client.get(LIST, headers=origin).headers
        assert found["access-control-allow-origin"] == "https://shop.example"
        refused = client.get("/v1/recommend/reviewer/nobody", headers=origin)
        assert refused.status_code == 404
        assert refused.headers["access-control-allow-origin"] == "https://shop.example"
    (tmp_path / "tokens").write_text(TOKEN)
    settings = settings_of(
        tmp_path / "index", origins=("https://shop.example",), token_file=str(tmp_path / "tokens")
    )
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "Authorization"}
    with TestClient(make_app(settings)) as client:
        allowed = client.options(LIST, headers=origin | asked)
        assert allowed.status_code == 200
        assert "Authorization" in allowed.headers["access-control-allow-headers"]
        assert client.options(LIST, headers=origin).status_code == 401
        assert client.get(LIST, headers=origin).status_code == 401


def test_an_answer_does_not_wait_for_the_next_question() -> None:
    go_on = threading.Event()

    async def ask() -> None:
        thread = EngineThread(max_waiting=10, timeout=10)
        quick = [asyncio.create_task(thread.ask(lambda: time.sleep(0.0005))) for _ in range(3)]
        slow = asyncio.create_task(thread.ask(lambda: go_on.wait(5)))
        try:
            await asyncio.wait_for(asyncio.gather(*quick), 1)
        finally:
            go_on.set()
        assert await slow
        thread.close()

    asyncio.run(ask())


def test_no_token_reaches_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_index(tmp_path / "index")
    (tmp_path / "tokens").write_text(TOKEN)
    settings = ServiceSettings(
        indexes={"default": str(tmp_path / "index")}, token_file=str(tmp_path / "tokens")
    )
    with TestClient(make_app(settings)) as client:
        client.get(LIST, headers={"Authorization": f"Bearer {TOKEN}", "X-Request-Id": "from the shop"})
    captured = capsys.readouterr()
    assert TOKEN not in captured.out + captured.err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["--host", "0.0.0.0"], "--token-file"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--port", "70000"], "--port must be between"),
        (["--index", "a=x", "--index", "a=y"], "Two indexes are named 'a'"),
        (["--token-file", "absent"], "Cannot read the tokens"),
        (["--index", "absent"], "There is no index at"),
    ],
)
def test_a_service_that_makes_no_sense_does_not_start(command: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["serve", *command])
    assert result.exit_code == 1
    assert words in result.stderr


def test_names_of_indexes_are_told_from_paths(tmp_path: Path) -> None:
    assert list(named_indexes(("films=a", "books=b"))) == ["default", "films", "books"]
    assert named_indexes(("./a=b",))["default"].endswith("a=b")


def test_the_command_serves_with_two_processes_until_it_is_told_to_end(tmp_path: Path) -> None:
    write_index(tmp_path / "index")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "engine.cli", "serve", "--port", str(port), "--workers", "2"]
    environment = {**os.environ, "ENGINE_INDEX": str(tmp_path / "index")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        base = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(base + LIST).status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < until
                time.sleep(0.05)
        for _ in range(20):
            assert len(httpx.get(base + LIST).json()["recommendations"]) == 10
        assert "engine_requests_total" in httpx.get(base + "/metrics").text
        process.send_signal(signal.SIGTERM)
        logged, _ = process.communicate(timeout=30)
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {line["status"] for line in lines} == {200}
    assert all(line["request_id"] for line in lines)
