"""Fixtures that many tests share: the real data, a work database, and one index of the sample."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if "PYTEST_XDIST_WORKER" in os.environ:
    # Two processes share two cores: threads of NumPy and TensorFlow that wait for work would spin and fight.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(name, "1")

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import duckdb

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SLOW_FIRST = (
    *("test_notebooks.py", "test_on_ray.py", "test_build.py", "test_resuming.py", "test_bad_input.py"),
    *("test_recommend_all.py", "test_values.py", "test_evaluate.py", "test_endings.py", "test_lines.py"),
    *("test_columns.py", "test_row_optimizer.py", "test_hostile_catalogue.py", "test_dirt.py"),
    *("test_databases.py", "test_tune.py", "test_readme.py", "test_browser.py"),
)
"""Files that take longest, the longest first: no process waits for another one at the end."""

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Gives the real data sets, which are not part of the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real data sets are not at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens an empty work database."""
    from pipelines.work.database import open_database

    opened = open_database(tmp_path / "work.duckdb", memory_limit="1GB", threads=2)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def sample_index(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Builds an index of the sample, trained for a moment, once for all processes; no test changes it."""
    base = tmp_path_factory.getbasetemp()
    directory = (base if worker_id == "master" else base.parent) / "sample" / "movie-index"
    directory.parent.mkdir(exist_ok=True)
    with FileLock(f"{directory}.lock"):
        if not (directory / "CURRENT").exists():
            _build_sample(directory)
    return directory


def _build_sample(directory: Path) -> None:
    from engine.config import load_config
    from pipelines import build_index
    from pipelines.synthetic.sample import sample_files

    files = sample_files()
    quick = ("relevance.max_rounds=6", "rating.max_rounds=3", "relevance.num_members=1")
    quick += ("split.max_holdouts=1", "report.baselines_up_to=0")
    config = load_config(assignments=quick)
    build_index((files.reviews,), output=directory, metadata=(files.metadata,), config=config)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Starts an S3 server on this machine, and gives the URL of a bucket."""
    moto_server = pytest.importorskip("moto.server", reason="needs the extra `test`")
    s3fs = pytest.importorskip("s3fs", reason="needs the extra `remote`")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # The buckets of all servers of a process are the same.
    name = f"shop-{secrets.token_hex(8)}"
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(variable, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)
        yield f"s3://{name}"
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Writes out lone surrogates, such as in names of files, which no process can send to another one."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode("utf-8")) for name, text in report.sections
    ]
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that wait for the sample's index as slow, and starts the slowest files first."""
    for item in items:
        if "sample_index" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
    places = {name: place for place, name in enumerate(SLOW_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
