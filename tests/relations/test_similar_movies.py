"""Which movies are listed as similar: those of the table first, one variant of each film, never too few."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import NUM_MOVIES, random_model

from engine.catalogue.variants import Variants, build_variant_arrays
from engine.model.neighbours import NeighbourTable
from engine.model.similar import SimilarTable
from engine.questions.conditions import Conditions
from engine.relations.similar_movies import similar_rows
from indexes.choose import build_vector_index

MODEL = random_model()
VECTORS = MODEL.relevance.movie_vectors
INDEX, _ = build_vector_index(VECTORS, VECTORS[:1], kind="flat")


def a_table(of_three: dict[int, float]) -> SimilarTable:
    """A table in which movie 3 alone has similar movies."""
    offsets = np.zeros(NUM_MOVIES + 1, dtype=np.int64)
    offsets[4:] = len(of_three)
    rows = np.array(list(of_three), dtype=np.int32)
    weights = np.array(list(of_three.values()), dtype=np.float32)
    return SimilarTable(NeighbourTable(offsets, rows, weights), 10 + rows)


def test_the_table_comes_first_and_cosines_fill_the_list() -> None:
    table = a_table({9: 0.8, 5: 0.5})
    found = similar_rows(MODEL, INDEX, table, 3, 6)
    assert found.rows[:2].tolist() == [9, 5]
    assert found.similarities[:2].tolist() == pytest.approx([0.8, 0.5])
    assert found.shared.tolist() == [19, 15, -1, -1, -1, -1]
    alone = similar_rows(MODEL, INDEX, None, 3, NUM_MOVIES)
    rest = [row for row in alone.rows.tolist() if row not in (9, 5)]
    assert found.rows[2:].tolist() == rest[:4]
    assert (np.diff(found.similarities) <= 0).all()
    assert len(alone.rows) == NUM_MOVIES - 1
    assert similar_rows(MODEL, INDEX, table, 3, 2).rows.tolist() == [9, 5]


def test_conditions_hold_in_the_table_and_beyond_it() -> None:
    table = a_table({9: 0.8, 5: 0.5, 7: 0.4})
    only = Conditions(num_movies=NUM_MOVIES, rows=np.array([5, 20, 30]))
    found = similar_rows(MODEL, INDEX, table, 3, 5, only)
    assert found.rows[0] == 5
    assert set(found.rows.tolist()) == {5, 20, 30}
    without = Conditions(num_movies=NUM_MOVIES, excluded=np.array([9]))
    assert similar_rows(MODEL, INDEX, table, 3, 2, without).rows.tolist() == [5, 7]


def test_the_most_reviewed_variant_of_a_film_is_listed_once() -> None:
    films = np.arange(NUM_MOVIES)
    films[[5, 6, 7]] = 5
    films[[3, 8]] = 3
    variants = Variants(*build_variant_arrays(films).values())
    counts = np.ones(NUM_MOVIES, dtype=np.int64)
    counts[6] = 9
    table = a_table({8: 0.9, 5: 0.8, 9: 0.7, 7: 0.6, 6: 0.5})
    found = similar_rows(MODEL, INDEX, table, 3, NUM_MOVIES, None, variants, counts)
    assert found.rows[:2].tolist() == [6, 9]
    assert found.similarities[0] == pytest.approx(0.8)
    assert found.shared[:2].tolist() == [-1, 19]  # how many movie 6 shares with movie 3 is not in its place
    assert not {3, 5, 7, 8} & set(found.rows.tolist())
    without_six = Conditions(num_movies=NUM_MOVIES, excluded=np.array([6]))
    found = similar_rows(MODEL, INDEX, table, 3, 2, without_six, variants, counts)
    assert found.rows.tolist() == [5, 9]
    every = similar_rows(MODEL, INDEX, table, 3, 5, None, None, counts)
    assert every.rows.tolist() == [8, 5, 9, 7, 6]
