"""Reviewers whose rows lie in a file are trained as if all rows were in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.networks import batches, paged_rows
from pipelines.networks.paged_rows import PagedRows, file_bytes, rows_of_block
from pipelines.training import loops
from pipelines.training.loops import Trained, train_relevance
from pipelines.work import checkpoints as kept
from pipelines.work.checkpoints import NOTHING_KEPT, Checkpoints, to_arrays

CONFIG = RelevanceConfig(embedding_dim=4, max_rounds=5)
NUM_REVIEWERS = 400
ROW = 4 * (3 * 4 + 1)
"""Bytes of the row of a reviewer."""
QUARTER = NUM_REVIEWERS * ROW // 4
"""A limit of memory of which all rows take four times as much."""


@pytest.fixture(scope="module")
def reviews() -> Reviews:
    generator = np.random.default_rng(5)
    return make_reviews(
        np.repeat(np.arange(NUM_REVIEWERS), 4),
        np.concatenate([generator.permutation(30)[:4] for _ in range(NUM_REVIEWERS)]),
        generator.integers(1, 6, 4 * NUM_REVIEWERS).astype(np.float64),
        np.arange(4 * NUM_REVIEWERS),
        num_reviewers=NUM_REVIEWERS,
        num_movies=30,
    )


@pytest.fixture(autouse=True)
def _rounds_take_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes successive rounds take different reviewers, as for large data."""
    monkeypatch.setattr(batches, "ROUND_EXAMPLES", 700)
    monkeypatch.setattr(paged_rows, "_ROWS_AT_ONCE", 64)


def train(
    reviews: Reviews,
    limit: int | None,
    monkeypatch: pytest.MonkeyPatch,
    checkpoints: Checkpoints = NOTHING_KEPT,
    validate: Any = None,
) -> Trained[RelevanceHead]:
    if limit is not None:
        monkeypatch.setattr(paged_rows, "size_in_bytes", lambda _text: limit)
    likes = reviews.likes(4.0)
    return train_relevance(reviews, likes, CONFIG, 3, validate=validate, checkpoints=checkpoints)


class Peaking:
    """Returns a figure that rises to the third round, and falls in later rounds."""

    def __init__(self, rounds: int = 0, stop: int | None = None) -> None:
        self._stop = stop
        self._rounds = rounds

    def __call__(self, head: RelevanceHead) -> float:
        if self._rounds == self._stop:
            raise KeyboardInterrupt
        self._rounds += 1
        return -abs(self._rounds - 3) + float(np.abs(head.reviewer_embeddings).mean())


def assert_same(one: Trained[RelevanceHead], other: Trained[RelevanceHead]) -> None:
    assert (one.rounds, one.losses, one.figures) == (other.rounds, other.losses, other.figures)
    for name, array in to_arrays(one.head).items():
        np.testing.assert_array_equal(array, to_arrays(other.head)[name], err_msg=name)


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("limit", [QUARTER, 1])
def test_blocks_of_rows_give_the_same_head_as_all_rows(
    reviews: Reviews, monkeypatch: pytest.MonkeyPatch, *, validated: bool, limit: int
) -> None:
    loads: list[int] = []
    load = PagedRows._load
    monkeypatch.setattr(PagedRows, "_load", lambda self, rows: (loads.append(len(rows)), load(self, rows)))

    def trained(memory: int | None) -> Trained[RelevanceHead]:
        return train(reviews, memory, monkeypatch, validate=Peaking() if validated else None)

    whole = trained(None)
    assert loads == []
    paged = trained(limit)
    assert_same(paged, whole)
    assert whole.rounds == (4 if validated else 5)
    assert len(loads) >= 4 * 5
    assert max(loads) < NUM_REVIEWERS / 4


def test_a_training_in_blocks_that_was_cut_off_ends_as_an_unbroken_one(
    reviews: Reviews, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loops, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(loops, "_SHARE_OF_SAVING", np.inf)
    monkeypatch.setattr(kept, "_MAPPED_FROM", 1000)  # So that rows are mapped from the checkpoint.
    unbroken = train(reviews, QUARTER, monkeypatch, validate=Peaking())
    with pytest.raises(KeyboardInterrupt):
        train(reviews, QUARTER, monkeypatch, Checkpoints(tmp_path), validate=Peaking(stop=4))
    resumed = train(reviews, QUARTER, monkeypatch, Checkpoints(tmp_path), validate=Peaking(rounds=4))
    assert_same(resumed, unbroken)
    assert all("@" in path.name for path in tmp_path.iterdir())


def test_rows_are_paged_only_where_they_take_too_much(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    config = replace(CONFIG, memory_limit="1MB")
    fits = 1_000_000 // ROW
    assert rows_of_block(fits, config, 10) is None
    assert file_bytes(fits, config) == 0
    assert caplog.text == ""
    assert rows_of_block(4 * fits, config, 10) == fits // 3
    assert file_bytes(4 * fits, config) == 4 * fits * (ROW + 16)
    assert "76,920 reviewers take 4.0 MB in training, more than relevance.memory_limit (1MB)" in caplog.text
    assert rows_of_block(4 * fits, config, 10_000) == 10_000
    assert rows_of_block(4 * fits, replace(config, reviewer_embeddings="none"), 10) is None


def test_reviewers_may_be_their_histories_alone(reviews: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, reviewer_embeddings="none")
    head = train_relevance(reviews, reviews.likes(4.0), config, 3).head
    assert head.reviewer_embeddings.shape == (NUM_REVIEWERS, 0)
    learned = train(reviews, None, monkeypatch).head
    assert learned.reviewer_embeddings.shape == (NUM_REVIEWERS, 4)
    rows = slice(2, 5)
    vector = learned.movie_vectors[7, :-1]
    np.testing.assert_array_equal(head.own_products(rows, vector), np.zeros(3))
    expected = learned.reviewer_embeddings[rows] @ vector
    np.testing.assert_array_equal(learned.own_products(rows, vector), expected)
