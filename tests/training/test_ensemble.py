from dataclasses import replace

import numpy as np
import pytest
from random_models import DIM, NUM_MOVIES, NUM_REVIEWERS, random_model

from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from engine.model.histories import Histories, History
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.training import ensemble, loops
from pipelines.training.ensemble import apart, side_by_side, train_members


def some_heads(count: int) -> list[RelevanceHead]:
    heads = [random_model(seed=seed).relevance for seed in range(count)]
    return [replace(head, level_weights=heads[0].level_weights) for head in heads]


def some_reviews() -> Reviews:
    generator = np.random.default_rng(0)
    reviewers = np.repeat(np.arange(40), 8)
    movies = np.concatenate([generator.permutation(25)[:8] for _ in range(40)])
    return make_reviews(
        reviewers,
        movies,
        generator.integers(1, 6, len(movies)).astype(float),
        np.arange(len(movies)),
        num_reviewers=40,
        num_movies=25,
    )


def test_heads_side_by_side_score_the_mean_of_their_scores() -> None:
    heads = some_heads(3)
    joined = side_by_side(heads)
    assert joined.embedding_dim == 3 * DIM
    histories = Histories.of_one(History(np.array([3, 8, 1], np.int32), np.array([0, 4, 2], np.int8)))
    for rows in (None, np.array([NUM_REVIEWERS - 1])):
        single = [head.score(head.queries(rows, histories)[0], slice(None)) for head in heads]
        found = joined.score(joined.queries(rows, histories)[0], slice(None))
        np.testing.assert_allclose(found, np.mean(single, axis=0), atol=1e-5)
    assert len(found) == NUM_MOVIES


def test_one_head_is_itself() -> None:
    (head,) = some_heads(1)
    assert side_by_side([head]) is head


def test_a_joined_head_comes_apart_into_its_heads() -> None:
    heads = some_heads(3)
    bias = np.mean([head.movie_vectors[:, -1] for head in heads], axis=0)
    for found, head in zip(apart(side_by_side(heads), DIM), heads, strict=True):
        np.testing.assert_allclose(found.movie_vectors[:, :-1], head.movie_vectors[:, :-1], atol=1e-6)
        np.testing.assert_allclose(found.movie_vectors[:, -1], bias, atol=1e-6)
        np.testing.assert_array_equal(found.history_vectors, head.history_vectors)
        np.testing.assert_array_equal(found.reviewer_embeddings, head.reviewer_embeddings)
    assert [len(apart(head, DIM)) for head in heads] == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("num_members", "num_parts", "block_rows"), [(2, 1, None), (1, 2, None), (1, 1, 30)])
def test_a_training_starts_from_the_head_that_is_given(
    monkeypatch: pytest.MonkeyPatch, num_members: int, num_parts: int, block_rows: int | None
) -> None:
    monkeypatch.setattr(loops, "rows_of_block", lambda *_: block_rows)
    reviews = some_reviews()
    config = RelevanceConfig(embedding_dim=4, num_members=num_members, num_parts=num_parts)
    start = train_members(reviews, reviews.likes(4.0), config, 7, rounds=2).head
    still = replace(config, learning_rate=1e-12)
    same = train_members(reviews, reviews.likes(4.0), still, 7, rounds=1, start=start).head
    further = train_members(reviews, reviews.likes(4.0), config, 7, rounds=1, start=start).head
    np.testing.assert_array_equal(further.level_weights, start.level_weights)
    for name in ("movie_vectors", "history_vectors", "reviewer_embeddings"):
        np.testing.assert_allclose(getattr(same, name), getattr(start, name), atol=1e-6, err_msg=name)
        assert np.abs(getattr(further, name) - getattr(start, name)).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("members_up_to", "expected"), [(1000, 2), (319, 1)])
def test_few_reviews_get_several_heads_and_many_get_one(
    monkeypatch: pytest.MonkeyPatch, members_up_to: int, expected: int
) -> None:
    monkeypatch.setattr(ensemble, "MEMBERS_UP_TO", members_up_to)
    reviews = some_reviews()
    config = RelevanceConfig(embedding_dim=4, num_members=2)
    trained = train_members(reviews, reviews.likes(4.0), config, 7, rounds=2)
    assert trained.rounds == 2
    assert trained.head.embedding_dim == 4 * expected
    vectors = np.split(trained.head.movie_vectors[:, :-1], expected, axis=1)
    assert all(not np.allclose(vectors[0], other) for other in vectors[1:])
