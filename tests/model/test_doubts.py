"""The relevance of cold movies is lowered by the doubt of the reviewer, however relevance is computed."""

from dataclasses import replace

import numpy as np
from random_models import NUM_MOVIES, NUM_REVIEWERS, random_model, with_doubts

from engine.model.scorer import ALL, Model

EVERYONE = np.arange(NUM_REVIEWERS)


def relevance(model: Model) -> np.ndarray:
    return np.stack([model.rescore(model.reviewer(int(row)), ALL).relevance for row in EVERYONE])


def test_only_cold_movies_are_lowered_by_the_part_that_their_biases_do_not_include() -> None:
    plain = random_model()
    model = with_doubts(plain)
    assert model.doubts is not None
    doubts, queries = model.doubts, plain.reviewers(EVERYONE).queries.astype(np.float64)
    lengths = np.linalg.norm(queries @ doubts.errors.astype(np.float64), axis=1)
    expected = np.maximum(lengths - doubts.included, 0)[:, None] * doubts.is_cold
    assert 0 < (expected > 0).mean() < 1
    np.testing.assert_allclose(relevance(plain) - relevance(model), expected, atol=1e-4)


def test_pairs_of_reviewer_and_movie_are_lowered_in_the_same_way() -> None:
    model = with_doubts(random_model())
    places, rows = np.divmod(np.arange(NUM_REVIEWERS * NUM_MOVIES), NUM_MOVIES)
    pairs = model.relevance_of_pairs(model.reviewers(EVERYONE), places, rows)
    np.testing.assert_allclose(pairs.reshape(NUM_REVIEWERS, -1), relevance(model), atol=1e-4)


def test_no_doubt_lowers_nothing() -> None:
    plain = random_model()
    model = with_doubts(plain)
    assert model.doubts is not None
    certain = replace(model, doubts=replace(model.doubts, errors=0 * model.doubts.errors, included=0.0))
    np.testing.assert_array_equal(relevance(certain), relevance(plain))
