from dataclasses import replace

import numpy as np
import pytest
from random_models import LEVELS, random_model

from engine.config import IngestConfig, NeighboursConfig
from engine.neighbours import NeighbourTable
from engine.scorer import Blend, Model
from pipelines.dataset import Reviews, make_reviews
from pipelines.nearness import choose_nearness, nearness_options
from pipelines.neighbours import Nearness, build_neighbours
from pipelines.split import hold_out_last
from pipelines.validation import histories_of

NUM_REVIEWERS, NUM_MOVIES = 12, 50  # those of a random model


def reviews_of_two_tastes() -> Reviews:
    generator = np.random.default_rng(0)
    movies = [
        generator.permutation(NUM_MOVIES // 2)[:12] + (row % 2) * (NUM_MOVIES // 2) for row in range(12)
    ]
    return make_reviews(
        np.repeat(np.arange(NUM_REVIEWERS), 12),
        np.concatenate(movies),
        np.full(12 * NUM_REVIEWERS, 5.0),
        np.arange(12 * NUM_REVIEWERS),
        num_reviewers=NUM_REVIEWERS,
        num_movies=NUM_MOVIES,
        levels=LEVELS,
    )


def nothing_near() -> NeighbourTable:
    return NeighbourTable(np.zeros(NUM_MOVIES + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))


def tables_of(reviews: Reviews, *wanted: Nearness) -> dict[Nearness, NeighbourTable]:
    limits = IngestConfig(memory_limit="500MB", threads=1)
    return build_neighbours(reviews, Blend(), NeighboursConfig(), limits, wanted).near


@pytest.fixture
def parts() -> tuple[Model, Reviews, Reviews]:
    earlier, later = hold_out_last(reviews_of_two_tastes(), 0.25)
    model = replace(random_model(), histories=histories_of(earlier), blend=Blend())
    return model, earlier, later


def test_the_table_that_finds_most_stands_in(parts: tuple[Model, Reviews, Reviews]) -> None:
    model, earlier, later = parts
    linear, damped = Nearness("linear", 1.0), Nearness("damped", 5.0)
    telling = {linear: tables_of(earlier, linear)[linear], damped: tables_of(earlier, damped)[damped]}
    model = replace(model, neighbours=nothing_near())
    for best in (linear, damped):
        tables = {nearness: nothing_near() for nearness in telling} | {best: telling[best]}
        assert choose_nearness(model, tables, earlier, later, seed=0) == best


def test_co_reviews_stay_where_they_find_more(parts: tuple[Model, Reviews, Reviews]) -> None:
    model, earlier, later = parts
    linear = Nearness("linear", 1.0)
    model = replace(model, neighbours=tables_of(earlier, linear)[linear])
    assert choose_nearness(model, {linear: nothing_near()}, earlier, later, seed=0) is None
    assert choose_nearness(model, {}, earlier, later, seed=0) is None


def test_a_catalogue_too_large_for_a_linear_model_may_have_damped_co_reviews() -> None:
    config = NeighboursConfig(linear_up_to=100, linear_l2=10.0, damping=5.0)
    assert {nearness.form for nearness in nearness_options(101, config)} == {"damped"}
    small = nearness_options(100, config)
    assert {nearness.form for nearness in small} == {"damped", "linear"}
    assert Nearness("linear", 10.0) in small
    assert Nearness("damped", 5.0) in small
