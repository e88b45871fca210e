"""What a review adds to a score, held against scoring again without the review."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_models import random_model

from engine.lists import reasons
from engine.lists.reasons import strongest_contributions
from engine.model.histories import History
from engine.model.scorer import Model
from engine.model.values import Blend

NUM_REVIEWERS, NUM_MOVIES = 3, 90
BLEND = Blend(
    neighbour_weight=0.7,
    length_power=0.4,
    like_weight=0.5,
    interaction_weight=0.8,
    rating_neighbour_weight=0.6,
    log_temperature=-0.1,
)


@cache
def make_model(kind: str, max_history: int) -> Model:
    model = random_model(
        rated=kind != "no-ratings",
        linear=kind == "linear",
        near_ratings=kind != "no-rating-neighbours",
        lengths=[0] * NUM_REVIEWERS,
        num_movies=NUM_MOVIES,
        scale=0.5,
        share=0.3,
        max_history=max_history,
        blend=BLEND,
    )
    model.history_table.weights[:] -= np.float32(0.2)  # A linear model gives negative weights too.
    return model


def random_history(model: Model, num_reviews: int, seed: int) -> History:
    generator = np.random.default_rng(seed)
    levels = generator.integers(0, 1 if model.rating is None else 5, num_reviews)
    return History(generator.permutation(NUM_MOVIES)[:num_reviews].astype(np.int32), levels.astype(np.int8))


def recomputed(
    model: Model, reviewer_row: int | None, history: History, movie_rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """By definition: the score with the whole history less that without one, [num_movies, num_reviews]."""
    whole = model.rescore(model.reviewer(reviewer_row, history), movie_rows).score
    columns = []
    for place in range(len(history.movie_rows)):
        shorter = History(np.delete(history.movie_rows, place), np.delete(history.level_rows, place))
        columns.append(whole - model.rescore(model.reviewer(reviewer_row, shorter), movie_rows).score)
    return np.stack(columns, axis=1).astype(np.float64)


kinds = st.sampled_from(["ratings", "linear", "no-rating-neighbours", "no-ratings"])


@given(
    kinds,
    st.sampled_from([1, 4, 8, 500]),
    st.integers(1, 80),
    st.integers(0, 10_000),
    st.none() | st.integers(0, NUM_REVIEWERS - 1),
    st.integers(1, 12),
)
def test_contributions_are_those_of_scoring_again_without_the_review(
    kind: str, max_history: int, num_reviews: int, seed: int, reviewer_row: int | None, num_movies: int
) -> None:
    model = make_model(kind, max_history)
    history = random_history(model, num_reviews, seed)
    movie_rows = np.random.default_rng(seed + 1).permutation(NUM_MOVIES)[:num_movies].astype(np.int64)
    reviewer = model.reviewer(reviewer_row, history)
    places, amounts = strongest_contributions(model, reviewer, movie_rows, num_reviews)
    expected = recomputed(model, reviewer_row, history, movie_rows)
    np.testing.assert_allclose(amounts, np.take_along_axis(expected, places, axis=1), atol=1e-5)
    assert (np.sort(places, axis=1) == np.arange(num_reviews)).all()
    assert (np.diff(amounts, axis=1) <= 0).all()


def test_the_strongest_of_a_long_history_are_found_by_estimates() -> None:
    model = make_model("ratings", 500)
    movie_rows = np.arange(NUM_MOVIES)
    kept = []
    for seed in range(5):
        reviewer = model.reviewer(seed % NUM_REVIEWERS, random_history(model, 80, seed))
        found = strongest_contributions(model, reviewer, movie_rows, 3)
        everything = strongest_contributions(model, reviewer, movie_rows, 80)
        assert (found.amounts <= everything.amounts[:, :3] + 1e-6).all()
        kept.append(found.amounts.sum() / everything.amounts[:, :3].sum())
    assert min(kept) > 0.98


def test_many_movies_are_explained_as_single_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("ratings", 500)
    reviewer = model.reviewer(0, random_history(model, 9, 3))
    whole = strongest_contributions(model, reviewer, np.arange(NUM_MOVIES), 3)
    monkeypatch.setattr(reasons, "_PAIRS_AT_ONCE", 20)
    parts = strongest_contributions(model, reviewer, np.arange(NUM_MOVIES), 3)
    np.testing.assert_array_equal(whole.places, parts.places)
    np.testing.assert_allclose(whole.amounts, parts.amounts, atol=1e-6)


def test_nothing_speaks_for_a_movie_without_a_history_and_nothing_is_said_of_no_movies() -> None:
    model = make_model("ratings", 500)
    nobody = model.reviewer(1, random_history(model, 0, 0))
    assert strongest_contributions(model, nobody, np.arange(4), 3).places.shape == (4, 0)
    someone = model.reviewer(1, random_history(model, 5, 0))
    assert strongest_contributions(model, someone, np.zeros(0, np.int64), 3).amounts.shape == (0, 3)


def test_what_is_added_to_the_pooled_history_stays_when_a_review_goes() -> None:
    """A reviewer's vector may be refined beyond pooling; the difference is of pooling alone."""
    model = replace(make_model("ratings", 500), blend=Blend())
    history = random_history(model, 6, 1)
    plain = model.reviewer(None, history)
    refined = plain._replace(query=plain.query + np.float32(0.5))
    rows = np.arange(20)
    np.testing.assert_array_equal(
        strongest_contributions(model, plain, rows, 3).amounts,
        strongest_contributions(model, refined, rows, 3).amounts,
    )
