"""The two heads of a model: trained one after another or at the same time, they come out the same."""

import threading

import numpy as np
import pytest

from engine.config.sections import load_config
from pipelines.dataset.reviews import make_reviews
from pipelines.training import one_model
from pipelines.training.fit import first_blend
from pipelines.training.loops import train_rating
from pipelines.training.one_model import TrainedModel, begin_model
from pipelines.work.checkpoints import NOTHING_KEPT

CONFIG = load_config(assignments=("relevance.embedding_dim=4", "relevance.num_members=1", "rating.dim=4"))
ROUNDS = {"relevance": 3, "rating": 2}


def trained() -> TrainedModel:
    generator = np.random.default_rng(0)
    num_reviewers, each = 40, 6
    reviews = make_reviews(
        np.repeat(np.arange(num_reviewers), each),
        np.concatenate([generator.permutation(60)[:each] for _ in range(num_reviewers)]),
        generator.integers(1, 6, num_reviewers * each).astype(np.float64),
        np.arange(num_reviewers * each),
        num_reviewers=num_reviewers,
        num_movies=60,
        levels=np.arange(1, 6, dtype=np.float32),
    )
    blend = first_blend(reviews, CONFIG)
    return begin_model(reviews, blend, CONFIG, [], None, NOTHING_KEPT, rounds=ROUNDS)()


def test_heads_that_are_trained_at_the_same_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    in_turn = trained().model
    threads = []

    def noted(*arguments: object, **options: object) -> object:
        threads.append(threading.current_thread())
        return train_rating(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(one_model, "train_rating", noted)
    monkeypatch.setattr(one_model, "ONE_THREAD_UP_TO", 0)
    at_once = trained().model
    assert threads != [threading.main_thread()]
    assert in_turn.rating is not None
    assert at_once.rating is not None
    for one, other in (
        (in_turn.relevance.movie_vectors, at_once.relevance.movie_vectors),
        (in_turn.relevance.reviewer_embeddings, at_once.relevance.reviewer_embeddings),
        (in_turn.rating.movie_vectors, at_once.rating.movie_vectors),
        (in_turn.rating.kernels[0], at_once.rating.kernels[0]),
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)
