from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import duckdb

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real data sets, which are not part of the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real data sets are not at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty work database."""
    from pipelines.work.database import open_database

    opened = open_database(tmp_path / "work.duckdb", memory_limit="1GB", threads=2)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the bundled sample, trained for a moment; nobody changes it."""
    from engine.config.sections import load_config
    from pipelines import build_index
    from pipelines.synthetic.sample import sample_files

    files = sample_files()
    directory = tmp_path_factory.mktemp("sample") / "movie-index"
    quick = ("relevance.max_epochs=6", "rating.max_epochs=3", "report.baselines_up_to=0")
    build_index(
        (files.reviews,), output=directory, metadata=(files.metadata,), config=load_config(assignments=quick)
    )
    return directory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for the sample's index waits for a network to be trained."""
    for item in items:
        if "sample_index" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
