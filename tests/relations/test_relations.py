"""Whom to tell about a movie, who is alike, what to expect: held against scoring every reviewer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.model import histories as histories_module
from engine.model.heads import RatingHead, RelevanceHead
from engine.model.histories import Histories
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Blend, Model
from engine.relations import audience, similar_reviewers
from engine.relations.audience import find_reviewers
from engine.relations.predictions import central_interval

NUM_REVIEWERS, NUM_MOVIES, DIM = 120, 40, 5


def random_table(generator: np.random.Generator) -> NeighbourTable:
    present = generator.random((NUM_MOVIES, NUM_MOVIES)) < 0.3
    np.fill_diagonal(present, False)
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    weights = generator.random(int(present.sum())).astype(np.float32)
    return NeighbourTable(offsets, np.nonzero(present)[1].astype(np.int32), weights)


def random_model(kind: str = "ratings", seed: int = 0) -> Model:
    """The first reviewer and the last have reviewed nothing."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> NDArray[np.float32]:
        return generator.standard_normal(shape).astype(np.float32) / 2

    counts = np.concatenate([[0], generator.integers(1, 20, NUM_REVIEWERS - 2), [0]])
    movies = np.concatenate([generator.permutation(NUM_MOVIES)[:count] for count in counts])
    levels = generator.integers(0, 1 if kind == "no-ratings" else 5, len(movies))
    rating = RatingHead(
        levels=np.arange(1, 6, dtype=np.float32),
        movie_vectors=normal(NUM_MOVIES, DIM + 2),
        history_vectors=normal(NUM_MOVIES, 2 * DIM) / 2,
        reviewer_biases=normal(NUM_REVIEWERS, 2),
        baselines=3 + normal(NUM_MOVIES),
        thresholds=np.array([-2, -1, 0, 1], np.float32),
        dot_weights=normal(DIM),
        kernels=[normal(3 * DIM, 4), normal(4, 2)],
        biases=[normal(4), normal(2)],
    )
    return Model(
        relevance=RelevanceHead(
            movie_vectors=normal(NUM_MOVIES, DIM + 1),
            history_vectors=normal(NUM_MOVIES, DIM),
            reviewer_embeddings=normal(NUM_REVIEWERS, DIM),
            level_weights=1 + normal(5),
            recency_power=0.4,
            max_history=8,
        ),
        rating=None if kind == "no-ratings" else rating,
        neighbours=random_table(generator),
        chosen_neighbours=random_table(generator) if kind == "linear" else None,
        rating_neighbours=random_table(generator) if kind in ("ratings", "linear") else None,
        histories=Histories(
            np.concatenate([[0], np.cumsum(counts)]), movies.astype(np.int32), levels.astype(np.int8)
        ),
        blend=Blend(neighbour_weight=0.7, like_weight=0.5, rating_neighbour_weight=0.6),
    )


kinds = st.sampled_from(["ratings", "linear", "no-rating-neighbours", "no-ratings"])


@settings(max_examples=25)
@given(kinds, st.integers(0, 50), st.integers(0, NUM_MOVIES - 1), st.integers(1, 200), st.integers(1, 60))
def test_the_reviewers_for_a_movie_are_the_best_of_scoring_each(
    kind: str, seed: int, movie_row: int, k: int, rescored_at_once: int
) -> None:
    model = random_model(kind, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audience, "_RESCORED_AT_ONCE", rescored_at_once)
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
    model = random_model()
    found = find_reviewers(model, 3, NUM_REVIEWERS, np.array([3, 7, 9]))
    for row in found.rows.tolist():
        assert not {3, 7, 9} & set(model.histories.of(row).movie_rows.tolist())
    assert 0 in found.rows


def test_reviewers_of_one_taste_are_nearest() -> None:
    """Two planted tastes: who came to the same films and judged them alike stands first."""
    model = random_model()
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
    head = model.relevance
    planted = Model(
        **(
            vars(model)
            | {
                "histories": histories,
                "relevance": RelevanceHead(**(vars(head) | {"history_vectors": vectors})),
            }
        )
    )
    for row in (0, 1, 50):
        found = similar_reviewers.similar_reviewers(planted, row, 20)
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
    model = random_model(kind)
    exact = {row: similar_reviewers.similar_reviewers(model, row, NUM_REVIEWERS) for row in (0, 4, 5)}
    between = [float(exact[row].similarities[exact[row].rows == other][0]) for row, other in ((4, 5), (5, 4))]
    assert between[0] == pytest.approx(between[1], abs=1e-5)
    monkeypatch.setattr(similar_reviewers, "EXACT_REVIEWS", 1)
    monkeypatch.setattr(similar_reviewers, "NUM_CANDIDATES", 60)
    for row, expected in exact.items():
        found = similar_reviewers.similar_reviewers(model, row, 5)
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
