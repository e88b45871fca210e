"""What metadata teaches of vectors and neighbours, on movies whose words say which kind they are."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_index import DIM, NUM_MOVIES, make_model
from random_models import random_model

from engine.config.sections import ColdConfig
from engine.errors import ConfigError
from engine.model.histories import Histories
from engine.model.scorer import Model
from pipelines.cold_start import joining
from pipelines.cold_start.joining import ColdStart, describe, join_cold_movies, learn_cold_start
from pipelines.cold_start.mapping import ColdMapping, MovieVectors, learn_mapping
from pipelines.cold_start.neighbours import Described, cold_edges, nearest_movies
from pipelines.dataset.words import count_words, words_of

NUM_KINDS = 20
COLD_ROWS = np.arange(NUM_MOVIES, 2 * NUM_MOVIES)
Movies = list[dict[str, object]]


def movie_of_kind(kind: int, row: int) -> dict[str, object]:
    return {"title": f"Some film {row}", "category": f"Kind {kind} | Films", "brand": f"Studio {kind % 5}"}


@pytest.fixture(scope="module")
def model() -> Model:
    """The vectors of movies of one kind lie close together."""
    return make_model(60)


@pytest.fixture(scope="module")
def movies() -> Movies:
    return [movie_of_kind(row % NUM_KINDS, row) for row in range(NUM_MOVIES)]


@pytest.fixture(scope="module")
def more_words(movies: Movies) -> Any:
    """The counted words of the movies, and of as many cold movies of the same kinds behind them."""
    cold = [movie_of_kind(row % NUM_KINDS, 1000 + row) for row in range(NUM_MOVIES)]
    return count_words([*movies, *cold])


@pytest.fixture(scope="module")
def start(model: Model, movies: Movies) -> ColdStart:
    return learn_cold_start(model, count_words(movies), 0)


@pytest.fixture(scope="module")
def known(start: ColdStart, movies: Movies) -> Described:
    return describe(start.mapping, count_words(movies))


def mapped(mapping: ColdMapping, words: Any) -> np.ndarray:
    return mapping.table(mapping.features(mapping.weigh(words)))


def test_words_tell_fields_apart_and_leave_out_what_is_unknown() -> None:
    words = list(
        words_of({"title": "The Big (Big) Sleep (1946)", "brand": " Warner ", "price": 7.9, "year": 1946})
    )
    assert words[:4] == ["title the", "title big", "title big", "title sleep"]
    assert "brand warner" in words
    assert "years 10 194" in words
    assert any(word.startswith("price ") for word in words)
    assert list(words_of({"title": None, "category": None, "price": None})) == []
    assert list(words_of({"price": float("nan")})) == []


def test_near_years_share_more_words_than_far_ones() -> None:
    at = {year: set(words_of({"year": year})) for year in (1994, 1995, 2011)}
    assert len(at[1994] & at[1995]) > len(at[1994] & at[2011])


def test_the_same_words_are_hashed_alike_wherever_they_are_counted() -> None:
    alone = count_words([movie_of_kind(3, 1)])
    among = count_words([movie_of_kind(1, 7), movie_of_kind(3, 1)])
    np.testing.assert_array_equal(alone.toarray()[0], among.toarray()[1])


def test_movies_left_out_get_vectors_near_those_of_their_kind(model: Model, movies: Movies) -> None:
    words, table = count_words(movies), MovieVectors.of(model).table()
    known, left_out = np.arange(NUM_MOVIES) >= 40, np.arange(40)
    counts = np.full(int(known.sum()), 20)
    mapping = learn_mapping(words[np.flatnonzero(known)], table[known], counts)
    given = mapped(mapping, words[left_out])[:, :DIM]
    errors = np.square(given - table[left_out][:, :DIM]).mean()
    constant = np.square(table[known][:, :DIM].mean(axis=0) - table[left_out][:, :DIM]).mean()
    assert errors < constant / 4


def test_a_movie_of_which_nothing_is_known_gets_the_mean(model: Model, movies: Movies) -> None:
    table = MovieVectors.of(model).table()
    mapping = learn_mapping(count_words(movies), table, np.full(NUM_MOVIES, 5))
    nothing = mapped(mapping, count_words([{"title": "Qwertz"}]))
    np.testing.assert_allclose(nothing[0], mapping.intercepts)


def test_words_that_nobody_shares_leave_the_mean() -> None:
    words = count_words([{"title": f"Word{row}"} for row in range(30)])
    targets = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
    mapping = learn_mapping(words, targets, np.full(30, 2))
    given = mapped(mapping, words)
    np.testing.assert_allclose(given, np.tile(targets.mean(axis=0), (30, 1)), atol=1e-5)


def test_the_nearest_movies_are_of_the_same_kind_and_never_left_out_ones(known: Described) -> None:
    own = np.arange(NUM_MOVIES)
    nearest = nearest_movies(known, known, leave_out=own)
    assert (nearest.rows % NUM_KINDS == own[:, None] % NUM_KINDS)[:, :15].mean() > 0.95
    assert not (nearest.rows == own[:, None])[nearest.similarities > 0].any()


def test_a_link_makes_movies_alike_that_share_no_word(start: ColdStart, known: Described) -> None:
    from scipy.sparse import csr_array

    new = describe(start.mapping, count_words([{"title": "Unheard"}]))
    links = csr_array((np.ones(1, np.float32), ([0], [123])), shape=(1, NUM_MOVIES))
    assert nearest_movies(new, known, links).rows[0, 0] == 123


def test_edges_are_the_mean_of_the_nearest_and_their_likeness(
    model: Model, start: ColdStart, known: Described
) -> None:
    nearest = nearest_movies(describe(start.mapping, count_words([movie_of_kind(4, 4)])), known)
    edges = cold_edges(model.neighbours, nearest, 0.5, NUM_MOVIES)
    matrix = np.zeros((NUM_MOVIES, NUM_MOVIES))
    for row in range(NUM_MOVIES):
        neighbours, weights = model.neighbours.of(row)
        matrix[row, neighbours] = weights
    shares = nearest.similarities[0].astype(np.float64) ** 3
    shares /= shares.sum()
    expected_out = shares @ matrix[nearest.rows[0]]
    expected_in = shares @ matrix.T[nearest.rows[0]]
    for expected in (expected_in, expected_out):
        expected[nearest.rows[0]] += 0.5 * nearest.similarities[0]
    given_in, given_out = np.zeros(NUM_MOVIES), np.zeros(NUM_MOVIES)
    given_in[edges.sources] = edges.weights
    given_out[edges.outgoing.movie_rows] = edges.outgoing.weights
    np.testing.assert_allclose(given_in, expected_in, atol=1e-5)
    np.testing.assert_allclose(given_out, expected_out, atol=1e-5)
    assert len(cold_edges(model.neighbours, nearest, 0.5, 7).sources) == 7


def test_more_movies_get_the_doubt_that_was_found_before(
    model: Model, start: ColdStart, more_words: Any
) -> None:
    first = join_cold_movies(model, start, more_words, COLD_ROWS, ColdConfig())
    again = join_cold_movies(model, first.start, more_words, COLD_ROWS, ColdConfig(), with_doubts=False)
    vectors = [joined.model.relevance.movie_vectors[COLD_ROWS] for joined in (first, again)]
    np.testing.assert_allclose(*vectors, atol=1e-5)


def test_equal_input_gives_equal_vectors(model: Model, movies: Movies) -> None:
    words = count_words([*movies, movie_of_kind(2, 5)])
    starts = [learn_cold_start(model, words[:NUM_MOVIES], 3) for _ in range(2)]
    both = [join_cold_movies(model, start, words, COLD_ROWS[:1], ColdConfig()).model for start in starts]
    np.testing.assert_array_equal(both[0].relevance.movie_vectors, both[1].relevance.movie_vectors)


@pytest.mark.parametrize("setting", ["max_reviews", "doubt"])
def test_settings_out_of_range_are_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=f"cold.{setting}"):
        ColdConfig(**{setting: -1})


def test_movies_that_hardly_anybody_came_to_are_ranked_as_such() -> None:
    """The biases of known movies rise with their reviews; metadata alone predicts the same for all."""
    generator = np.random.default_rng(0)
    counts = np.repeat([2, 5, 20, 60], 20)
    histories = Histories(
        np.array([0, counts.sum()]),
        np.repeat(np.arange(80), counts).astype(np.int32),
        np.zeros(counts.sum(), np.int8),
    )
    vectors = generator.normal(size=(80, 4)).astype(np.float32)
    vectors[:, -1] = 2 * np.log1p(counts) - 7
    model = random_model(num_movies=80)
    model = replace(model, histories=histories, relevance=replace(model.relevance, movie_vectors=vectors))
    mapped = np.full(80, 1.0, dtype=np.float32)
    found = joining._bias_of_few(model, np.arange(80), mapped, np.array([0, 1, 5]))
    expected = [2 * np.log1p(count) - 8 for count in (0, 1, 5)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
