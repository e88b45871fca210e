from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from engine.config.sections import RatingConfig
from engine.model.heads import RatingHead, Tastes
from engine.model.histories import Histories, History
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.networks import batches
from pipelines.networks.batches import RatingSampler
from pipelines.networks.rating import RatingNetwork
from pipelines.training.loops import train_rating

STARS = np.arange(1, 6, dtype=np.float32)
HALF_STARS = np.arange(1, 11, dtype=np.float32) / 2
NUM_REVIEWERS, NUM_MOVIES, DIM = 9, 30, 6


def some_reviews(levels: np.ndarray, seed: int = 0) -> Reviews:
    generator = np.random.default_rng(seed)
    reviewers = np.repeat(np.arange(NUM_REVIEWERS), generator.integers(1, 12, NUM_REVIEWERS))
    movies = np.concatenate(
        [
            generator.permutation(NUM_MOVIES)[:count]
            for count in np.bincount(reviewers, minlength=NUM_REVIEWERS)
        ]
    )
    ratings = generator.choice(levels, len(reviewers))
    return make_reviews(
        reviewers, movies, ratings, None, num_reviewers=NUM_REVIEWERS, num_movies=NUM_MOVIES, levels=levels
    )


def random_head(levels: np.ndarray, seed: int = 0, scale: float = 1.0) -> RatingHead:
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return scale * generator.standard_normal(shape).astype(np.float32)

    return RatingHead(
        levels=levels,
        movie_vectors=normal(NUM_MOVIES, DIM + 2),
        history_vectors=normal(NUM_MOVIES, 2 * DIM),
        reviewer_biases=normal(NUM_REVIEWERS, 2),
        movie_means=levels.mean() + normal(NUM_MOVIES) / 4,
        thresholds=np.sort(2 * normal(len(levels) - 1)),
        dot_weights=normal(DIM),
        kernels=[normal(3 * DIM, 4), normal(4, 2)],
        biases=[normal(4), normal(2)],
    )


def random_network(reviews: Reviews, hidden_units: tuple[int, ...], seed: int) -> RatingNetwork:
    """A network of which no weight is what it starts as."""
    generator = np.random.default_rng(seed)
    config = RatingConfig(dim=DIM, hidden_units=hidden_units, dropout=0.0)
    network = RatingNetwork(reviews, config, generator)
    layers = [weight.value for weight in network.mlp.trainable_weights]
    tables = [network.movies, network.history, network.reviewers, network.thresholds, network.dot_weights]
    for variable in (*tables, *layers):
        variable.assign(0.4 * generator.standard_normal(variable.numpy().shape).astype(np.float32))
    return network


def taste_of(
    head: RatingHead, reviewer_row: int | None, movie_rows: Sequence[int], ratings: Sequence[float]
) -> Tastes:
    levels = np.searchsorted(head.levels, np.asarray(ratings, np.float32)).astype(np.int8)
    history = Histories.of_one(History(np.asarray(movie_rows, np.int32), levels))
    return head.tastes(None if reviewer_row is None else np.array([reviewer_row]), history)


def chances_of_all(head: RatingHead, reviews: Reviews, reviewer_row: int) -> np.ndarray:
    own = reviews.reviewer_rows == reviewer_row
    taste = taste_of(head, reviewer_row, reviews.movie_rows[own], reviews.ratings[own])
    return head.probabilities(*head.locate(taste, slice(None)))


@pytest.mark.slow
@pytest.mark.parametrize("levels", [STARS, HALF_STARS], ids=["stars", "half-stars"])
@pytest.mark.parametrize("hidden_units", [(), (8,), (16, 8), (8, 4, 4)], ids=str)
def test_numpy_and_keras_give_the_same_chances(hidden_units: tuple[int, ...], levels: np.ndarray) -> None:
    reviews = some_reviews(levels)
    network = random_network(reviews, hidden_units, seed=len(hidden_units))
    head = network.head()
    assert len(head.kernels) == len(hidden_units) + 1
    for reviewer_row in range(NUM_REVIEWERS):
        own = reviews.reviewer_rows == reviewer_row
        taste = taste_of(head, reviewer_row, reviews.movie_rows[own], reviews.ratings[own])
        vectors = np.tile(taste.vectors, (NUM_MOVIES, 1))
        biases = np.tile(network.reviewers.numpy()[reviewer_row], (NUM_MOVIES, 1))
        expected = network.probabilities(vectors, biases, network.movies).numpy()
        np.testing.assert_allclose(chances_of_all(head, reviews, reviewer_row), expected, atol=1e-5)


@pytest.mark.slow
def test_the_loss_in_training_is_that_of_the_head_which_sees_the_other_reviews(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reviews = some_reviews(HALF_STARS, seed=3)
    network = random_network(reviews, (8,), seed=3)
    head = network.head()
    residuals = reviews.ratings - network.movie_means[reviews.movie_rows]
    monkeypatch.setattr(batches, "HISTORY_DROPOUT", 0.0)
    sampler = RatingSampler(reviews, residuals, np.random.default_rng(0), longest=100)
    for batch in sampler.batches():
        chances = []
        for place, (movie, level) in enumerate(zip(batch.movie_rows, batch.level_rows, strict=True)):
            others = batch.reviewer_places == batch.reviewer_places[place]
            others[place] = False
            reviewer_row = int(batch.reviewer_rows[batch.reviewer_places[place]])
            ratings = HALF_STARS[batch.level_rows[others]]
            taste = taste_of(head, reviewer_row, batch.movie_rows[others], ratings)
            chances.append(head.probabilities(*head.locate(taste, np.array([movie])))[0, level])
        loss = float(network.train(batch, 0.0, seed=0))
        assert loss == pytest.approx(-np.log(np.array(chances) + 1e-7).mean(), abs=1e-5)


@pytest.mark.parametrize("levels", [STARS, HALF_STARS], ids=["stars", "half-stars"])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_chances_are_distributions(levels: np.ndarray, scale: float) -> None:
    reviews, head = some_reviews(levels), random_head(levels, scale=scale)
    for reviewer_row in range(NUM_REVIEWERS):
        chances = chances_of_all(head, reviews, reviewer_row)
        assert chances.shape == (NUM_MOVIES, len(levels))
        assert np.isfinite(chances).all()
        assert (chances >= 0).all()
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-5)


def test_chances_are_right_in_plain_numbers() -> None:
    head = replace(random_head(np.array([1, 2, 3], np.float32)), thresholds=np.array([-1, 2], np.float32))
    chances = head.probabilities(np.array([0.5], np.float32), np.array([np.log(2)], np.float32))[0]
    under = [1 / (1 + np.exp(3.0)), 1 / (1 + np.exp(-3.0))]
    np.testing.assert_allclose(chances, [under[0], under[1] - under[0], 1 - under[1]], atol=1e-6)


def test_scales_far_out_are_held_in_bounds() -> None:
    head = random_head(STARS)
    location = np.array([-1e6, 0.0, 1e6], np.float32)
    for log_scale in (-1e6, 1e6):
        chances = head.probabilities(location, np.full(3, log_scale, np.float32))
        assert np.isfinite(chances).all()
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-5)


def test_a_vector_is_pooled_as_plain_python_pools_it() -> None:
    head = random_head(HALF_STARS, seed=5)
    movies, ratings = [4, 17, 2], [0.5, 5.0, 3.5]
    pooled = np.zeros(DIM)
    for movie, rating in zip(movies, ratings, strict=True):
        came, liked = head.history_vectors[movie, :DIM], head.history_vectors[movie, DIM:]
        pooled += came + (rating - head.movie_means[movie]) * liked
    taste = taste_of(head, 1, movies, ratings)
    np.testing.assert_allclose(taste.vectors[0], pooled / np.sqrt(len(movies) + 1), atol=1e-5)
    assert (taste.biases[0], taste.log_scales[0]) == tuple(head.reviewer_biases[1].tolist())


def test_a_reviewer_without_row_or_history_is_one_of_no_opinion() -> None:
    taste = taste_of(random_head(STARS), None, [], [])
    assert not taste.vectors.any()
    assert (taste.biases[0], taste.log_scales[0]) == (0.0, 0.0)


@pytest.mark.parametrize("levels", [STARS, HALF_STARS], ids=["stars", "half-stars"])
def test_mean_and_median_are_those_of_plain_python(levels: np.ndarray) -> None:
    chances = np.random.default_rng(1).dirichlet(np.full(len(levels), 0.3), 200).astype(np.float32)
    predicted = random_head(levels).summarize(chances)
    for row, mean, median in zip(chances, predicted.mean, predicted.median, strict=True):
        assert mean == pytest.approx(
            sum(float(chance) * float(level) for chance, level in zip(row, levels, strict=True)), abs=1e-5
        )
        total, place = float(row[0]), 0
        while total < 0.5 - 1e-6 and place < len(levels) - 1:
            place += 1
            total += float(row[place])
        assert median == levels[place]
    assert predicted.probabilities is chances


def test_a_certain_rating_is_mean_and_median() -> None:
    predicted = random_head(HALF_STARS).summarize(np.eye(10, dtype=np.float32))
    assert predicted.mean.tolist() == predicted.median.tolist() == HALF_STARS.tolist()


def test_some_movies_are_rated_as_among_all() -> None:
    head = random_head(STARS)
    taste = taste_of(head, 0, [3], [5.0])
    rows = np.array([7, 7, 29, 0])
    for some, every in zip(head.locate(taste, rows), head.locate(taste, slice(None)), strict=True):
        np.testing.assert_allclose(some, every[rows], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("star", [1 / 4, 25.0])
def test_stretched_ratings_are_learned_as_stars_are(star: float) -> None:
    chances = []
    for reviews in (some_reviews(STARS), replace(some_reviews(STARS), levels=star * STARS)):
        head = train_rating(reviews, RatingConfig(dim=DIM), seed=1, rounds=3).head
        chances.append(chances_of_all(head, reviews, 2))
    np.testing.assert_allclose(chances[0], chances[1], atol=1e-4)
