"""Whom to tell about a movie, who is alike, what to expect: held against scoring every reviewer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import DIM, NUM_MOVIES, random_model, with_doubts

from engine.model import histories as histories_module
from engine.model.histories import Histories
from engine.model.scorer import Model
from engine.model.values import Blend
from engine.relations import audience, like_minded_reviewers
from engine.relations.audience import find_reviewers
from engine.relations.predictions import central_interval

NUM_REVIEWERS = 120
BLEND = Blend(neighbour_weight=0.7, length_power=0.4, like_weight=0.5, rating_neighbour_weight=0.6)


def make_model(kind: str = "ratings", seed: int = 0) -> Model:
    """The first reviewer and the last have reviewed nothing."""
    model = random_model(
        rated=kind != "no-ratings",
        linear=kind == "linear",
        near_ratings=kind != "no-rating-neighbours",
        lengths=[0, *np.random.default_rng(seed).integers(1, 20, NUM_REVIEWERS - 2), 0],
        scale=0.5,
        share=0.3,
        blend=BLEND,
        seed=seed,
    )
    return with_doubts(model) if kind == "cold" else model


kinds = st.sampled_from(["ratings", "linear", "no-rating-neighbours", "no-ratings", "cold"])


@settings(max_examples=25)
@given(kinds, st.integers(0, 50), st.integers(0, NUM_MOVIES - 1), st.integers(1, 200), st.integers(1, 60))
def test_the_reviewers_for_a_movie_are_the_best_of_scoring_each(
    kind: str, seed: int, movie_row: int, k: int, rated_at_once: int
) -> None:
    model = make_model(kind, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audience, "_RATED_AT_ONCE", rated_at_once)
        patch.setattr(histories_module, "_REVIEWS_AT_ONCE", 300)
        found = find_reviewers(model, movie_row, k, np.array([movie_row]))
    unseen = [row for row in range(NUM_REVIEWERS) if movie_row not in model.histories.of(row).movie_rows]
    scores = [model.rescore(model.reviewer(row), np.array([movie_row])) for row in unseen]
    score = np.array([each.score[0] for each in scores])
    assert set(found.rows.tolist()) <= set(unseen)
    assert len(found.rows) == min(k, len(unseen)) == len(set(found.rows.tolist()))
    np.testing.assert_allclose(found.score, np.sort(score)[::-1][:k], atol=1e-4)
    by_row = dict(zip(unseen, scores, strict=True))
    for place, row in enumerate(found.rows.tolist()):
        assert found.relevance[place] == pytest.approx(by_row[row].relevance[0], abs=1e-4)
        if found.probabilities is not None:
            np.testing.assert_allclose(found.probabilities[place], by_row[row].probabilities[0], atol=1e-4)


def test_those_who_have_seen_a_variant_are_left_out() -> None:
    model = make_model()
    found = find_reviewers(model, 3, NUM_REVIEWERS, np.array([3, 7, 9]))
    for row in found.rows.tolist():
        assert not {3, 7, 9} & set(model.histories.of(row).movie_rows.tolist())
    assert 0 in found.rows


def test_reviewers_of_one_taste_are_nearest() -> None:
    """Two planted tastes: who came to the same films and judged them alike stands first."""
    model = make_model()
    generator = np.random.default_rng(3)
    movies = [
        generator.permutation(20)[:10] + 20 * (reviewer % 2) for reviewer in range(NUM_REVIEWERS)
    ]  # [num_reviewers][10]
    histories = Histories(
        np.arange(0, 10 * NUM_REVIEWERS + 1, 10),
        np.concatenate(movies).astype(np.int32),
        np.full(10 * NUM_REVIEWERS, 4, np.int8),
    )
    vectors = np.zeros((NUM_MOVIES, DIM), np.float32)
    vectors[:20, 0], vectors[20:, 1] = 1.0, 1.0
    relevance = replace(model.relevance, history_vectors=vectors, level_weights=np.ones(5, np.float32))
    planted = replace(model, histories=histories, relevance=relevance)
    for row in (0, 1, 50):
        found = like_minded_reviewers.nearest_reviewers(planted, row, 20)
        assert row not in found.rows
        assert (found.rows % 2 == row % 2).mean() >= 0.9
        assert (np.diff(found.similarities) <= 0).all()
        assert (np.abs(found.similarities) <= 1 + 1e-6).all()
        for other, count in zip(found.rows.tolist(), found.num_shared.tolist(), strict=True):
            assert count == len(set(movies[row].tolist()) & set(movies[other].tolist()))


@pytest.mark.parametrize("kind", ["ratings", "no-ratings"])
def test_similarity_is_symmetric_and_the_nearest_are_found_among_candidates_too(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(kind)
    exact = {row: like_minded_reviewers.nearest_reviewers(model, row, NUM_REVIEWERS) for row in (0, 4, 5)}
    between = [float(exact[row].similarities[exact[row].rows == other][0]) for row, other in ((4, 5), (5, 4))]
    assert between[0] == pytest.approx(between[1], abs=1e-5)
    monkeypatch.setattr(like_minded_reviewers, "EXACT_REVIEWS", 1)
    monkeypatch.setattr(like_minded_reviewers, "NUM_CANDIDATES", 60)
    for row, expected in exact.items():
        found = like_minded_reviewers.nearest_reviewers(model, row, 5)
        assert len(set(found.rows.tolist()) & set(expected.rows[:5].tolist())) >= 4


def test_the_central_interval_leaves_at_most_half_the_rest_on_either_side() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(5, 0.5), 200).astype(np.float32)
    levels = np.arange(1, 6, dtype=np.float32)
    low, high = central_interval(levels, probabilities, 0.8)
    for each, least, most in zip(probabilities, low, high, strict=True):
        assert each[levels < least].sum() <= 0.1 + 1e-4
        assert each[levels > most].sum() <= 0.1 + 1e-4
        assert each[levels <= least].sum() >= 0.1 - 1e-4
        assert least <= most
