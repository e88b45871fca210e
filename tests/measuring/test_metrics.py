import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dataset import films
from pipelines.measuring import metrics, significance
from pipelines.measuring.significance import bootstrap_interval, paired_test

RATINGS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=30)
CHANCES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)
LISTS = st.tuples(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 20))
TOPS = st.lists(st.lists(st.integers(-1, 6), min_size=3, max_size=3), min_size=1, max_size=8)


@pytest.mark.parametrize("module", [metrics, significance, films])
def test_the_examples_of_the_measures_run(module: object) -> None:
    found = doctest.testmod(module)  # type: ignore[arg-type]
    assert found.attempted
    assert found.failed == 0


@given(RATINGS)
def test_errors_of_ratings_are_what_plain_python_says(pairs: list[tuple[int, int]]) -> None:
    predicted, actual = zip(*pairs, strict=True)
    assert metrics.mae(predicted, actual) == pytest.approx(sum(abs(p - a) for p, a in pairs) / len(pairs))
    assert metrics.rmse(predicted, actual) == pytest.approx(
        math.sqrt(sum((p - a) ** 2 for p, a in pairs) / len(pairs))
    )


@given(RATINGS)
def test_the_median_and_the_mean_are_the_best_constants(pairs: list[tuple[int, int]]) -> None:
    actual = [rating for _, rating in pairs]
    best = [metrics.mae([np.median(actual)] * len(actual), actual)]
    assert best <= [metrics.mae([constant] * len(actual), actual) + 1e-9 for constant in range(1, 6)]
    for constant in range(1, 6):
        assert metrics.rmse([np.mean(actual)] * len(actual), actual) <= (
            metrics.rmse([constant] * len(actual), actual) + 1e-9
        )


@given(CHANCES)
def test_log_loss_is_the_mean_surprise(pairs: list[tuple[float, bool]]) -> None:
    surprise = 0.0
    for chance, happened in pairs:
        kept = min(max(chance, 1e-7), 1 - 1e-7)
        surprise -= math.log(kept if happened else 1 - kept)
    chances, outcomes = zip(*pairs, strict=True)
    assert metrics.log_loss(chances, outcomes) == pytest.approx(surprise / len(pairs))


@given(CHANCES)
def test_calibration_error_compares_each_bin_with_what_happened(pairs: list[tuple[float, bool]]) -> None:
    total = 0.0
    for place in range(10):
        inside = [(chance, happened) for chance, happened in pairs if min(int(chance * 10), 9) == place]
        total += abs(sum(chance for chance, _ in inside) - sum(happened for _, happened in inside))
    chances, outcomes = zip(*pairs, strict=True)
    assert metrics.calibration_error(chances, outcomes) == pytest.approx(total / len(pairs))


@given(LISTS)
def test_figures_of_a_top_list_are_what_plain_python_says(given_list: tuple[list[bool], int]) -> None:
    hits, more = given_list
    relevant = sum(hits) + more
    gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(len(hits), relevant)))
    places = [place for place, hit in enumerate(hits, start=1) if hit]
    matrix = np.array([hits])
    assert metrics.ndcg(matrix, [relevant]) == pytest.approx([gain / ideal if ideal else 0])
    assert metrics.recall(matrix, [relevant]) == pytest.approx(
        [len(places) / min(len(hits), relevant) if relevant else 0]
    )
    assert metrics.hit_rate(matrix).tolist() == [float(bool(places))]
    assert metrics.reciprocal_rank(matrix) == pytest.approx([1 / places[0] if places else 0])


@given(TOPS)
def test_figures_of_all_lists_are_what_plain_python_says(lists: list[list[int]]) -> None:
    top, listed = np.array(lists), [movie for row in lists for movie in row if movie >= 0]
    counts = [listed.count(movie) for movie in range(7)]
    assert metrics.coverage(top, 7) == len(set(listed)) / 7
    spread = sum(abs(one - other) for one in counts for other in counts)
    assert metrics.gini(top, 7) == pytest.approx(spread / (2 * 7 * sum(counts)) if listed else 0)
    reviews = [1, 2, 3, 4, 5, 6, 0]
    surprise = [-math.log2(max(reviews[movie], 1) / 10) for movie in listed]
    assert metrics.novelty(top, np.array(reviews), 10) == pytest.approx(
        sum(surprise) / len(surprise) if surprise else 0
    )


def test_nothing_to_measure_is_not_a_number_and_raises_nothing() -> None:
    for measure in (metrics.mae, metrics.rmse, metrics.log_loss, metrics.calibration_error):
        assert math.isnan(measure([], []))
    assert metrics.coverage(np.zeros((0, 3), int), 0) == 0
    assert metrics.ndcg(np.zeros((2, 0), bool), [0, 1]).tolist() == [0, 0]


def test_intervals_hold_the_mean_and_narrow_with_more_reviewers() -> None:
    generator = np.random.default_rng(0)
    few, many = generator.normal(1, 1, 50), generator.normal(1, 1, 5000)
    (low, high), (narrow_low, narrow_high) = bootstrap_interval(few), bootstrap_interval(many)
    assert low < few.mean() < high
    assert narrow_low < 1 < narrow_high
    assert narrow_high - narrow_low < (high - low) / 5


def test_intervals_of_a_ratio_weigh_reviewers_by_their_reviews() -> None:
    low, high = bootstrap_interval([2.0, 20.0, 4.0], [1, 10, 2])
    assert low == pytest.approx(2)
    assert high == pytest.approx(2)


def test_the_paired_test_sees_a_small_steady_difference_and_no_difference_in_noise() -> None:
    generator = np.random.default_rng(1)
    theirs = generator.uniform(0, 1, 400)
    assert paired_test(theirs + generator.normal(0.02, 0.05, 400), theirs) < 0.01
    p_values = [
        paired_test(theirs + generator.normal(0, 0.05, 400), theirs, num_samples=400) for _ in range(60)
    ]
    assert 0.25 < np.mean(p_values) < 0.75
