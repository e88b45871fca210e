from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from random_vectors import codes_of, make_vectors
from vector_database import build_milvus

from indexes.base import VectorIndex, VectorIndexError
from indexes.exact import ExactIndex
from indexes.faiss_index import FaissIndex, FlatIndex, InvertedFileIndex
from indexes.strongest import StrongestIndex, strongest_rows

Build = Callable[[NDArray[np.float32]], VectorIndex]
BUILDERS: dict[str, Build] = {
    "exact": ExactIndex,
    "strongest": StrongestIndex,
    "flat": FlatIndex.build,
    "ivf": lambda vectors: InvertedFileIndex.build(vectors, num_lists=4, num_probes=1),
    "ivf-fp16": lambda vectors: InvertedFileIndex.build(vectors, num_lists=4, num_probes=1, codes="fp16"),
    "ivf-sq8": lambda vectors: InvertedFileIndex.build(vectors, num_lists=4, num_probes=1, codes="sq8"),
    "milvus": build_milvus,
}
ROUNDING = {"full": 1e-5, "fp16": 1e-2, "sq8": 0.2}
"""How far a score may be from the inner product; those of the vectors here have a standard deviation of 3."""


@pytest.fixture(params=BUILDERS)
def build(request: pytest.FixtureRequest) -> Build:
    return BUILDERS[request.param]


def test_results_are_complete_sorted_and_unique(build: Build) -> None:
    index = build(make_vectors(200))
    assert (index.num_vectors, index.dim, index.is_exact) == (
        200,
        8,
        not isinstance(index, InvertedFileIndex),
    )
    for k in (1, 7, 60, 200, 500):
        scores, rows = index.search(make_vectors(30, seed=1), k)
        assert scores.shape == rows.shape == (30, min(k, 200))
        assert (scores.dtype, rows.dtype) == (np.float32, np.int64)
        assert (np.diff(scores, axis=1) <= 0).all()
        assert rows.min() >= 0
        assert rows.max() < 200
        assert all(len(set(row)) == len(row) for row in rows.tolist())


def test_scores_are_inner_products(build: Build) -> None:
    vectors, queries = make_vectors(200), make_vectors(5, seed=1)
    index = build(vectors)
    scores, rows = index.search(queries, 10)
    expected = np.einsum("qd,qkd->qk", queries, vectors[rows])
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=ROUNDING[codes_of(index)])


def test_the_batch_and_single_queries_agree(build: Build) -> None:
    index, queries = build(make_vectors(200)), make_vectors(20, seed=1)
    together = index.search(queries, 5).rows
    assert together.tolist() == [index.search(query[None], 5).rows[0].tolist() for query in queries]


def test_asking_for_all_gives_what_exact_search_gives(build: Build) -> None:
    vectors, queries = make_vectors(200), make_vectors(3, seed=1)
    index = build(vectors)
    found, exact = index.search(queries, 200).rows, ExactIndex(vectors).search(queries, 200).rows
    assert np.sort(found).tolist() == np.sort(exact).tolist()
    if codes_of(index) == "full":
        assert np.array_equal(found, exact)


def test_equal_scores_stand_in_the_order_of_their_rows(build: Build) -> None:
    vectors = np.ones((200, 4), dtype=np.float32)
    rows = build(vectors).search(np.ones((1, 4), dtype=np.float32), 200).rows
    assert rows.tolist() == [list(range(200))]


def test_what_is_saved_is_loaded(build: Build, tmp_path: Path) -> None:
    index, queries = build(make_vectors(300)), make_vectors(9, seed=1)
    index.save(tmp_path / "saved.index")
    loaded = type(index).load(tmp_path / "saved.index")
    assert type(loaded) is type(index)
    for before, after in zip(index.search(queries, 12), loaded.search(queries, 12), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("dim", [1, 7, 9])
def test_vectors_may_have_any_length(build: Build, dim: int, tmp_path: Path) -> None:
    vectors, queries = make_vectors(300, dim), make_vectors(6, dim, seed=1)
    build(vectors).save(tmp_path / "saved.index")
    index = type(build(vectors)).load(tmp_path / "saved.index")
    assert (index.num_vectors, index.dim) == (300, dim)
    for k in (1, 300):  # All of them are more than the lists looked into hold.
        scores, rows = index.search(queries, k)
        expected = np.einsum("qd,qkd->qk", queries, vectors[rows])
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=ROUNDING[codes_of(index)])
    with pytest.raises(VectorIndexError, match=f"8 numbers each but the index has {dim}"):
        index.search(np.ones((1, 8)), 1)
    if isinstance(index, InvertedFileIndex):
        assert 0 < index.share_compared(queries) < 1
        assert index.widen()
        assert index.num_probes == 2


def test_no_queries_give_no_results(build: Build) -> None:
    scores, rows = build(make_vectors(200)).search(np.zeros((0, 8), dtype=np.float32), 3)
    assert scores.shape == rows.shape == (0, 3)


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (np.ones((1, 7)), 1, "7 numbers each but the index has 8"),
        (np.ones(8), 1, "shape"),
        (np.full((1, 8), np.nan), 1, "NaN or infinity"),
        (np.ones((1, 8)), 0, "k must be at least 1 but is 0"),
    ],
)
def test_bad_queries_are_refused_in_words(build: Build, queries: object, k: int, message: str) -> None:
    with pytest.raises(VectorIndexError, match=message):
        build(make_vectors(200)).search(queries, k)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "vectors", [np.zeros((0, 8)), np.zeros((3, 0)), np.zeros(8), np.full((200, 8), np.inf)]
)
def test_bad_vectors_are_refused_in_words(build: Build, vectors: NDArray[np.float32]) -> None:
    with pytest.raises(VectorIndexError):
        build(vectors)


@pytest.mark.parametrize("left", [0, 3, 40, 200, 0.5, 0.99])
def test_a_damaged_file_is_refused_in_words(build: Build, tmp_path: Path, left: float) -> None:
    index, path = build(make_vectors(300)), tmp_path / "saved.index"
    index.save(path)
    content = path.read_bytes()
    cut = int(left * len(content)) if isinstance(left, float) else left
    path.write_bytes(content[: min(cut, len(content) - 2)])
    with pytest.raises(VectorIndexError, match=r"saved\.index") as caught:
        type(index).load(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_refused(build: Build, tmp_path: Path) -> None:
    index, path = build(make_vectors(300)), tmp_path / "saved.index"
    with pytest.raises(VectorIndexError):
        type(index).load(path)
    (ExactIndex if isinstance(index, FaissIndex) else FlatIndex.build)(make_vectors(9)).save(path)
    with pytest.raises(VectorIndexError):
        type(index).load(path)
    with pytest.raises(VectorIndexError):
        index.save(tmp_path / "absent" / "saved.index")


coordinates = st.integers(-8, 8).map(float)


@given(st.data(), st.integers(1, 40), st.integers(1, 5), st.integers(1, 45))
def test_flat_search_equals_exact_search(data: st.DataObject, number: int, dim: int, k: int) -> None:
    vectors = data.draw(arrays(np.float32, (number, dim), elements=coordinates))
    queries = data.draw(arrays(np.float32, (3, dim), elements=coordinates))
    flat = FlatIndex.build(vectors).search(queries, k)
    exact = ExactIndex(vectors).search(queries, k)
    np.testing.assert_array_equal(flat.scores, exact.scores)
    np.testing.assert_array_equal(np.einsum("qd,qkd->qk", queries, vectors[flat.rows]), exact.scores)
    assert all(len(set(row)) == len(row) for row in flat.rows.tolist())


@given(st.data(), st.integers(1, 40), st.integers(1, 45))
def test_exact_search_equals_sorting(data: st.DataObject, number: int, k: int) -> None:
    vectors = data.draw(arrays(np.float32, (number, 2), elements=coordinates))
    query = data.draw(arrays(np.float32, 2, elements=coordinates))
    expected = sorted(range(number), key=lambda row: (-float(vectors[row] @ query), row))[:k]
    assert ExactIndex(vectors).search(query[None], k).rows.tolist() == [expected]


def test_few_vectors_are_refused_before_the_library_complains() -> None:
    with pytest.raises(VectorIndexError, match="needs at least 39 vectors but got 38; use a flat index"):
        InvertedFileIndex.build(make_vectors(38))
    with pytest.raises(VectorIndexError, match="10 lists needs at least 390"):
        InvertedFileIndex.build(make_vectors(100), num_lists=10)


def test_inverted_lists_are_the_same_for_the_same_seed() -> None:
    vectors, queries = make_vectors(2_000), make_vectors(50, seed=1)
    first, second = (InvertedFileIndex.build(vectors, seed=3).search(queries, 10) for _ in range(2))
    np.testing.assert_array_equal(first.rows, second.rows)


@pytest.mark.parametrize("number", [1, 7, 8, 9, 300])
@pytest.mark.parametrize("k", [1, 2, 30, 300])
def test_the_strongest_are_compared_exactly_in_blocks_of_any_size(
    number: int, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, queries = make_vectors(number), make_vectors(11, seed=1)
    rows = 5 * np.arange(number)
    exact = ExactIndex(vectors).search(queries, k)
    for at_once in (1, 3 * number, 2**22):
        monkeypatch.setattr("indexes.strongest._SCORES_AT_ONCE", at_once)
        found = StrongestIndex(vectors, rows).search(queries, k)
        np.testing.assert_array_equal(found.rows, 5 * exact.rows)
        np.testing.assert_allclose(found.scores, exact.scores, atol=1e-5)


def test_the_strongest_vectors_come_high_for_most_queries() -> None:
    vectors, queries = make_vectors(4000), make_vectors(500, seed=1)
    vectors[:, 0] = np.random.default_rng(2).exponential(5, len(vectors))
    queries[:, 0] = 1  # As the bias of a movie, which counts alike for everyone.
    vectors[100:200, 1:] *= 3  # As movies that some love.
    rows = strongest_rows(vectors, queries[:100], 1000)
    assert (np.diff(rows) > 0).all()
    wanted = ExactIndex(vectors).search(queries[100:], 10).rows
    assert np.isin(wanted, rows).mean() > 0.99
    assert np.isin(np.arange(100, 200), rows).mean() > 2 * np.isin(np.arange(200, 4000), rows).mean()
    assert strongest_rows(vectors, queries, 4000).tolist() == list(range(4000))


def test_rows_of_another_number_are_refused() -> None:
    with pytest.raises(VectorIndexError, match="need a row each"):
        StrongestIndex(make_vectors(4), [1, 2])
