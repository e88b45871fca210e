"""What speaks for the likeness of two movies, held against plain Python."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from no_traits import no_traits
from random_models import NUM_MOVIES, random_model

from engine.model.neighbours import NeighbourTable
from engine.model.scorer import Model
from pipelines.similar.evidence import SITTING, Evidence, in_units


def of(model: Model) -> Evidence:
    return Evidence(model, no_traits(NUM_MOVIES))


def histories_of(model: Model) -> list[tuple[list[int], list[int]]]:
    return [
        (model.histories.of(row).movie_rows.tolist(), model.histories.of(row).level_rows.tolist())
        for row in range(len(model.histories))
    ]


def test_sittings_count_reviews_near_each_other() -> None:
    model = random_model(lengths=[0, 3, 40, 25, 1])
    counted: Counter[tuple[int, int]] = Counter()
    for movies, _ in histories_of(model):
        for place, movie in enumerate(movies):
            for other_place, other in enumerate(movies):
                if 0 < abs(place - other_place) <= SITTING:
                    counted[movie, other] += 1 / math.sqrt(abs(place - other_place))
    totals = Counter[int]()
    for (movie, _), count in counted.items():
        totals[movie] += count
    found = of(model).pairs(np.arange(NUM_MOVIES)).sittings.toarray()
    for movie in range(NUM_MOVIES):
        for other in range(NUM_MOVIES):
            expected = totals[movie] * totals[other] / totals.total()
            beyond = (counted[movie, other] - expected) / math.sqrt(expected + 3)
            assert found[movie, other] == pytest.approx(max(beyond, 0) * (movie != other), abs=1e-5)


@pytest.mark.parametrize("ordered", [True, False])
def test_likes_count_reviewers_who_liked_both(ordered: bool) -> None:
    model = random_model(lengths=[4, 30, 25, 40])
    if not ordered:
        model = replace(model, relevance=replace(model.relevance, recency_power=0.0))
    pairs = of(model).pairs(np.array([3, 7]))
    for kind, least in (("likes", 3), *(() if ordered else (("sittings", 0),))):
        found = getattr(pairs, kind).toarray()
        chosen = [
            [movie for movie, level in zip(*history, strict=True) if level >= least]
            for history in histories_of(model)
        ]
        counts = Counter(movie for movies in chosen for movie in movies)
        num_pairs = sum(len(movies) * (len(movies) - 1) for movies in chosen)
        for place, movie in enumerate((3, 7)):
            for other in set(range(NUM_MOVIES)) - {movie}:
                both = sum(movie in movies and other in movies for movies in chosen)
                expected = counts[movie] * counts[other] * num_pairs / counts.total() ** 2
                beyond = max((both - expected) / math.sqrt(expected + 3), 0)
                assert found[place, other] == pytest.approx(beyond, abs=1e-5)


def test_shared_reviewers_are_counted_in_whole_histories() -> None:
    model = random_model()
    reviewed = [set(movies) for movies, _ in histories_of(model)]
    others = np.tile(np.array([9, 2, 5], dtype=np.int32), NUM_MOVIES)
    table = NeighbourTable(3 * np.arange(NUM_MOVIES + 1), others, np.ones(len(others), np.float32))
    pairs = zip(np.repeat(np.arange(NUM_MOVIES), 3).tolist(), others.tolist(), strict=True)
    expected = [sum({movie, other} <= movies for movies in reviewed) for movie, other in pairs]
    assert of(model).shared(table).tolist() == expected


def test_the_unit_of_a_row_is_the_mean_of_its_ten_highest_values() -> None:
    values = of(random_model(lengths=[40] * 30)).pairs(np.arange(NUM_MOVIES)).likes
    scaled = in_units(values, 2.0).toarray()
    whole = values.toarray()
    units = np.sort(whole, axis=1)[:, -10:].mean(axis=1) + 2.0
    np.testing.assert_allclose(scaled, whole / units[:, None], atol=1e-5)
