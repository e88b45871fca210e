"""Traces of requests reach a receiver, and hold no token."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from made_index import reviewer_id, write_index

from engine.service.app import make_app
from engine.service.server import traced
from engine.service.settings import ServiceSettings

TOKEN = "a-token-of-sixteen-letters"


class Receiver(BaseHTTPRequestHandler):
    received: list[bytes] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_request_is_traced_without_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="the extra [tracing] is not installed")
    write_index(tmp_path / "index", num_reviewers=20)
    (tmp_path / "tokens").write_text(TOKEN)
    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.server_port}")
    settings = ServiceSettings(
        indexes={"default": str(tmp_path / "index")}, token_file=str(tmp_path / "tokens"), access_log=False
    )
    app = traced(make_app(settings))
    with TestClient(app) as client:
        path = f"/v1/recommend/reviewer/{reviewer_id(7)}"
        assert client.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        client.get("/healthz")
    [middleware] = [one for one in app.user_middleware if "tracer_provider" in one.kwargs]
    middleware.kwargs["tracer_provider"].shutdown()
    receiver.shutdown()
    receiver.server_close()
    sent = b"".join(Receiver.received)
    assert b"GET /v1/recommend/reviewer" in sent
    assert b"movie-engine" in sent
    assert b"healthz" not in sent
    assert TOKEN.encode() not in sent


def test_without_a_receiver_nothing_is_traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    write_index(tmp_path / "index", num_reviewers=20)
    app = make_app(ServiceSettings(indexes={"default": str(tmp_path / "index")}, access_log=False))
    before = len(app.user_middleware)
    assert len(traced(app).user_middleware) == before
