from collections import Counter, defaultdict
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from engine.config.sections import IngestConfig, NeighboursConfig
from engine.model.neighbours import MovieSums, NeighbourTable
from engine.model.scorer import ALL
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.neighbours import tables
from pipelines.neighbours.sparse import matrix_of, strongest, strongest_of_dense, table_of
from pipelines.neighbours.tables import (
    CO_REVIEWS,
    RATING_SHRINKAGE,
    SHRINKAGE,
    SUCCESSOR_DAMPING,
    SUCCESSORS,
    NeighbourKind,
    NeighbourTables,
    build_neighbours,
    neighbour_kinds,
)

BLEND = Blend(like_rating=4.0, other_weight=0.3)
NUM_REVIEWERS, NUM_MOVIES = 40, 25
Similarities = dict[int, dict[int, float]]


def some_reviews(seed: int, rated: bool = True) -> Reviews:
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 12, NUM_REVIEWERS)
    movies = np.concatenate([generator.permutation(NUM_MOVIES - 1)[:count] for count in counts])
    ratings = generator.integers(1, 11, len(movies)) / 2 if rated else None
    return make_reviews(
        np.repeat(np.arange(NUM_REVIEWERS), counts),
        movies,
        ratings,
        np.arange(len(movies)),
        num_reviewers=NUM_REVIEWERS,
        num_movies=NUM_MOVIES,
    )


def build(reviews: Reviews, damping: float = 10.0, **config: float) -> NeighbourTables:
    limits = IngestConfig(memory_limit="500MB", threads=1)
    settings = NeighboursConfig(**config)
    kinds = [NeighbourKind("linear", settings.linear_l2), NeighbourKind("damped", damping), SUCCESSORS]
    return build_neighbours(reviews, BLEND, settings, limits, kinds)


def linear(reviews: Reviews, **config: float) -> NeighbourTable:
    tables = build(reviews, **config).by_kind
    return next(table for kind, table in tables.items() if kind.form == "linear")


def recent_by_reviewer(reviews: Reviews, max_history: int) -> list[tuple[int, list[int]]]:
    """Of each reviewer how many reviews there are, and the positions of the latest."""
    places = [np.flatnonzero(reviews.reviewer_rows == row).tolist() for row in range(NUM_REVIEWERS)]
    return [(len(own), own[-max_history:]) for own in places]


def plain_co_reviews(reviews: Reviews, max_history: int) -> Similarities:
    products: defaultdict[tuple[int, int], float] = defaultdict(float)
    common: Counter[tuple[int, int]] = Counter()
    squares: defaultdict[int, float] = defaultdict(float)
    likes = reviews.likes(BLEND.like_rating)
    for count, places in recent_by_reviewer(reviews, max_history):
        weights = {int(reviews.movie_rows[p]): (1.0 if likes[p] else 0.3) / count**0.25 for p in places}
        for movie, weight in weights.items():
            squares[movie] += weight**2
        for one, other in permutations(weights, 2):
            products[one, other] += weights[one] * weights[other]
            common[one, other] += 1
    found: Similarities = defaultdict(dict)
    for (one, other), product in products.items():
        cosine = product / np.sqrt(squares[one] * squares[other])
        shared = common[one, other]
        found[one][other] = cosine * shared / (shared + SHRINKAGE)
    return found


def plain_rating_similarities(reviews: Reviews, max_history: int) -> Similarities:
    ratings = reviews.ratings.astype(float)
    by_movie = [ratings[reviews.movie_rows == movie] for movie in range(NUM_MOVIES)]
    mean = ratings.mean()
    means = np.array([mean + (own - mean).sum() / (len(own) + 5) for own in by_movie])
    above = ratings - means[reviews.movie_rows]
    totals: defaultdict[tuple[int, int], np.ndarray] = defaultdict(lambda: np.zeros(4))
    for count, places in recent_by_reviewer(reviews, max_history):
        own = reviews.reviewer_rows == reviews.reviewer_rows[places[0]]
        offset = above[own].sum() / (count + 15)
        residuals = {int(reviews.movie_rows[p]): above[p] - offset for p in places}
        for one, other in permutations(residuals, 2):
            left, right = residuals[one], residuals[other]
            totals[one, other] += np.array([left * right, left**2, right**2, 1.0])
    found: Similarities = defaultdict(dict)
    for (one, other), (product, left, right, shared) in totals.items():
        if product > 1e-9:
            found[one][other] = product / np.sqrt(left * right) * shared / (shared + RATING_SHRINKAGE)
    return found


def plain_successors(reviews: Reviews, max_history: int) -> Similarities:
    after: defaultdict[tuple[int, int], float] = defaultdict(float)
    counts: Counter[int] = Counter()
    for _, places in recent_by_reviewer(reviews, max_history):
        counts.update(reviews.movie_rows[places].tolist())
        for earlier, later in combinations(places, 2):
            pair = int(reviews.movie_rows[earlier]), int(reviews.movie_rows[later])
            after[pair] += 1 / np.sqrt(later - earlier)
            after[pair[::-1]] += 0.25 / np.sqrt(later - earlier)
    found: Similarities = defaultdict(dict)
    for (one, other), soon in after.items():
        found[one][other] = soon / (np.sqrt(counts[one] * counts[other]) + SUCCESSOR_DAMPING)
    return found


def assert_holds_the_nearest(table: NeighbourTable, expected: Similarities, num_neighbours: int) -> None:
    assert table.num_movies == NUM_MOVIES
    for movie in range(NUM_MOVIES):
        rows, weights = table.of(movie)
        truth = expected.get(movie, {})
        assert (np.diff(rows) > 0).all()
        assert movie not in rows
        np.testing.assert_allclose(weights, [truth[row] for row in rows.tolist()], atol=1e-5)
        best = sorted(truth.values(), reverse=True)[:num_neighbours]
        np.testing.assert_allclose(np.sort(weights)[::-1], best, atol=1e-5)


@pytest.mark.parametrize(("num_neighbours", "max_history"), [(200, 300), (4, 300), (200, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_successors_are_those_of_plain_python(
    monkeypatch: pytest.MonkeyPatch, seed: int, num_neighbours: int, max_history: int
) -> None:
    monkeypatch.setattr(tables, "MAX_HISTORY", max_history)
    reviews = some_reviews(seed)
    built = build(reviews, num_neighbours=num_neighbours)
    expected = plain_successors(reviews, max_history)
    assert_holds_the_nearest(built.by_kind[SUCCESSORS], expected, num_neighbours)


@pytest.mark.parametrize(("num_neighbours", "max_history"), [(200, 300), (4, 300), (200, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_co_reviews_are_those_of_plain_python(
    monkeypatch: pytest.MonkeyPatch, seed: int, num_neighbours: int, max_history: int
) -> None:
    monkeypatch.setattr(tables, "MAX_HISTORY", max_history)
    reviews = some_reviews(seed)
    built = build(reviews, num_neighbours=num_neighbours)
    expected = plain_co_reviews(reviews, max_history)
    assert_holds_the_nearest(built.by_kind[CO_REVIEWS], expected, num_neighbours)


@pytest.mark.parametrize(("num_neighbours", "max_history"), [(200, 300), (4, 300), (200, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_rating_similarities_are_those_of_plain_python(
    monkeypatch: pytest.MonkeyPatch, seed: int, num_neighbours: int, max_history: int
) -> None:
    monkeypatch.setattr(tables, "MAX_HISTORY", max_history)
    reviews = some_reviews(seed)
    built = build(reviews, num_neighbours=num_neighbours)
    assert built.rating is not None
    expected = plain_rating_similarities(reviews, max_history)
    assert_holds_the_nearest(built.rating, expected, num_neighbours)


@pytest.mark.parametrize("seed", range(3))
def test_the_linear_model_is_the_best_way_to_restore_each_movie_from_the_others(seed: int) -> None:
    reviews = some_reviews(seed)
    signals = np.zeros((NUM_REVIEWERS, NUM_MOVIES))
    signals[reviews.reviewer_rows, reviews.movie_rows] = np.where(reviews.likes(4.0), 1.0, 0.3)
    found = dense(linear(reviews, linear_l2=5.0))
    for movie in range(NUM_MOVIES):
        others = np.delete(signals, movie, axis=1)
        gram = others.T @ others + 5.0 * np.eye(NUM_MOVIES - 1)
        expected = np.linalg.solve(gram, others.T @ signals[:, movie])  # ridge regression of one movie
        np.testing.assert_allclose(np.delete(found[:, movie], movie), expected, atol=1e-4)
    assert not np.diag(found).any()


def test_the_linear_model_keeps_the_strongest_of_either_sign() -> None:
    reviews = some_reviews(0)
    every = linear(reviews, linear_l2=5.0)
    likes = np.where(reviews.likes(4.0), 1.0, 0.3)
    few = tables.linear_neighbours(reviews, likes, l2=5.0, num_neighbours=6)
    for movie in range(NUM_MOVIES):
        rows, weights = few.of(movie)
        strongest = np.sort(np.abs(every.of(movie)[1]))[::-1][:6]
        np.testing.assert_allclose(np.sort(np.abs(weights))[::-1], strongest, atol=1e-6)
        np.testing.assert_allclose(dense(every)[movie, rows], weights, atol=1e-6)
    assert (few.weights < 0).any()


@pytest.mark.parametrize("num_neighbours", [200, 4])
@pytest.mark.parametrize("damping", [0.0, 10.0])
def test_damped_co_reviews_are_those_of_plain_python(damping: float, num_neighbours: int) -> None:
    reviews = some_reviews(2)
    seen = np.zeros((NUM_REVIEWERS, NUM_MOVIES), dtype=bool)
    seen[reviews.reviewer_rows, reviews.movie_rows] = True
    expected: Similarities = defaultdict(dict)
    for first in range(NUM_MOVIES):
        for second in range(NUM_MOVIES):
            both = seen[:, first] & seen[:, second]
            if first != second and both.any():
                norm = np.sqrt(seen[:, first].sum() * seen[:, second].sum()) + damping
                expected[first][second] = (1 / np.sqrt(seen[both].sum(axis=1))).sum() / norm
    found = build(reviews, damping=damping, num_neighbours=num_neighbours).by_kind[
        NeighbourKind("damped", damping)
    ]
    assert_holds_the_nearest(found, expected, num_neighbours)


def test_without_ratings_every_review_counts_as_a_like_and_there_is_no_rating_table() -> None:
    reviews = some_reviews(1, rated=False)
    built = build(reviews)
    assert built.rating is None
    assert_holds_the_nearest(built.by_kind[CO_REVIEWS], plain_co_reviews(reviews, 300), 200)


def test_building_again_gives_the_same_tables() -> None:
    one, other = build(some_reviews(2)), build(some_reviews(2))
    built = ((tables.rating, *tables.by_kind.values()) for tables in (one, other))
    for left, right in zip(*built, strict=True):
        assert left is not None
        assert right is not None
        np.testing.assert_array_equal(left.offsets, right.offsets)
        np.testing.assert_array_equal(left.movie_rows, right.movie_rows)
        np.testing.assert_allclose(left.weights, right.weights, atol=1e-7)


@pytest.mark.parametrize("num_kept", [1, 3, 100])
def test_the_strongest_entries_are_those_of_sorted_rows_and_a_table_keeps_them(num_kept: int) -> None:
    generator = np.random.default_rng(num_kept)
    matrix = (generator.integers(-3, 4, (9, 9)) * (generator.random((9, 9)) < 0.6)).astype(np.float32)
    expected = np.zeros_like(matrix)
    for row, values in enumerate(matrix):
        best = sorted(np.flatnonzero(values), key=lambda column: (-abs(values[column]), column))[:num_kept]
        expected[row, best] = values[best]
    for found in (strongest(csr_array(matrix), num_kept), strongest_of_dense(matrix, num_kept)):
        np.testing.assert_array_equal(found.toarray(), expected)
        np.testing.assert_array_equal(matrix_of(table_of(found)).toarray(), expected)
        assert (np.diff(found.indices) > 0)[np.diff(found.nonzero()[0]) == 0].all()


def dense(table: NeighbourTable) -> np.ndarray:
    matrix = np.zeros((table.num_movies, table.num_movies))
    for movie in range(table.num_movies):
        rows, weights = table.of(movie)
        matrix[movie, rows] = weights
    return matrix


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(0, 1), st.integers(0, 20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spreading_is_a_product_with_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch, seed: int, num_movies: int, density: float, num_rows: int
) -> None:
    generator = np.random.default_rng(seed)
    matrix = generator.standard_normal((num_movies, num_movies)).astype(np.float32)
    present = generator.random(matrix.shape) < density
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    table = NeighbourTable(offsets, np.nonzero(present)[1].astype(np.int32), matrix[present])
    rows = generator.integers(0, num_movies, num_rows)  # a movie may come twice
    amounts = generator.standard_normal((2, num_rows))
    for sorted_up_to in (0, num_movies + 1):  # a place for every movie, or sorted neighbours
        monkeypatch.setattr("engine.model.neighbours._SORTED_UP_TO", sorted_up_to)
        neighbours, sums = table.spread(rows, *amounts)
        np.testing.assert_array_equal(neighbours, np.flatnonzero(present[rows].any(axis=0)))
        for found, amount in zip(sums, amounts, strict=True):
            every = MovieSums(neighbours, found, num_movies)
            np.testing.assert_allclose(every.at(ALL), amount @ (matrix * present)[rows], atol=1e-4)
            some = generator.integers(0, num_movies, 7)
            np.testing.assert_array_equal(every.at(some), every.at(ALL)[some])
            np.testing.assert_array_equal(found, table.spread(rows, amount)[1][0])
            np.testing.assert_allclose(
                table.spread_to(some, table.look_up(rows), amount)[0], every.at(some), atol=1e-9
            )


def test_the_sums_of_some_keys_are_those_among_all() -> None:
    generator = np.random.default_rng(3)
    lengths = generator.integers(0, 60, 500)
    rows = np.concatenate([generator.permutation(500)[:length] for length in lengths]).astype(np.int32)
    weights = generator.standard_normal(len(rows)).astype(np.float32)
    table = NeighbourTable(np.concatenate([[0], np.cumsum(lengths)]), rows, weights)
    movies, places = generator.integers(0, 500, 900), np.sort(generator.integers(0, 40, 900))
    amounts = generator.standard_normal((2, 900))
    keys, totals = table.spread(movies, *amounts, places=places, num_places=40)
    for number in (0, 1, 30, 5_000):  # A few of them are told off by their hashes, and more are not.
        asked = generator.integers(0, 40 * 500, number)
        found = table.spread_to(asked, table.look_up(movies, places), *amounts)
        for total, one in zip(totals, found, strict=True):
            np.testing.assert_allclose(one, MovieSums(keys, total, 40 * 500).at(asked), atol=1e-9)
    assert table.num_neighbours(movies) == lengths[movies].sum()


def test_weights_between_movies_are_those_of_the_matrix() -> None:
    generator = np.random.default_rng(4)
    matrix = generator.random((50, 50)) * (generator.random((50, 50)) < 0.3)
    offsets = np.concatenate([[0], np.cumsum((matrix > 0).sum(axis=1))])
    weights = matrix[matrix > 0].astype(np.float32)
    table = NeighbourTable(offsets, np.nonzero(matrix)[1].astype(np.int32), weights)
    some, others = generator.permutation(50)[:9], generator.integers(0, 50, 20)
    np.testing.assert_allclose(
        table.between(some, table.look_up(others)), matrix[others][:, some].T, atol=1e-6
    )
    assert table.between(some, table.look_up(others[:0])).shape == (9, 0)


def test_a_catalogue_too_large_for_a_linear_model_has_a_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = some_reviews(0)
    config = NeighboursConfig(linear_up_to=NUM_MOVIES - 1, linear_l2=10.0)
    large = neighbour_kinds(reviews, config)
    assert {kind.form for kind in large} == {"damped", "local"}
    assert NeighbourKind("local", 10.0) in large
    limits = IngestConfig(memory_limit="500MB", threads=1)
    assert set(large) < set(build_neighbours(reviews, BLEND, config, limits, large).by_kind)
    for limit in ("MOST_MOVIES", "MOST_PAIRS"):
        with monkeypatch.context() as context:
            context.setattr(tables, limit, 1)
            assert {kind.form for kind in neighbour_kinds(reviews, config)} == {"damped"}
    small = neighbour_kinds(reviews, NeighboursConfig(linear_l2=10.0))
    assert {kind.form for kind in small} == {"damped", "linear"}
    assert NeighbourKind("linear", 10.0) in small
    assert NeighbourKind("damped", 10.0) in small


def test_a_kind_names_what_it_is_made_of() -> None:
    assert str(CO_REVIEWS) == "co-reviews"
    assert str(NeighbourKind("damped", 40.0)) == "damped 40"
    assert str(NeighbourKind("linear", 20.0, 0.125)) == "linear 20 and content 0.12"
