"""The table of similar movies, held against the sum of all parts; and the weights of these parts."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from no_traits import NO_LINKS, no_traits
from random_models import NUM_MOVIES, random_model

from engine.model.scorer import Model
from engine.model.similar import SimilarTable
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.similar import likeness
from pipelines.similar.evidence import Evidence, in_units
from pipelines.similar.learning import choose_weights
from pipelines.similar.likeness import Weights, similar_table
from pipelines.similar.traits import Traits

WEIGHTS = Weights(
    sittings=0.3, likes=0.1, vectors=0.2, categories=0.25, words=0.15, series=0.4, shrinkage=2.0
)


def some_traits(seed: int = 0) -> Traits:
    generator = np.random.default_rng(seed)

    def unit(dim: int) -> np.ndarray:
        vectors = generator.random((NUM_MOVIES, dim)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    series = generator.integers(-1, 12, NUM_MOVIES)
    return Traits(
        categories=unit(4),
        words=unit(7),
        series=series,
        titles=np.arange(NUM_MOVIES),
        years=generator.integers(1950, 2000, NUM_MOVIES).astype(np.float32),
        links=NO_LINKS,
    )


@pytest.mark.parametrize("compared", [NUM_MOVIES, 7])
def test_the_table_holds_the_highest_sums_of_all_parts(
    compared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "NUM_SIMILAR", 12)
    monkeypatch.setattr(likeness, "MOST_COMPARED", compared)
    monkeypatch.setattr(likeness, "_SCORES_AT_ONCE", 9 * NUM_MOVIES)
    model, traits = random_model(lengths=[30] * 20), some_traits()
    table = similar_table(Evidence(model, traits), WEIGHTS)
    evidence = Evidence(model, traits)
    sittings, likes = evidence.pairs(np.arange(NUM_MOVIES))
    parts = {
        "sittings": in_units(sittings, WEIGHTS.shrinkage).toarray(),
        "likes": in_units(likes, WEIGHTS.shrinkage).toarray(),
        "vectors": evidence.vectors @ evidence.vectors.T,
        "categories": traits.categories @ traits.categories.T,
        "words": traits.words @ traits.words.T,
    }
    scores = sum(getattr(WEIGHTS, name) * part for name, part in parts.items())
    for row in range(NUM_MOVIES):
        others = traits.of_one_series(row)
        scores[row, others] += WEIGHTS.series * traits.nearness_in_series(row, others)
    scores /= 1 + WEIGHTS.series
    np.fill_diagonal(scores, -np.inf)
    for row in range(NUM_MOVIES):
        rows, similarities, shared = table.of(row)
        assert row not in rows
        np.testing.assert_allclose(similarities, scores[row, rows], atol=1e-5)
        assert (np.diff(similarities) <= 0).all()
        assert len(shared) == len(rows)
        if compared == NUM_MOVIES:
            np.testing.assert_allclose(similarities, np.sort(scores[row])[::-1][:12], atol=1e-5)


def test_weights_are_restored_and_none_may_be_missing() -> None:
    assert Weights.from_dict(asdict(WEIGHTS)) == WEIGHTS
    with pytest.raises(ValueError, match="series"):
        Weights.from_dict({name: value for name, value in asdict(WEIGHTS).items() if name != "series"})


def planted(by_category: bool) -> tuple[Model, Reviews, Traits]:
    """Movies of ten kinds; held-out reviews are of the kind of the last review, and metadata may tell it."""
    generator = np.random.default_rng(1)
    kinds = np.arange(NUM_MOVIES) % 10
    model = random_model(lengths=[6] * 60, num_movies=NUM_MOVIES)
    last = model.histories.movie_rows[model.histories.offsets[1:] - 1]
    reviewers = np.repeat(np.arange(60), 3)
    movies = np.concatenate([generator.choice(np.flatnonzero(kinds == kinds[row]), 3, False) for row in last])
    held_out = make_reviews(
        reviewers,
        movies,
        None,
        np.arange(180),
        num_reviewers=60,
        num_movies=NUM_MOVIES,
    )
    telling, noise = np.eye(10, dtype=np.float32)[kinds], some_traits(5).categories
    traits = replace(
        no_traits(NUM_MOVIES),
        categories=telling if by_category else noise,
        words=noise if by_category else telling,
    )
    return model, held_out, traits


@pytest.mark.parametrize("by_category", [True, False])
def test_the_part_that_tells_what_comes_together_weighs_most(by_category: bool) -> None:
    model, held_out, traits = planted(by_category)
    found = choose_weights(model, held_out, traits, seed=3)
    telling, noise = (found.categories, found.words) if by_category else (found.words, found.categories)
    assert telling > noise
    parts = (found.sittings, found.likes, found.vectors, found.categories, found.words)
    assert sum(parts) == pytest.approx(1.0)
    assert telling > 0.3
    assert choose_weights(model, held_out, traits, seed=3) == found


def test_links_teach_weights_where_nothing_is_held_out() -> None:
    model, held_out, traits = planted(by_category=True)
    kinds = np.arange(NUM_MOVIES) % 10
    links = np.argwhere((kinds[:, None] == kinds) & ~np.eye(NUM_MOVIES, dtype=bool))
    nothing = held_out.select(np.zeros(len(held_out), dtype=bool))
    found = choose_weights(model, nothing, replace(traits, links=links), seed=3)
    assert found.categories > found.words


def test_without_questions_the_weights_are_even() -> None:
    model, held_out, _ = planted(by_category=True)
    nothing = held_out.select(np.zeros(len(held_out), dtype=bool))
    assert choose_weights(model, nothing, no_traits(NUM_MOVIES), seed=3) == Weights()


def test_films_near_in_time_come_first_in_a_series() -> None:
    traits = replace(
        no_traits(5),
        series=np.array([0, 0, 0, 0, -1]),
        titles=np.arange(5),
        years=np.array([1980, 1983, 1999, np.nan, 1980], dtype=np.float32),
    )
    assert traits.of_one_series(0).tolist() == [1, 2, 3]
    near = traits.nearness_in_series(0, np.array([1, 2, 3]))
    assert near[0] > near[2] > near[1] >= 0.5
    assert traits.neighbours_in_series()[:2] == [(0, 1), (1, 2)]
    assert traits.take(np.array([0, 2, 4])).of_one_series(0).tolist() == [1]


def test_a_table_is_not_opened_where_an_index_has_none() -> None:
    class Older:
        def has(self, name: str) -> bool:
            return not name.startswith("similar_")

    assert SimilarTable.open(Older()) is None  # type: ignore[arg-type]
