"""The local model, held against ridge regressions and a full decomposition in plain NumPy."""

import numpy as np
import pytest

from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.neighbours import local
from pipelines.neighbours.sparse import matrix_of, review_matrix

NUM_REVIEWERS, NUM_MOVIES = 40, 25


def some_reviews(seed: int = 0) -> Reviews:
    """Draws reviews of all movies but the last one."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 7, NUM_REVIEWERS)
    movies = np.concatenate([generator.permutation(NUM_MOVIES - 1)[:count] for count in counts])
    return make_reviews(
        np.repeat(np.arange(NUM_REVIEWERS), counts),
        movies,
        None,
        np.arange(len(movies)),
        num_reviewers=NUM_REVIEWERS,
        num_movies=NUM_MOVIES,
    )


def build(reviews: Reviews, weights: np.ndarray, num_neighbours: int = NUM_MOVIES) -> np.ndarray:
    [table] = local.local_neighbours(reviews, weights, penalties=[3.0], num_neighbours=num_neighbours)
    return matrix_of(table).toarray()


def weights_of(reviews: Reviews) -> np.ndarray:
    return np.random.default_rng(1).choice([0.3, 1.0], len(reviews))


def test_movies_are_predicted_from_those_that_share_reviewers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_FILTER_WEIGHT", 0.0)
    reviews = some_reviews()
    signals = review_matrix(reviews, weights_of(reviews)).toarray()
    found = build(reviews, weights_of(reviews))
    for movie in range(NUM_MOVIES):
        near = np.flatnonzero(signals.T @ signals[:, movie] > 0)
        near = near[near != movie]
        gram = signals[:, near].T @ signals[:, near] + 3.0 * np.eye(len(near))
        expected = np.zeros(NUM_MOVIES)
        expected[near] = np.linalg.solve(gram, signals[:, near].T @ signals[:, movie])
        np.testing.assert_allclose(found[:, movie], expected, atol=1e-5)


def test_tables_of_several_penalties_are_those_of_each_penalty_alone() -> None:
    reviews, weights = some_reviews(), weights_of(some_reviews())
    together = local.local_neighbours(reviews, weights, penalties=[1.0, 3.0], num_neighbours=NUM_MOVIES)
    np.testing.assert_allclose(matrix_of(together[1]).toarray(), build(reviews, weights), atol=1e-6)
    assert not np.allclose(matrix_of(together[0]).toarray(), build(reviews, weights), atol=1e-3)


def test_the_filter_lets_the_strongest_components_through(monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = some_reviews()
    monkeypatch.setattr(local, "_NUM_COMPONENTS", 4)
    with_filter = build(reviews, weights_of(reviews))
    monkeypatch.setattr(local, "_FILTER_WEIGHT", 0.0)
    without = build(reviews, weights_of(reviews))
    signals = review_matrix(reviews, weights_of(reviews)).toarray()
    by_reviewer = np.sqrt(np.maximum(signals.sum(axis=1), 1))
    by_movie = np.sqrt(np.maximum(signals.sum(axis=0), 1))
    components = np.linalg.svd(signals / by_reviewer[:, None] / by_movie)[2][:4]
    expected = components.T @ components / by_movie[:, None] * by_movie
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(with_filter - without, 0.3 * expected, atol=2e-3)


def test_the_strongest_neighbours_are_kept() -> None:
    reviews = some_reviews()
    every, few = (build(reviews, np.ones(len(reviews)), number) for number in (NUM_MOVIES, 5))
    for movie in range(NUM_MOVIES - 1):
        kept = np.flatnonzero(few[movie])
        assert len(kept) == 5
        np.testing.assert_allclose(few[movie, kept], every[movie, kept], atol=1e-6)
        assert np.abs(few[movie, kept]).min() >= np.sort(np.abs(every[movie]))[-6] - 1e-6


def test_few_movies_are_taken_into_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_MOST_INPUTS", 3)
    monkeypatch.setattr(local, "_FILTER_WEIGHT", 0.0)
    reviews = some_reviews()
    assert ((build(reviews, np.ones(len(reviews))) != 0).sum(axis=0) <= 3).all()


def test_pairs_of_reviews_are_counted() -> None:
    reviews = some_reviews()
    signals = review_matrix(reviews)
    assert local.num_pairs(reviews) == (signals.T @ signals).sum()
