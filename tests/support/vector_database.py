"""A vector database for tests: the embedded one in a folder that is thrown away, and the same as a server."""

import atexit
import itertools
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexes.database import Column
from indexes.milvus_index import MilvusIndex

_NUMBERS = itertools.count()


def needs_milvus() -> None:
    pytest.importorskip("pymilvus", reason="needs the extra [milvus]")
    pytest.importorskip("milvus_lite", reason="needs the extra [milvus]")


@cache
def shared_database() -> str:
    """The path of one embedded database for all tests of this process."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return f"{folder}/shared.db"


def build_milvus(
    vectors: NDArray[np.float32], columns: Mapping[str, Column] | None = None, uri: str | None = None
) -> MilvusIndex:
    needs_milvus()
    name = f"movies_{next(_NUMBERS)}"
    return MilvusIndex.build(
        vectors, columns or {}, uri=uri or shared_database(), collection=name, folder=Path()
    )


@contextmanager
def running_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs the embedded database as a server of its own process; gives its address and the process."""
    needs_milvus()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()
