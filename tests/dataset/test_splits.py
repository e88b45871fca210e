from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config.sections import Config, SplitConfig, load_config
from engine.errors import ConfigError
from pipelines.dataset.reviews import Reviews, histories_of, make_reviews
from pipelines.dataset.splits import follows_time, hold_out_last, in_order, is_drawn_anywhere
from pipelines.evaluation import evaluate as evaluation
from pipelines.training.fit import fit_model

QUICK = load_config(
    assignments=[
        *("relevance.embedding_dim=4", "relevance.max_rounds=2", "rating.max_rounds=2", "rating.dim=4"),
        *("split.max_holdouts=1", "relevance.num_members=1"),
    ]
)


def some_reviews(*, timed: bool = True) -> Reviews:
    rows = np.arange(400)
    return make_reviews(
        rows // 10,
        rows * 7 % 60,
        1.0 + rows % 5,
        rows if timed else None,
        num_reviewers=40,
        num_movies=60,
    )


def config_with(order: str) -> Config:
    return replace(QUICK, split=SplitConfig(order=order))


def test_time_counts_where_the_data_has_any() -> None:
    assert follows_time(some_reviews(), config_with("auto"))
    assert not follows_time(some_reviews(timed=False), config_with("auto"))
    assert follows_time(some_reviews(timed=False), config_with("time"))
    assert not follows_time(some_reviews(), config_with("none"))
    assert not follows_time(some_reviews().select(np.zeros(400, dtype=bool)), config_with("auto"))


@pytest.mark.parametrize("days", [40, 120, 400])
def test_what_is_drawn_at_random_is_told_from_what_comes_last(days: int) -> None:
    reviews = some_reviews()
    reviews = replace(reviews, times=reviews.times * days // 400)
    chance = np.random.default_rng(0)
    at_random = chance.random(400) < 0.2
    last = np.arange(400) % 10 >= 8
    told = days > 40  # Where all of a reviewer are equally old, there is nothing to tell.
    assert is_drawn_anywhere(reviews.select(~at_random), reviews.select(at_random)) == told
    assert not is_drawn_anywhere(reviews.select(~last), reviews.select(last))
    assert not is_drawn_anywhere(reviews, reviews.select(np.zeros(400, dtype=bool)))
    of_unknown_reviewers = reviews.reviewer_rows >= 20
    train, test = reviews.select(~of_unknown_reviewers), reviews.select(of_unknown_reviewers)
    assert not is_drawn_anywhere(train, test)


def test_reviewers_of_one_review_are_enough_to_tell() -> None:
    reviews = some_reviews()
    single = reviews.select(np.arange(400) % 10 < 2)
    first = np.arange(80) % 2 == 0
    mixed = np.random.default_rng(1).random(40).round().astype(bool).repeat(2) ^ first
    assert is_drawn_anywhere(single.select(mixed), single.select(~mixed))
    assert not is_drawn_anywhere(single.select(first), single.select(~first))


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"split\.order.*auto, time, none"):
        SplitConfig(order="backwards")


def test_without_an_order_what_is_held_out_lies_anywhere_in_a_history() -> None:
    reviews = some_reviews()
    mixed = in_order(reviews, config_with("none"))
    assert in_order(reviews, config_with("time")) is reviews
    np.testing.assert_array_equal(mixed.reviewer_rows, reviews.reviewer_rows)
    for one in range(40):
        own, before = mixed.reviewer_rows == one, reviews.reviewer_rows == one
        pairs = zip(mixed.movie_rows[own], mixed.times[own], mixed.level_rows[own], strict=True)
        assert sorted(pairs) == sorted(
            zip(reviews.movie_rows[before], reviews.times[before], reviews.level_rows[before], strict=True)
        )
    train, held_out = hold_out_last(mixed, 0.2)
    last = [train.times[train.reviewer_rows == row].max() for row in held_out.reviewer_rows]
    assert 0.5 < np.mean(held_out.times < last) < 1.0


def test_a_model_of_unordered_reviews_does_not_fade_them_and_keeps_histories_by_time() -> None:
    reviews = some_reviews()
    model = fit_model(reviews, config_with("none")).model
    assert model.relevance.recency_power == 0
    np.testing.assert_array_equal(model.histories.movie_rows, histories_of(reviews).movie_rows)
    assert fit_model(reviews, config_with("auto")).model.relevance.recency_power == 0.4


def write_reviews(path: Path, rows: np.ndarray) -> Path:
    lines = [f"R{row // 10},M{row * 7 % 60},{1 + row % 5},{1_500_000_000 + row}" for row in rows.tolist()]
    path.write_text("\n".join(["reviewer,movie,rating,time", *lines]))
    return path


def order_of_fit(monkeypatch: pytest.MonkeyPatch, **asked: Any) -> str:
    """The order in which the engine's own model is trained in an evaluation, which then ends."""
    seen = []

    def no_fit(_reviews: Reviews, config: Config, **_given: object) -> None:
        seen.append(config.split.order)
        raise InterruptedError

    monkeypatch.setattr("pipelines.evaluation.models.fit_model", no_fit)
    with pytest.raises(InterruptedError):
        evaluation.evaluate(models=("ncf",), **asked)
    return seen[0]


@pytest.mark.parametrize(
    ("protocol", "order"),
    [("random", "none"), ("folds", "none"), ("last-share", "auto"), ("temporal", "auto")],
)
def test_training_is_validated_on_what_the_protocol_holds_out(
    protocol: str, order: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = write_reviews(tmp_path / "reviews.csv", np.arange(400))
    assert order_of_fit(monkeypatch, reviews=(source,), protocol=protocol) == order


@pytest.mark.parametrize(("held_out", "order"), [("random", "none"), ("last", "auto")])
def test_training_is_validated_on_what_a_given_test_file_holds_out(
    held_out: str, order: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = np.arange(400)
    chosen = np.random.default_rng(0).random(400) < 0.2 if held_out == "random" else rows % 10 >= 8
    train = write_reviews(tmp_path / "train.csv", rows[~chosen])
    test = write_reviews(tmp_path / "test.csv", rows[chosen])
    assert order_of_fit(monkeypatch, pairs=[(train, test)]) == order
