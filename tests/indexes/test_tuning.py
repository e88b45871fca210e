import numpy as np
import pytest
from random_vectors import make_clusters, make_vectors

from indexes.base import VectorIndex, VectorIndexError
from indexes.exact import ExactIndex
from indexes.faiss_index import FlatIndex, InvertedFileIndex
from indexes.recall import recall, tune_num_probes


def test_recall_counts_what_is_found() -> None:
    vectors, queries = make_vectors(400), make_vectors(40, seed=1)
    exact = ExactIndex(vectors)
    inverted = InvertedFileIndex.build(vectors, num_lists=10, num_probes=2)
    found, wanted = inverted.search(queries, 5).rows.tolist(), exact.search(queries, 5).rows.tolist()
    expected = np.mean([len(set(one) & set(other)) / 5 for one, other in zip(found, wanted, strict=True)])
    assert recall(inverted, exact, queries, 5) == pytest.approx(expected)
    assert recall(exact, exact, queries, 5) == 1.0
    with pytest.raises(VectorIndexError, match="at least one query"):
        recall(exact, exact, queries[:0], 5)


def test_probes_are_widened_until_the_recall_is_reached() -> None:
    vectors, queries = make_vectors(4_000), make_vectors(100, seed=1)
    index = InvertedFileIndex.build(vectors, num_lists=50)
    assert tune_num_probes(index, FlatIndex.build(vectors), queries, 10, 0.8) >= 0.8
    few = index.num_probes
    assert tune_num_probes(index, FlatIndex.build(vectors), queries, 10, 0.99) >= 0.99
    assert 1 <= few < index.num_probes < 50
    assert tune_num_probes(index, FlatIndex.build(vectors), queries, 10, 1.0) == 1.0


def test_the_lists_of_rounded_vectors_lose_no_more_than_is_allowed_beside_the_rounding() -> None:
    vectors, queries = make_vectors(4_000), make_vectors(100, seed=1)
    flat = FlatIndex.build(vectors)
    index = InvertedFileIndex.build(vectors, num_lists=50, codes="sq8")
    everywhere = InvertedFileIndex.build(vectors, num_lists=50, num_probes=50, codes="sq8")
    highest = recall(everywhere, flat, queries, 100)
    assert highest < 0.999
    reached = tune_num_probes(index, flat, queries, 100, 0.999)
    assert 0.999 * highest <= reached <= highest


def test_lists_are_tuned_by_whatever_is_to_be_reached() -> None:
    vectors, queries = make_vectors(4_000), make_vectors(100, seed=1)
    flat = FlatIndex.build(vectors)
    index = InvertedFileIndex.build(vectors, num_lists=50)
    asked: list[int] = []

    def measure(tried: VectorIndex) -> float:
        assert tried is index
        asked.append(index.num_probes)
        return min(1.0, index.num_probes / 20)

    assert tune_num_probes(index, flat, queries, 10, 0.9, measure) >= 0.9
    assert 18 <= index.num_probes <= 20
    assert asked.count(1) <= 1


def test_vectors_that_are_near_many_queries_lie_in_short_lists() -> None:
    lengths = np.random.default_rng(2).pareto(2.0, size=(8_000, 1)).astype(np.float32) + 0.1
    vectors, queries = lengths * make_vectors(8_000), make_vectors(400, seed=1)
    flat = FlatIndex.build(vectors)
    weights = 1 + np.bincount(flat.search(queries[:200], 50).rows.ravel(), minlength=8_000)
    alike, weighted = InvertedFileIndex.build(vectors), InvertedFileIndex.build(vectors, weights=weights)
    for index in (alike, weighted):
        assert tune_num_probes(index, flat, queries[:200], 50, 0.95) >= 0.95
        assert recall(index, flat, queries[200:], 50) > 0.93
    assert weighted.share_compared(queries) < 0.6 * alike.share_compared(queries)
    with pytest.raises(VectorIndexError, match="a weight above 0 for each of 8,000 vectors"):
        InvertedFileIndex.build(vectors, weights=weights[1:])
    with pytest.raises(VectorIndexError, match="a weight above 0"):
        InvertedFileIndex.build(vectors, weights=weights - 1)


def test_so_many_vectors_are_compared_at_least_as_is_asked_for() -> None:
    vectors, queries = make_clusters(4_000), make_vectors(100, seed=1)
    index = InvertedFileIndex.build(vectors, num_lists=50)
    for least in (1, 200, 1_000, 9_000):
        tune_num_probes(index, FlatIndex.build(vectors), queries, 1, 0.0, least_compared=least)
        compared = index.num_compared(queries, index.num_probes)
        assert least <= compared or index.num_probes == 50
        assert compared == pytest.approx(4_000 * index.share_compared(queries))


def test_lists_that_are_too_short_do_not_count_although_a_search_makes_up_for_them() -> None:
    vectors, queries = make_vectors(2_000), make_vectors(50, seed=1)
    flat = FlatIndex.build(vectors)
    index = InvertedFileIndex.build(vectors, num_lists=50)
    assert tune_num_probes(index, flat, queries, 500, 0.99, lambda _: 1.0) == 1.0
    assert index.num_probes > 500 / 2_000 * 50 * 0.5
    assert (index.probe(queries, 500).rows >= 0).all(axis=1).mean() >= 0.99


def test_widening_ends_where_everything_is_compared() -> None:
    vectors = make_vectors(400)
    assert not FlatIndex.build(vectors).widen()
    index = InvertedFileIndex.build(vectors, num_lists=10, num_probes=3)
    shares = [index.share_compared(vectors[:20])]
    while index.widen():
        shares.append(index.share_compared(vectors[:20]))
    assert index.settings() == {"num_lists": 10, "num_probes": 10}
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
