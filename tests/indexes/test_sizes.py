"""A vector index whose sizes are damaged is refused before FAISS reads the sizes."""

from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from random_vectors import make_vectors

from indexes.base import VectorIndexError
from indexes.faiss_index import FaissIndex, FlatIndex, InvertedFileIndex

KINDS = ("flat", "full", "fp16", "sq8")


@pytest.fixture(scope="module", params=KINDS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    vectors = make_vectors(400, dim=9)
    path = tmp_path_factory.mktemp("written") / f"{request.param}.faiss"
    if request.param == "flat":
        FlatIndex.build(vectors).save(path)
    else:
        InvertedFileIndex.build(vectors, num_lists=8, codes=request.param).save(path)
    return path


def test_what_was_written_is_read(written: Path) -> None:
    assert (FaissIndex.load(written).num_vectors, FaissIndex.load(written).dim) == (400, 9)


def test_any_word_may_be_damaged(written: Path, tmp_path: Path) -> None:
    content = written.read_bytes()
    queries = make_vectors(3, dim=9, seed=1)
    path = tmp_path / "damaged.faiss"
    refused = 0
    numbers = cycle([0, 1, 2**31 - 1, 2**40, 2**63 - 1, 2**64 - 1, 3])
    for place, number in zip([*range(160), *range(160, 1000, 11)], numbers, strict=False):
        damaged = bytearray(content)
        damaged[place : place + 8] = number.to_bytes(8, "little")
        path.write_bytes(damaged)
        try:
            rows = FaissIndex.load(path).search(queries, 5).rows
            assert rows.min() >= 0
            assert rows.max() < 400
        except VectorIndexError:
            refused += 1
    assert refused > 20


def test_a_file_that_is_cut_or_longer_is_refused(written: Path, tmp_path: Path) -> None:
    content = written.read_bytes()
    path = tmp_path / "damaged.faiss"
    for length in [*range(0, 200, 3), *np.linspace(200, len(content) - 1, 50).astype(int).tolist()]:
        path.write_bytes(content[:length])
        with pytest.raises(VectorIndexError):
            FaissIndex.load(path)
    path.write_bytes(content + b"0")
    with pytest.raises(VectorIndexError):
        FaissIndex.load(path)
