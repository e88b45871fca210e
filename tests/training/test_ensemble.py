from dataclasses import replace

import numpy as np
import pytest
from random_models import DIM, NUM_MOVIES, NUM_REVIEWERS, random_model

from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from engine.model.histories import Histories, History
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.training import ensemble
from pipelines.training.ensemble import side_by_side, train_members


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
