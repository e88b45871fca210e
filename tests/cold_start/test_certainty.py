"""How sure metadata is of a movie differs between reviewers, and decides whose lists a cold movie enters."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_index import DIM, NUM_MOVIES, make_model

from engine.config.sections import ColdConfig
from engine.model.scorer import Model
from engine.search.top_lists import exhaustive_lists
from pipelines.cold_start.certainty import relevance_errors, vectors_as_if_cold
from pipelines.cold_start.joining import join_cold_movies, learn_cold_start
from pipelines.cold_start.mapping import MovieVectors
from pipelines.dataset.words import count_words

NUM_KINDS, TOLD = 20, DIM // 2
"""The words of a movie tell its kind, and the kind tells the first `TOLD` numbers of its vector."""
ROWS = np.arange(NUM_MOVIES)
EVERYONE = np.arange(60)


def words_of(rows: np.ndarray) -> Any:
    return count_words([{"title": f"Film {row}", "category": f"Kind {row % NUM_KINDS}"} for row in rows])


@pytest.fixture(scope="module")
def model() -> Model:
    """A model in which half of the reviewers ask for what words tell, and half for what words do not tell."""
    generator = np.random.default_rng(3)
    model = make_model(len(EVERYONE))
    vectors = generator.normal(size=(NUM_MOVIES, DIM + 1)).astype(np.float32)
    vectors[:, :TOLD] = 2 * generator.normal(size=(NUM_KINDS, TOLD))[ROWS % NUM_KINDS]
    vectors[:, -1] = 0.0
    embeddings = np.zeros((len(EVERYONE), DIM), dtype=np.float32)
    embeddings[::2, :TOLD] = embeddings[1::2, TOLD:] = 2.0
    head = replace(
        model.relevance,
        movie_vectors=vectors,
        history_vectors=np.zeros_like(model.relevance.history_vectors),
        reviewer_embeddings=embeddings,
    )
    return replace(model, relevance=head, blend=replace(model.blend, like_weight=0.0, neighbour_weight=0.0))


def test_the_error_is_larger_for_reviewers_of_whose_taste_words_tell_nothing(model: Model) -> None:
    mapping = learn_cold_start(model, words_of(ROWS), 0).mapping
    mapped = vectors_as_if_cold(model, mapping, words_of(ROWS), ROWS, 0)
    errors = relevance_errors(model, mapped, ROWS)
    queries = model.reviewers(EVERYONE).queries
    lengths = np.linalg.norm(queries @ errors, axis=1)
    told, untold = lengths[::2].max(), lengths[1::2].min()
    assert untold > 2 * told
    # The matrix gives the root mean square of the errors of the inner products.
    missed = queries @ (model.relevance.movie_vectors - mapped.movie_vectors).T
    np.testing.assert_allclose(lengths, np.sqrt(np.square(missed).mean(axis=1)), rtol=1e-3)


def test_cold_movies_enter_the_lists_of_reviewers_for_whom_the_model_is_sure(model: Model) -> None:
    start = learn_cold_start(model, words_of(ROWS), 0)
    # Everybody would be shown cold movies.
    start = replace(start, mapping=start.mapping.shifted(MovieVectors.of(model).bias_column, 9.0))
    new_rows = np.arange(NUM_MOVIES, NUM_MOVIES + 100)
    words = words_of(np.arange(NUM_MOVIES + 100))

    def shares(doubt: float) -> tuple[float, float]:
        config = ColdConfig(doubt=doubt)
        joined = join_cold_movies(model, start, words, new_rows, config).model
        cold = exhaustive_lists(joined, EVERYONE, 10).movie_rows >= NUM_MOVIES
        return float(cold[::2].mean()), float(cold[1::2].mean())

    told, untold = shares(1.0)
    assert min(shares(0.0)) > 0.5
    assert told > 0.5
    assert untold < 0.1
    assert max(shares(20.0)) < 0.05  # One reviewer has seen all but two of the other movies.


def test_an_index_without_cold_movies_doubts_those_that_are_added_later(model: Model) -> None:
    start = learn_cold_start(model, words_of(ROWS), 0)
    nothing = np.zeros(0, dtype=np.int64)
    first = join_cold_movies(model, start, words_of(ROWS), nothing, ColdConfig())
    new_rows = np.arange(NUM_MOVIES, NUM_MOVIES + 100)
    words = words_of(np.arange(NUM_MOVIES + 100))
    later = join_cold_movies(first.model, first.start, words, new_rows, ColdConfig(), with_doubts=False).model
    at_once = join_cold_movies(model, start, words, new_rows, ColdConfig()).model
    assert later.doubts is not None
    assert np.flatnonzero(later.doubts.is_cold).tolist() == new_rows.tolist()
    scores = [joined.score(EVERYONE[:5]) for joined in (later, at_once)]
    np.testing.assert_allclose(*scores, atol=1e-3)
