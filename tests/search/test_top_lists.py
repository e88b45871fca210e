from dataclasses import replace

import numpy as np
import pytest
from random_models import BLEND, NUM_MOVIES, NUM_REVIEWERS, random_model, with_doubts

from engine.arrays import k_highest
from engine.model.scorer import Model
from engine.model.values import Blend
from engine.search.batch_candidates import BatchSource
from engine.search.candidates import CandidateSource
from engine.search.top_lists import TopLists, exhaustive_lists, top_lists
from indexes.faiss_index import FlatIndex
from indexes.strongest import StrongestIndex

EVERYONE = np.arange(NUM_REVIEWERS)


@pytest.fixture(params=["ratings", "linear", "no-ratings", "no-likes", "no-neighbours", "cold"])
def model(request: pytest.FixtureRequest) -> Model:
    made = random_model(rated=request.param != "no-ratings", linear=request.param == "linear")
    blends = {"no-likes": replace(BLEND, like_weight=0.0), "no-neighbours": Blend()}
    made = replace(made, blend=blends.get(request.param, BLEND))
    return with_doubts(made) if request.param == "cold" else made


def check_one_by_one(model: Model, lists: TopLists, candidates: list[np.ndarray], k: int) -> None:
    for row, rows in enumerate(candidates):
        scores = model.rescore(model.reviewer(row), rows)
        best = k_highest(scores.score, k)
        listed = lists.movie_rows[row] >= 0
        assert lists.movie_rows[row][listed].tolist() == rows[best].tolist()
        np.testing.assert_allclose(lists.scores[row][listed], scores.score[best], atol=1e-4)
        np.testing.assert_allclose(lists.relevance[row][listed], scores.relevance[best], atol=1e-4)
        if scores.probabilities is not None:
            assert lists.probabilities is not None
            np.testing.assert_allclose(
                lists.probabilities[row][listed], scores.probabilities[best], atol=1e-5
            )
        assert np.isneginf(lists.scores[row][~listed]).all()


def unseen(model: Model, row: int) -> np.ndarray:
    return np.setdiff1d(np.arange(NUM_MOVIES), model.histories.of(row).movie_rows)


@pytest.mark.parametrize("k", [1, 5, NUM_MOVIES, NUM_MOVIES + 10])
@pytest.mark.parametrize("first_width", [1, 4, 64])
def test_the_exhaustive_lists_are_those_of_scoring_movie_by_movie(
    model: Model, k: int, first_width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.search.top_lists._FIRST_WIDTH", first_width)
    lists = exhaustive_lists(model, EVERYONE, k)
    check_one_by_one(model, lists, [unseen(model, row) for row in EVERYONE], k)


@pytest.mark.parametrize("num_candidates", [1, 6, NUM_MOVIES])
def test_the_lists_are_the_best_of_the_candidates(model: Model, num_candidates: int) -> None:
    source = CandidateSource(model, FlatIndex.build(model.relevance.movie_vectors), num_candidates)
    candidates = [source.find([model.reviewer(row)], 4)[0] for row in EVERYONE]
    check_one_by_one(model, top_lists(source, EVERYONE, 4), candidates, 4)


@pytest.mark.parametrize("k", [1, 4, NUM_MOVIES + 10])
@pytest.mark.parametrize("least", [1, 32])
def test_the_lists_of_a_batch_are_the_best_of_all_movies(
    model: Model, k: int, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.search.batch_candidates._LEAST", least)
    source = BatchSource(model, StrongestIndex(model.relevance.movie_vectors), NUM_MOVIES)
    lists = top_lists(source, EVERYONE, k)
    check_one_by_one(model, lists, [unseen(model, row) for row in EVERYONE], k)


@pytest.mark.parametrize("like_weight", [0.0, 0.25, 4.0])
def test_a_batch_finds_neighbours_that_are_not_among_the_strongest(like_weight: float) -> None:
    model = replace(random_model(), blend=Blend(neighbour_weight=100.0, like_weight=like_weight))
    few = np.arange(0, NUM_MOVIES, 4)
    is_weak = ~np.isin(np.arange(NUM_MOVIES), few)
    model.relevance.movie_vectors[is_weak, -1] -= 20
    source = BatchSource(model, StrongestIndex(model.relevance.movie_vectors[few], few), NUM_MOVIES)
    lists = top_lists(source, EVERYONE[1:], 4)
    exact = exhaustive_lists(model, EVERYONE[1:], 4)
    np.testing.assert_array_equal(lists.movie_rows, exact.movie_rows)
    assert is_weak[lists.movie_rows].any()


def test_the_cut_into_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(seed=4)
    whole = exhaustive_lists(model, EVERYONE, 7)
    monkeypatch.setattr("engine.model.histories._LOAD", 20)
    monkeypatch.setattr("engine.search.top_lists._MAX_SCORES", 2 * NUM_MOVIES)
    assert len(model.histories.batches(EVERYONE)) > 3
    cut = exhaustive_lists(model, EVERYONE, 7)
    np.testing.assert_array_equal(cut.movie_rows, whole.movie_rows)
    np.testing.assert_allclose(cut.scores, whole.scores, atol=1e-5)


def test_nobody_gets_no_lists() -> None:
    model = random_model()
    lists = exhaustive_lists(model, EVERYONE[:0], 3)
    assert lists.movie_rows.shape == (0, 3)
