from dataclasses import replace

import numpy as np
import pytest
from random_models import LEVELS, random_model

from engine.config import NeighboursConfig
from engine.neighbours import NeighbourTable
from engine.scorer import Blend, Model
from pipelines.dataset import Reviews, make_reviews
from pipelines.nearness import choose_nearness
from pipelines.neighbours import linear_table
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


@pytest.fixture
def parts() -> tuple[Model, Reviews, Reviews]:
    earlier, later = hold_out_last(reviews_of_two_tastes(), 0.25)
    model = replace(random_model(), histories=histories_of(earlier), blend=Blend())
    return model, earlier, later


def test_the_linear_model_stands_in_where_it_finds_more(parts: tuple[Model, Reviews, Reviews]) -> None:
    model, earlier, later = parts
    config = NeighboursConfig(linear_l2=1.0)
    table = linear_table(earlier, model.blend, config, config.linear_l2)
    start = replace(model, neighbours=nothing_near(), linear_neighbours=table)
    chosen, l2 = choose_nearness(start, earlier, later, config, seed=0)
    assert l2 in (0.2, 1.0, 4.0)
    assert chosen is not None
    if l2 == config.linear_l2:
        assert chosen is table


def test_co_reviews_stay_where_they_find_more(
    parts: tuple[Model, Reviews, Reviews], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, earlier, later = parts
    config = NeighboursConfig()
    table = linear_table(earlier, model.blend, config, 1.0)
    monkeypatch.setattr("pipelines.nearness.L2_FACTORS", (1.0,))
    start = replace(model, neighbours=table, linear_neighbours=nothing_near())
    assert choose_nearness(start, earlier, later, config, seed=0) == (None, None)


def test_a_catalogue_too_large_for_a_linear_model_has_no_choice(
    parts: tuple[Model, Reviews, Reviews],
) -> None:
    model, earlier, later = parts
    assert choose_nearness(model, earlier, later, NeighboursConfig(), seed=0) == (None, None)
