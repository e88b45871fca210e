"""Sets of rows as ascending arrays, held against NumPy's own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.rows import are_held, distinct, distinct_places

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


def test_rows_too_large_to_be_packed_have_places_too() -> None:
    rows = np.array([2**62, 5, 2**62, 2**61], dtype=np.int64)
    found, places = distinct_places(rows)
    assert found.tolist() == [5, 2**61, 2**62]
    assert places.tolist() == [2, 0, 2, 1]
