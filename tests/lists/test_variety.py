"""Variety in a list: what is measured, that nothing asked for changes nothing, that more is never less."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lists.variety import diversify, lean, list_diversity, pool_size, unit_vectors


def random_pool(seed: int, num: int = 60, dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = np.sort(generator.standard_normal(num))[::-1].copy()
    return scores, unit_vectors(generator.standard_normal((num, dim)) + generator.standard_normal(dim))


def test_diversity_is_the_mean_unlikeness_of_all_pairs() -> None:
    _, unit = random_pool(0, num=7)
    expected = np.mean([1 - unit[one] @ unit[other] for one in range(7) for other in range(one)])
    assert list_diversity(unit) == pytest.approx(expected)
    assert list_diversity(unit[:1]) == list_diversity(unit[:0]) == 0
    assert list_diversity(np.repeat(unit[:1], 3, axis=0)) == pytest.approx(0)
    assert list_diversity(unit_vectors(np.array([[1.0, 0.0], [-2.0, 0.0]]))) == pytest.approx(2)


def test_a_vector_of_zeros_is_like_nothing() -> None:
    unit = unit_vectors(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]]))
    assert list_diversity(unit) == pytest.approx(2 / 3)


@pytest.mark.parametrize("k", [1, 5, 60, 80])
def test_no_diversity_leaves_the_first(k: int) -> None:
    scores, unit = random_pool(1)
    assert diversify(scores, unit, k, 0.0).tolist() == list(range(min(k, 60)))


def test_a_pool_that_is_no_larger_than_the_list_is_the_list() -> None:
    scores, unit = random_pool(1, num=4)
    assert diversify(scores, unit, 10, 1.0).tolist() == [0, 1, 2, 3]
    assert len(diversify(scores[:0], unit[:0], 10, 1.0)) == 0


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    num=st.integers(2, 40),
    k=st.integers(1, 20),
    two=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_more_never_gives_less_diversity_or_a_higher_score(
    seed: int, num: int, k: int, two: tuple[float, float]
) -> None:
    scores, unit = random_pool(seed, num)
    lists = [diversify(scores, unit, k, setting) for setting in sorted(two)]
    for places in lists:
        assert len(np.unique(places)) == min(k, num)
    assert list_diversity(unit[lists[1]]) >= list_diversity(unit[lists[0]]) - 1e-9
    assert scores[lists[1]].mean() <= scores[lists[0]].mean() + 1e-9


def test_the_greatest_diversity_beats_the_plain_list_by_far() -> None:
    gains = []
    for seed in range(20):
        scores, unit = random_pool(seed)
        gains.append(list_diversity(unit[diversify(scores, unit, 8, 1.0)]) - list_diversity(unit[:8]))
    assert min(gains) >= 0
    assert np.mean(gains) > 0.2


def test_novelty_takes_the_reviews_of_a_movie_off_its_score() -> None:
    scores, counts = np.array([3.0, 2.0, 1.0]), np.array([100, 10, 1])
    assert lean(scores, counts, 0.0).tolist() == scores.tolist()
    fame = np.log1p(counts)
    expected = scores - 0.5 * scores.std() / fame.std() * (fame - fame.mean())
    np.testing.assert_allclose(lean(scores, counts, 0.5), expected)


def test_equally_reviewed_movies_are_left_as_they_are() -> None:
    scores = np.random.default_rng(0).standard_normal(50)
    np.testing.assert_array_equal(lean(scores, np.full(50, 7), 1.0), scores)
    assert len(lean(scores[:0], np.zeros(0, np.int32), 1.0)) == 0


def test_a_varied_list_is_chosen_from_a_pool_that_grows_with_it() -> None:
    assert [pool_size(k) for k in (1, 20, 21, 100)] == [100, 100, 105, 500]
