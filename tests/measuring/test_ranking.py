import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TrainingError
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.measuring import ranking
from pipelines.measuring.ranking import rank_held_out, top_movies

NUM_REVIEWERS, NUM_MOVIES = 6, 9
PAIRS = st.sets(st.tuples(st.integers(0, NUM_REVIEWERS - 1), st.integers(0, NUM_MOVIES - 1)))
SCORES = st.lists(st.integers(0, 3), min_size=NUM_REVIEWERS * NUM_MOVIES, max_size=NUM_REVIEWERS * NUM_MOVIES)


def reviews_of(pairs: set[tuple[int, int]]) -> Reviews:
    rows = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return make_reviews(
        rows[:, 0], rows[:, 1], None, None, num_reviewers=NUM_REVIEWERS, num_movies=NUM_MOVIES
    )


@settings(deadline=None)
@given(PAIRS, PAIRS, SCORES, st.integers(1, 12))
def test_rankings_are_those_of_a_sorted_list(
    seen: set[tuple[int, int]], relevant: set[tuple[int, int]], flat: list[int], k: int
) -> None:
    scores = np.array(flat, dtype=np.float32).reshape(NUM_REVIEWERS, NUM_MOVIES)
    found = rank_held_out(lambda rows: scores[rows], reviews_of(seen), reviews_of(relevant), k=(k,), batch=2)
    expected = {}
    for reviewer in range(NUM_REVIEWERS):
        wanted = {movie for who, movie in relevant - seen if who == reviewer}
        if wanted:
            unseen = [movie for movie in range(NUM_MOVIES) if (reviewer, movie) not in seen]
            best = sorted(unseen, key=lambda movie: (-scores[reviewer, movie], movie))[:k]
            gain = sum(1 / math.log2(place + 2) for place, movie in enumerate(best) if movie in wanted)
            ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(wanted))))
            expected[reviewer] = (best, gain / ideal)
    assert found.reviewer_rows.tolist() == list(expected)
    assert [[movie for movie in row if movie >= 0] for row in found.top.tolist()] == [
        best for best, _ in expected.values()
    ]
    assert found.figures[f"ndcg@{k}"] == pytest.approx([gain for _, gain in expected.values()])


def test_seen_movies_are_never_ranked() -> None:
    seen = reviews_of({(0, movie) for movie in range(NUM_MOVIES - 2)})
    top = top_movies(np.ones((1, NUM_MOVIES), np.float32), seen, np.array([0]), 4)
    assert top.tolist() == [[7, 8, -1, -1]]


def test_scores_that_are_given_are_not_changed() -> None:
    scores = np.ones((NUM_REVIEWERS, NUM_MOVIES), np.float32)
    top_movies(scores, reviews_of({(0, 0), (1, 3)}), np.arange(NUM_REVIEWERS), 3)
    assert (scores == 1).all()


def test_batches_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).normal(size=(NUM_REVIEWERS, NUM_MOVIES)).astype(np.float32)
    relevant = reviews_of({(reviewer, 2) for reviewer in range(NUM_REVIEWERS)})
    whole = rank_held_out(lambda rows: scores[rows], reviews_of(set()), relevant)
    monkeypatch.setattr(ranking, "_MAX_SCORES", NUM_MOVIES)
    sizes = []

    def score(rows: np.ndarray) -> np.ndarray:
        sizes.append(len(rows))
        return scores[rows]

    single = rank_held_out(score, reviews_of(set()), relevant)
    assert set(sizes) == {1}
    assert (single.top == whole.top).all()
    assert single.mean() == whole.mean()


def test_a_sample_of_reviewers_is_the_same_for_every_model() -> None:
    relevant = reviews_of({(reviewer, 2) for reviewer in range(NUM_REVIEWERS)})
    rankings = [
        rank_held_out(
            lambda rows, factor=factor: np.full((len(rows), NUM_MOVIES), factor, np.float32),
            reviews_of(set()),
            relevant,
            max_reviewers=3,
            seed=5,
        )
        for factor in (1, 2)
    ]
    assert rankings[0].reviewer_rows.tolist() == rankings[1].reviewer_rows.tolist()
    assert len(rankings[0]) == 3


def test_scores_that_are_not_numbers_are_a_clear_error() -> None:
    relevant = reviews_of({(0, 1)})
    with pytest.raises(TrainingError, match="not a number"):
        rank_held_out(
            lambda rows: np.full((len(rows), NUM_MOVIES), np.nan, np.float32), relevant, reviews_of({(0, 2)})
        )


def test_no_relevant_movie_at_all_gives_no_figure() -> None:
    found = rank_held_out(
        lambda rows: np.zeros((len(rows), NUM_MOVIES), np.float32), reviews_of(set()), reviews_of(set())
    )
    assert len(found) == 0
    assert math.isnan(found.mean()["ndcg@10"])
