"""Movies inserted into the arrays of a model: everything that holds rows still means the same movies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_index import NUM_MOVIES, make_model

from engine.model.neighbours import NeighbourTable
from engine.model.scorer import ALL, Model
from pipelines.cold_start.insertion import insert_into_table, insert_movies, insert_reviews
from pipelines.cold_start.mapping import MovieVectors
from pipelines.cold_start.neighbours import Edges
from pipelines.export.rows import insert_rows, rows_beside

NEW_ROWS = np.array([0, 5, 6, 203, NUM_MOVIES + 4])


def edges_of(generator: np.random.Generator, num_old: int, num_new: int) -> Edges:
    pairs = generator.random((num_new, num_old)) < 0.1
    places, rows = np.nonzero(pairs)
    weights = generator.random(len(rows)).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(pairs.sum(axis=1))]).astype(np.int64)
    return Edges(rows, places, weights, NeighbourTable(offsets, rows.astype(np.int32), weights + 1))


def as_dict(table: NeighbourTable) -> dict[tuple[int, int], float]:
    found = {}
    for row in range(table.num_movies):
        for neighbour, weight in zip(*table.of(row), strict=True):
            found[row, int(neighbour)] = float(weight)
    return found


@pytest.fixture(scope="module", params=[True, False])
def model(request: pytest.FixtureRequest) -> Model:
    return make_model(40, rated=request.param)


def joined(model: Model, edges: dict[str, Edges] | None = None) -> Model:
    of_old = MovieVectors.of(model)
    width = of_old.table().shape[1]
    drawn = np.random.default_rng(1).standard_normal((len(NEW_ROWS), width)).astype(np.float32)
    return insert_movies(model, NEW_ROWS, of_old.split(drawn), edges or {})


@given(st.lists(st.booleans(), max_size=40))
def test_rows_beside_new_ones_are_the_others_in_order(is_new: list[bool]) -> None:
    new_rows, num_old = np.flatnonzero(is_new), is_new.count(False)
    beside = rows_beside(new_rows, num_old)
    assert beside.tolist() == sorted(beside.tolist())
    assert sorted([*beside.tolist(), *new_rows.tolist()]) == list(range(num_old + len(new_rows)))


def test_inserted_values_stand_where_they_should() -> None:
    merged = insert_rows(np.array([[1.0], [2.0]]), np.array([[7.0], [8.0]]), np.array([0, 3]))
    assert merged.ravel().tolist() == [7.0, 1.0, 2.0, 8.0]


def test_vectors_survive_being_laid_side_by_side(model: Model) -> None:
    vectors = MovieVectors.of(model)
    for before, after in zip(vectors, vectors.split(vectors.table()), strict=True):
        assert (before is None) == (after is None)
        if before is not None:
            np.testing.assert_array_equal(before, after)


def test_old_movies_score_as_before_for_everyone(model: Model) -> None:
    with_new = joined(model)
    old_rows = rows_beside(NEW_ROWS, NUM_MOVIES)
    for row in range(40):
        before = model.rescore(model.reviewer(row), ALL)
        after = with_new.rescore(with_new.reviewer(row), ALL)
        np.testing.assert_allclose(after.score[old_rows], before.score, atol=1e-5)
        np.testing.assert_allclose(after.relevance[old_rows], before.relevance, atol=1e-5)
        if before.probabilities is not None:
            np.testing.assert_allclose(after.probabilities[old_rows], before.probabilities, atol=1e-5)


def test_the_model_that_is_given_stays_as_it_was(model: Model) -> None:
    before = model.histories.movie_rows.copy(), model.relevance.movie_vectors.copy()
    joined(model)
    np.testing.assert_array_equal(model.histories.movie_rows, before[0])
    np.testing.assert_array_equal(model.relevance.movie_vectors, before[1])
    assert model.num_movies == NUM_MOVIES


def test_tables_hold_old_pairs_and_new_ones_as_a_dictionary_would(model: Model) -> None:
    edges = edges_of(np.random.default_rng(2), NUM_MOVIES, len(NEW_ROWS))
    old_rows = rows_beside(NEW_ROWS, NUM_MOVIES)
    expected = {
        (int(old_rows[row]), int(old_rows[other])): weight
        for (row, other), weight in as_dict(model.neighbours).items()
    }
    for source, place, weight in zip(*edges[:3], strict=True):
        expected[int(old_rows[source]), int(NEW_ROWS[place])] = float(weight)
    for (place, other), weight in as_dict(edges.outgoing).items():
        expected[int(NEW_ROWS[place]), int(old_rows[other])] = weight
    table = insert_into_table(model.neighbours, NEW_ROWS, edges)
    assert as_dict(table) == expected
    assert table.num_movies == NUM_MOVIES + len(NEW_ROWS)


def test_a_table_that_gets_no_edges_gives_new_movies_none(model: Model) -> None:
    table = insert_into_table(model.neighbours, NEW_ROWS, None)
    assert all(len(table.of(int(row))[0]) == 0 for row in NEW_ROWS)
    assert len(table.movie_rows) == len(model.neighbours.movie_rows)


def test_no_new_movies_change_nothing(model: Model) -> None:
    none = np.zeros(0, dtype=np.int64)
    of_old = MovieVectors.of(model)
    same = insert_movies(model, none, of_old.split(of_old.table()[:0]), {})
    np.testing.assert_array_equal(same.relevance.movie_vectors, model.relevance.movie_vectors)
    assert as_dict(same.neighbours) == as_dict(model.neighbours)


def test_added_reviews_stand_in_the_order_of_time() -> None:
    model = make_model(3)
    histories = model.histories
    times = np.arange(len(histories.movie_rows)) * 10
    begin, end = histories.offsets[1], histories.offsets[2]
    middle = int(times[begin]) + 5
    more, all_times = insert_reviews(
        histories, times, np.array([1, 0]), np.array([7, 9]), np.array([2, 4]), np.array([middle, 3])
    )
    for row in range(3):
        assert (np.diff(all_times[more.offsets[row] : more.offsets[row + 1]]) >= 0).all()
    own = more.of(1).movie_rows.tolist()
    assert own == [
        int(histories.movie_rows[begin]), 7, *histories.movie_rows[begin + 1 : end].tolist()
    ]  # fmt: skip
    assert more.of(0).movie_rows.tolist() == [9]
    assert more.of(0).level_rows.tolist() == [4]
    np.testing.assert_array_equal(more.of(2).movie_rows, histories.of(2).movie_rows)
