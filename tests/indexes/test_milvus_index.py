"""What only an index in a vector database has: filters, many results, a server, and errors in words."""

import sys
from pathlib import Path

import numpy as np
import pytest
from random_vectors import make_clusters, make_vectors
from vector_database import build_milvus, needs_milvus, running_server, shared_database

from indexes import milvus_index
from indexes.base import VectorDatabaseError, VectorIndexError
from indexes.conditions import ColumnTest
from indexes.database import Column, Database, is_uri
from indexes.exact import ExactIndex
from indexes.faiss_index import FlatIndex
from indexes.milvus_index import MilvusIndex
from indexes.recall import recall

NUM_MOVIES = 18_203
"""A tenth of the movies of the full set."""


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Vectors in clusters of very different lengths, as those of movies."""
    generator = np.random.default_rng(1)
    centres = 2 * generator.normal(size=(300, 32))
    vectors = centres[generator.integers(0, 300, NUM_MOVIES)] + generator.normal(size=(NUM_MOVIES, 32)) / 2
    popularity = generator.exponential(1.5, NUM_MOVIES)
    return np.column_stack([vectors, popularity]).astype(np.float32)


def test_a_tenth_of_the_full_catalogue_is_found_with_and_without_a_filter(vectors: np.ndarray) -> None:
    thousandths = np.arange(NUM_MOVIES) * 7919 % 1000
    index = build_milvus(vectors, {"part": Column("whole", thousandths.tolist())})
    queries = np.column_stack([vectors[::600, :-1], np.ones(len(vectors[::600]))]).astype(np.float32)
    assert recall(index, ExactIndex(vectors), queries, 200) >= 0.99
    for most in (500, 30, 3):  # A half, 3% and 0.3% of the movies.
        condition = ColumnTest("part", "<", (most,))
        rows = np.flatnonzero(thousandths < most)
        assert index.count(condition) == len(rows)
        found = index.search_where(queries, 200, condition)
        exact = ExactIndex(vectors[rows]).search(queries, 200)
        width = exact.rows.shape[1]
        shared = [
            np.isin(one, rows[other]).mean()
            for one, other in zip(found.rows[:, :width], exact.rows, strict=True)
        ]
        assert np.mean(shared) >= 0.99
        assert (found.rows[:, width:] == -1).all()
    (every,) = index.search(queries[:1], NUM_MOVIES).rows  # More than a server gives at once.
    assert np.sort(every).tolist() == list(range(NUM_MOVIES))


def test_more_results_than_a_server_gives_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, queries = make_clusters(500), make_vectors(3, seed=1)
    index = build_milvus(vectors, {"part": Column("whole", [row % 5 for row in range(500)])})
    monkeypatch.setattr(milvus_index, "MOST_RESULTS", 70)
    exact = ExactIndex(vectors).search(queries, 300)
    found = index.search(queries, 300)
    np.testing.assert_array_equal(found.rows, exact.rows)
    np.testing.assert_allclose(found.scores, exact.scores, rtol=1e-5)
    some = index.search_where(queries, 300, ColumnTest("part", "=", (2,)))
    expected = ExactIndex(vectors[2::5]).search(queries, 100)
    np.testing.assert_array_equal(some.rows[:, :100], 2 + 5 * expected.rows)
    assert (some.rows[:, 100:] == -1).all()


def test_a_server_answers_as_the_embedded_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILVUS_TOKEN", "a-secret")
    vectors, queries = make_vectors(300), make_vectors(4, seed=1)
    with running_server(tmp_path / "server") as (uri, process):
        index = build_milvus(vectors, {"year": Column("whole", [1990 + row % 9 for row in range(300)])}, uri)
        index.save(tmp_path / "address.json")
        assert (tmp_path / "address.json").stat().st_size < 500
        assert "a-secret" not in (tmp_path / "address.json").read_text()
        assert Database(uri)._client._config.token == "a-secret"
        assert Database(shared_database())._client._config.token == ""
        loaded = MilvusIndex.load(tmp_path / "address.json")
        np.testing.assert_array_equal(
            loaded.search(queries, 20).rows, FlatIndex.build(vectors).search(queries, 20).rows
        )
        assert loaded.count(ColumnTest("year", "in", (1990, 1991))) == 68
        process.kill()
        process.wait()
        with pytest.raises(VectorDatabaseError, match=f"at {uri} cannot be used") as caught:
            loaded.search(queries, 20)
        assert "\n" not in str(caught.value)
    with pytest.raises(VectorDatabaseError, match="cannot be used"):
        MilvusIndex.load(tmp_path / "address.json").search(queries, 20)


def test_an_index_without_columns_refuses_conditions() -> None:
    for index in (ExactIndex(make_vectors(9)), FlatIndex.build(make_vectors(9))):
        with pytest.raises(VectorIndexError, match="no columns"):
            index.search_where(make_vectors(1), 3, ColumnTest("year", "=", (1990,)))
        with pytest.raises(VectorIndexError, match="no columns"):
            index.count(ColumnTest("year", "=", (1990,)))


def test_a_collection_of_another_size_or_none_is_refused(tmp_path: Path) -> None:
    needs_milvus()
    index = build_milvus(make_vectors(50))
    for change, sentence in (
        ({"num_vectors": 60}, "50 vectors in place of 60"),
        ({"collection": "x"}, "no coll"),
    ):
        other = MilvusIndex(index.address._replace(**change), Path())
        with pytest.raises(VectorDatabaseError, match=sentence):
            other.search(make_vectors(1), 3)
    with pytest.raises(VectorDatabaseError, match="There is no vector database at"):
        Database(str(tmp_path / "absent.db"))
    assert not (tmp_path / "absent.db").exists()


@pytest.mark.parametrize("uri", ["", "host:19530", "http://user:secret@host", "ftp://host", "http://", "v"])
def test_what_is_no_address_or_holds_a_password_is_none(uri: str) -> None:
    assert not is_uri(uri)
    assert all(map(is_uri, ("http://host:19530", "https://host/database", "vectors.db", "/data/vectors.db")))


@pytest.mark.parametrize("package", ["pymilvus", "milvus_lite"])
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(VectorDatabaseError, match=r"pip install 'movie-engine\[milvus\]'"):
        Database("http://127.0.0.1:1")
