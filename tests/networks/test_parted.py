"""Reviewers that are divided into parts are learned as well as in one training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config.sections import RelevanceConfig
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.networks.parted import averaged
from pipelines.training import loops
from pipelines.training.loops import Trained, train_relevance
from pipelines.training.validation import ndcg_of
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints, to_arrays

CONFIG = RelevanceConfig(embedding_dim=8, max_rounds=8, num_parts=2)
NUM_REVIEWERS, NUM_MOVIES, NUM_TASTES = 400, 60, 6


@pytest.fixture(scope="module")
def reviews() -> Reviews:
    """Everyone reviews movies of one of six tastes."""
    generator = np.random.default_rng(5)
    places = np.concatenate(
        [generator.permutation(NUM_MOVIES // NUM_TASTES)[:6] for _ in range(NUM_REVIEWERS)]
    )
    tastes = np.repeat(generator.integers(NUM_TASTES, size=NUM_REVIEWERS), 6)
    return make_reviews(
        np.repeat(np.arange(NUM_REVIEWERS), 6),
        places * NUM_TASTES + tastes,
        None,
        np.arange(6 * NUM_REVIEWERS),
        num_reviewers=NUM_REVIEWERS,
        num_movies=NUM_MOVIES,
    )


def train(
    reviews: Reviews, config: RelevanceConfig, checkpoints: Checkpoints = NOTHING_KEPT, stop: int = -1
) -> Trained[Any]:
    """Trains without each reviewer's last review, and is interrupted after `stop` rounds."""
    kept, held_out = hold_out_last(reviews, 0.2)
    measure, rounds = ndcg_of(kept, held_out, 0), iter(range(stop))

    def validate(head: Any) -> float:
        if stop >= 0 and next(rounds, None) is None:
            raise KeyboardInterrupt
        return measure(head)

    likes = kept.likes(4.0)
    return train_relevance(kept, likes, config, 3, validate=validate, checkpoints=checkpoints)


def test_two_parts_rank_as_well_as_one(reviews: Reviews) -> None:
    parted, whole = train(reviews, CONFIG), train(reviews, replace(CONFIG, num_parts=1))
    assert max(whole.figures) > 2 * whole.figures[0]
    assert max(parted.figures) > 0.95 * max(whole.figures)
    embeddings = parted.head.reviewer_embeddings
    assert embeddings.shape == (NUM_REVIEWERS, 8)
    assert len(np.unique(embeddings, axis=0)) == NUM_REVIEWERS


def test_a_parted_training_that_was_cut_off_ends_as_an_unbroken_one(
    reviews: Reviews, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loops, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(loops, "_SHARE_OF_SAVING", np.inf)
    config = replace(CONFIG, max_rounds=3)
    unbroken = train(reviews, config)
    with pytest.raises(KeyboardInterrupt):
        train(reviews, config, Checkpoints(tmp_path), stop=2)
    resumed = train(reviews, config, Checkpoints(tmp_path))
    assert resumed.figures == unbroken.figures
    for name, array in to_arrays(unbroken.head).items():
        np.testing.assert_array_equal(to_arrays(resumed.head)[name], array, err_msg=name)


def test_more_parts_than_reviewers_are_no_error(reviews: Reviews) -> None:
    few = reviews.select(reviews.reviewer_rows < 2)
    config = replace(CONFIG, num_parts=5, max_rounds=1)
    head = train_relevance(few, few.likes(4.0), config, 3).head
    assert np.isfinite(head.movie_vectors).all()


def test_a_row_counts_as_often_as_a_part_has_updated_it() -> None:
    before = [[np.zeros((4, 1), np.float32), np.ones((4, 1), np.float32), np.full((4, 1), 5, np.float32)]]
    first = [[np.full((4, 1), 1.0), np.full((4, 1), 2.0), np.array([[5], [6], [8], [5]])]]
    second = [[np.full((4, 1), 3.0), np.full((4, 1), 4.0), np.array([[5], [6], [6], [9]])]]
    [[table, squares, updates]] = averaged(before, [first, second])
    assert table.ravel().tolist() == [0.0, 2.0, 1.5, 3.0]
    assert squares.ravel().tolist() == [1.0, 3.0, 2.5, 4.0]
    assert updates.ravel().tolist() == [5, 7, 9, 9]
