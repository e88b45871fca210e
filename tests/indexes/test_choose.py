from pathlib import Path

import numpy as np
import pytest
from random_vectors import codes_of, make_clusters, make_vectors

from engine.config.sections import IndexConfig
from indexes.base import VectorIndexError
from indexes.choose import KINDS, build_vector_index
from indexes.exact import ExactIndex
from indexes.faiss_index import FaissIndex, FlatIndex, InvertedFileIndex
from indexes.recall import recall


def test_few_vectors_are_searched_exactly_and_many_by_lists(tmp_path: Path) -> None:
    vectors = make_clusters(4_000)
    queries = vectors[::50]
    small, report = build_vector_index(vectors, queries)
    assert isinstance(small, FlatIndex)
    assert report["kind"] == "flat"
    assert "few enough" in report["why"]
    large, report = build_vector_index(vectors, queries, exact_up_to=1_000, recall_target=0.95, k=10)
    assert isinstance(large, InvertedFileIndex)
    assert report["kind"] == "ivf-fp16"
    assert report["recall"] >= 0.95
    assert report["num_probes"] == large.num_probes
    large.save(tmp_path / "vectors.faiss")
    loaded = FaissIndex.load(tmp_path / "vectors.faiss")
    assert isinstance(loaded, InvertedFileIndex)
    assert loaded.num_probes == large.num_probes


def test_lists_that_would_have_to_look_everywhere_give_way_to_exact_search() -> None:
    vectors = make_vectors(2_000, dim=32)
    index, report = build_vector_index(vectors, vectors[:50], exact_up_to=1_000, recall_target=1.0, k=200)
    assert isinstance(index, FlatIndex)
    assert "quarter" in report["why"]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_kind_can_be_asked_for(kind: str, tmp_path: Path) -> None:
    vectors = make_vectors(500)
    index, report = build_vector_index(vectors, vectors[:9], kind=kind, k=5, exact_up_to=1)
    assert (report["kind"], report["why"]) == (kind, "asked for")
    index.save(tmp_path / "saved.index")
    loaded = FaissIndex.load(tmp_path / "saved.index")
    assert type(loaded) is type(index)
    assert codes_of(loaded) == codes_of(index) == (kind.partition("-")[2] or "full")
    size = (tmp_path / "saved.index").stat().st_size
    assert report["num_bytes"] <= size <= report["num_bytes"] + 10_000


def test_a_kind_that_is_none_is_refused() -> None:
    vectors = make_vectors(500)
    with pytest.raises(VectorIndexError, match="auto, flat, ivf, ivf-fp16, ivf-sq8"):
        build_vector_index(vectors, vectors[:9], kind="hnsw")


def test_the_configuration_takes_every_kind() -> None:
    assert [IndexConfig(kind=kind).kind for kind in KINDS] == list(KINDS)


@pytest.mark.parametrize(
    ("memory_limit", "kind"),
    [(10**9, "ivf-fp16"), (200_000, "ivf-fp16"), (150_000, "ivf-sq8"), (1, "ivf-sq8")],
)
def test_vectors_are_rounded_as_far_as_memory_asks_for(memory_limit: int, kind: str) -> None:
    vectors = make_clusters(8_000)
    assert vectors.nbytes == 256_000
    index, report = build_vector_index(
        vectors, vectors[::50], memory_limit=memory_limit, recall_target=0.9, k=10, exact_up_to=1_000
    )
    assert report["kind"] == kind
    assert report["recall"] >= 0.9
    assert ("rounded less" in report["why"]) == (kind == "ivf-sq8")
    assert index.num_vectors == 8_000


def test_vectors_are_not_rounded_where_too_little_would_be_found() -> None:
    vectors = make_clusters(8_000)
    queries = vectors[::50]
    index, report = build_vector_index(
        vectors, queries, memory_limit=1, recall_target=0.9999, k=100, exact_up_to=1_000
    )
    assert report["kind"] != "ivf-sq8"
    assert report["recall"] >= 0.9999
    assert "too rarely" in report["why"]
    assert recall(index, ExactIndex(vectors), queries, 100) >= 0.9999


@pytest.mark.parametrize("number", [1, 38])
def test_a_handful_of_vectors_is_compared_whatever_the_memory(number: int) -> None:
    index, report = build_vector_index(make_vectors(number), make_vectors(3), memory_limit=1, k=1)
    assert isinstance(index, FlatIndex)
    assert report["kind"] == "flat"


def test_the_choice_is_the_same_for_the_same_seed() -> None:
    vectors = make_clusters(4_000)
    (first, report), (second, again) = (
        build_vector_index(vectors, vectors[::50], seed=7, exact_up_to=1_000, recall_target=0.95, k=10)
        for _ in range(2)
    )
    assert report == again
    for one, other in zip(first.search(vectors[:9], 20), second.search(vectors[:9], 20), strict=True):
        np.testing.assert_array_equal(one, other)
