"""Sets of rows as ascending arrays, held against NumPy's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arrays import (
    are_held,
    distinct,
    distinct_places,
    k_highest,
    k_highest_of_rows,
    parts_of,
    places_held,
)

ROWS = st.lists(st.integers(-5, 50), max_size=40).map(lambda rows: np.array(rows, dtype=np.int64))


@given(ROWS)
def test_distinct_rows_are_those_of_numpy(rows: np.ndarray) -> None:
    assert distinct(rows).tolist() == np.unique(rows).tolist()


@given(ROWS)
def test_places_lead_back_to_the_rows(rows: np.ndarray) -> None:
    found, places = distinct_places(rows)
    assert found.tolist() == np.unique(rows).tolist()
    assert found[places].tolist() == rows.tolist()


@given(ROWS, ROWS)
def test_held_rows_are_those_of_numpy(ascending: np.ndarray, rows: np.ndarray) -> None:
    assert are_held(np.sort(ascending), rows).tolist() == np.isin(rows, ascending).tolist()


@given(ROWS, ROWS)
def test_held_rows_are_found_where_they_stand(wanted: np.ndarray, rows: np.ndarray) -> None:
    ascending = np.unique(wanted)
    for repeats in (
        1,
        3000,
    ):  # Few rows are searched for one by one, many are filtered by their hashes first.
        given_rows = np.tile(rows, repeats)
        positions, places = places_held(ascending, given_rows)
        assert positions.tolist() == np.flatnonzero(np.isin(given_rows, ascending)).tolist()
        assert ascending[places].tolist() == given_rows[positions].tolist()


SCORES = st.tuples(st.integers(0, 5), st.integers(0, 12)).flatmap(
    lambda shape: st.lists(
        st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]),
        min_size=shape[0] * shape[1],
        max_size=shape[0] * shape[1],
    ).map(lambda scores: np.array(scores, dtype=np.float32).reshape(shape))
)


@given(SCORES, st.integers(0, 14))
def test_the_k_highest_are_the_first_in_order(scores: np.ndarray, k: int) -> None:
    expected = [
        sorted(range(len(row)), key=lambda place: (-row[place], place))[:k] for row in scores.tolist()
    ]
    assert k_highest_of_rows(scores, k).tolist() == expected
    assert [k_highest(row, k).tolist() for row in scores] == expected


@pytest.mark.parametrize("kind", ["spread", "in steps", "equal", "ascending", "rare", "by eights"])
@pytest.mark.parametrize(("num", "k"), [(5000, 1), (5000, 100), (4200, 131)])
def test_the_highest_scores_of_long_rows_are_those_of_a_full_sort(kind: str, num: int, k: int) -> None:
    generator = np.random.default_rng(1)
    scores = generator.standard_normal((6, num)).astype(np.float32)
    if kind == "in steps":
        scores = np.round(scores, 1)
    elif kind == "equal":
        scores[:] = 0.0
    elif kind == "ascending":
        scores.sort(axis=1)
    elif kind == "rare":
        scores[generator.random(scores.shape) < 0.999] = -np.inf
    elif kind == "by eights":  # The sampled columns hold far higher scores than all others.
        scores[:, ::8] += 100.0
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(k_highest_of_rows(scores, k), expected)


@pytest.mark.parametrize("low", [0, -5])
@pytest.mark.parametrize("high", [50, 2**16 + 3, 2**40, 2**62])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_many_rows_are_sorted_like_few(low: int, high: int, dtype: type[np.integer]) -> None:
    rows = np.random.default_rng(0).integers(low, min(high, np.iinfo(dtype).max), 3000).astype(dtype)
    rows[:100] = rows[100:200]
    found, places = distinct_places(rows)
    assert found.tolist() == distinct(rows).tolist() == np.unique(rows).tolist()
    assert found[places].tolist() == rows.tolist()


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 100)), max_size=5))
def test_parts_are_slices_one_after_another(parts: list[tuple[int, int]]) -> None:
    values = np.arange(200) * 7
    begins, lengths = (np.array([part[i] for part in parts], dtype=np.int64) for i in range(2))
    expected = [value for begin, length in parts for value in values[begin : begin + length].tolist()]
    assert parts_of(values, begins, lengths).tolist() == expected
