"""The cheap baselines of a build: measured on the same reviews, and left out where the build is too large."""

import numpy as np
import pytest

from engine.config.sections import Config, load_config
from engine.errors import ConfigError
from pipelines.baselines.rankers import ItemNeighbours
from pipelines.building.quality import measure_baselines
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.dataset.splits import hold_out_last
from pipelines.measuring.ranking import rank_held_out


def some_reviews(*, rated: bool = False, num_reviewers: int = 60) -> Reviews:
    generator = np.random.default_rng(2)
    rows = np.repeat(np.arange(num_reviewers), 6)
    movies = np.concatenate([generator.permutation(20)[:6] for _ in range(num_reviewers)])
    ratings = generator.integers(1, 6, len(rows)).astype(np.float64) if rated else None
    return make_reviews(
        rows, movies, ratings, np.arange(len(rows)), num_reviewers=num_reviewers, num_movies=20
    )


def test_baselines_are_measured_on_what_the_build_holds_out() -> None:
    reviews = some_reviews()
    found = measure_baselines(reviews, Config())
    train, held_out = hold_out_last(reviews, 0.2)
    expected = rank_held_out(ItemNeighbours(train).score, train, held_out).mean()
    assert found.figures["item-knn"] == pytest.approx(expected)
    assert set(found.figures) == {"item-knn", "ease"}
    assert found.left_out is None


@pytest.mark.parametrize("setting", ["report.baselines_up_to=359", "report.baselines_up_to=0"])
def test_a_build_that_is_too_large_says_so_and_trains_nothing(setting: str) -> None:
    found = measure_baselines(some_reviews(), load_config(assignments=[setting]))
    assert found.figures == {}
    assert found.left_out is not None
    assert "engine evaluate measures them" in found.left_out


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_too_little_to_hold_out_is_no_error(share: float) -> None:
    config = load_config(assignments=[f"split.test_share={share}"])
    single = some_reviews().select(np.arange(360) % 6 == 0)
    assert measure_baselines(single, config).left_out == "Too little was held out to measure baselines on."


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"report\.baselines_up_to"):
        load_config(assignments=["report.baselines_up_to=-1"])


def test_no_network_is_trained_and_biases_are_measured_where_there_are_ratings() -> None:
    found = measure_baselines(some_reviews(rated=True), Config())
    assert set(found.figures) == {"item-knn", "ease", "biases"}
    assert {"ndcg@10", "mae", "rmse"} <= set(found.figures["biases"])
    assert "mae" not in found.figures["item-knn"]


def test_the_absence_of_ease_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.building.quality._EASE_UP_TO", 19)
    found = measure_baselines(some_reviews(), Config())
    assert set(found.figures) == {"item-knn"}
    assert found.left_out is not None
    assert "EASE was left out" in found.left_out
