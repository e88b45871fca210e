"""A service that answers at a free port, in a thread of this process, for as long as a test needs it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from engine.service.app import make_app
from engine.service.settings import ServiceSettings


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def served(index: Path, **settings: Any) -> Iterator[str]:
    """Serves an index, and gives the address of the service."""
    port = free_port()
    app = make_app(ServiceSettings(indexes={"default": str(index)}, access_log=False, **settings))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", http="httptools"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
