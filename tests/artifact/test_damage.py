"""Damage to any file of an index never ends in a traceback, a signal or a wait, at any size of the index."""

import importlib.util
from pathlib import Path
from types import ModuleType

import made_index
import pytest

from pipelines.updating.reindex import rebuild_index

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "damaged_indexes.py"
TRIES = 30


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("damaged_indexes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["flat", "ivf-sq8"])
def test_damaged_indexes_are_refused_or_answer(benchmark: ModuleType, tmp_path: Path, kind: str) -> None:
    index = made_index.write_index(tmp_path / "index", 40)
    if kind != "flat":
        rebuild_index(index, kind=kind, recall=0.3)
    found = benchmark.try_damages(index, TRIES, seed=3)
    assert len(found) == TRIES
    assert not [one for one in found if one.outcome in ("traceback", "signal", "too slow")]
    with_checksums = [one for one in found if one.regime == "checksums"]
    assert {one.outcome for one in with_checksums} <= {"refused", "same answers"}
    assert sum(one.outcome == "refused" for one in found) > TRIES / 2
