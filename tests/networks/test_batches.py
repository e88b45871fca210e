from collections import Counter
from typing import Any

import numpy as np
import pytest

from engine.config.sections import RelevanceConfig
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.networks import batches
from pipelines.networks.batches import RatingSampler, RelevanceBatch, RelevanceSampler

NUM_NEGATIVES = 30


def some_reviews(num_reviewers: int = 60, num_movies: int = 80, most: int = 40, seed: int = 0) -> Reviews:
    """Reviewers with 1 to `most` reviews of movies that are very unequally popular."""
    generator = np.random.default_rng(seed)
    chances = np.arange(1, num_movies + 1) ** -0.8
    counts = generator.integers(1, most + 1, num_reviewers)
    movies = [generator.choice(num_movies, count, False, chances / chances.sum()) for count in counts]
    total = int(counts.sum())
    return make_reviews(
        np.repeat(np.arange(num_reviewers), counts),
        np.concatenate(movies),
        generator.integers(1, 6, total).astype(float),
        np.arange(total),
        num_reviewers=num_reviewers,
        num_movies=num_movies,
    )


def sampler_of(reviews: Reviews, seed: int = 0, **settings: float) -> RelevanceSampler:
    config = RelevanceConfig(**settings)
    return RelevanceSampler(reviews, reviews.likes(4.0), config, np.random.default_rng(seed))


def movies_of(reviews: Reviews, reviewer_row: int) -> list[int]:
    return reviews.movie_rows[reviews.reviewer_rows == reviewer_row].tolist()


def by_pair(reviews: Reviews, values: np.ndarray) -> dict[tuple[int, int], Any]:
    """The values of reviews by their rows of reviewer and movie."""
    pairs = zip(reviews.reviewer_rows.tolist(), reviews.movie_rows.tolist(), strict=True)
    return dict(zip(pairs, values, strict=True))


def examples_of(batch: RelevanceBatch) -> list[tuple[int, list[int], list[int]]]:
    return [
        (
            int(reviewer_row),
            batch.history_movies[batch.history_examples == example].tolist(),
            batch.target_movies[batch.target_examples == example].tolist(),
        )
        for example, reviewer_row in enumerate(batch.reviewer_rows)
    ]


@pytest.fixture
def _drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws candidates for every catalogue, however small it is."""
    monkeypatch.setattr(batches, "FULL_SOFTMAX_UP_TO", 0)


@pytest.mark.parametrize(("max_history", "num_targets"), [(500, 20), (3, 2), (500, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_a_history_is_what_came_before_and_targets_are_what_came_next(
    monkeypatch: pytest.MonkeyPatch, max_history: int, num_targets: int, seed: int
) -> None:
    monkeypatch.setattr(batches, "NUM_TARGETS", num_targets)
    reviews = some_reviews(seed=seed)
    sampler = sampler_of(reviews, seed, max_history=max_history)
    for batch in sampler.batches():
        for reviewer_row, history, targets in examples_of(batch):
            own = movies_of(reviews, reviewer_row)
            cut = own.index(targets[0])
            assert cut >= 1
            assert history == own[max(0, cut - max_history) : cut]
            assert targets == own[cut : cut + num_targets]
            assert not set(history) & set(targets)


def test_every_moment_of_a_history_comes_up_in_time() -> None:
    reviews = some_reviews(num_reviewers=20, most=6)
    sampler, cuts = sampler_of(reviews), set()
    for _ in range(40):
        for batch in sampler.batches():
            cuts |= {(row, len(history)) for row, history, _ in examples_of(batch)}
    counts = np.bincount(reviews.reviewer_rows, minlength=20)
    assert cuts == {(row, cut) for row in range(20) for cut in range(1, counts[row])}


def test_a_round_has_every_reviewer_of_two_reviews_or_more() -> None:
    reviews = some_reviews()
    sampler = sampler_of(reviews)
    counts = np.bincount(reviews.reviewer_rows, minlength=60)
    expected = {row: min(4, int(count) - 1) for row, count in enumerate(counts) if count > 1}
    for _ in range(2):
        batches = list(sampler.batches())
        assert Counter(int(row) for batch in batches for row in batch.reviewer_rows) == expected
        assert len(batches) == sampler.num_batches
        assert sum(len(batch.reviewer_rows) for batch in batches) == sampler.num_examples


def test_levels_belong_to_their_movies_and_weights_fade_with_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "HISTORY_DROPOUT", 0.0)
    reviews = some_reviews()
    given = by_pair(reviews, reviews.level_rows)
    for batch in sampler_of(reviews, recency_power=0.6).batches():
        rows = batch.reviewer_rows[batch.history_examples]
        for row, movie, level in zip(
            rows.tolist(), batch.history_movies.tolist(), batch.history_levels, strict=True
        ):
            assert given[row, movie] == level
        lengths = np.bincount(batch.history_examples)
        ages = np.concatenate([np.arange(length, 0, -1) for length in lengths])
        np.testing.assert_allclose(batch.history_weights, ages**-0.6, rtol=1e-5)


def test_dropout_leaves_out_about_its_share_of_a_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "HISTORY_DROPOUT", 0.5)
    sampler = sampler_of(some_reviews(num_reviewers=300))
    weights = np.concatenate([batch.history_weights for batch in sampler.batches()])
    # The share is drawn anew for each example, from none to all of what is set.
    assert 0.15 < np.mean(weights == 0) < 0.35


def test_likes_weigh_one_and_others_less_shared_among_the_targets_of_an_example() -> None:
    reviews = some_reviews()
    ratings = by_pair(reviews, reviews.ratings)
    for batch in sampler_of(reviews, other_weight=0.25).batches():
        sizes = np.bincount(batch.target_examples)[batch.target_examples]
        rows = batch.reviewer_rows[batch.target_examples].tolist()
        for row, movie, weight, size in zip(
            rows, batch.target_movies.tolist(), batch.target_weights, sizes, strict=True
        ):
            assert weight == pytest.approx(
                (1.0 if ratings[row, movie] >= 4 else 0.25) / np.sqrt(size), rel=1e-5
            )


def test_small_catalogues_are_compared_whole() -> None:
    for batch in sampler_of(some_reviews()).batches():
        assert batch.candidates.tolist() == list(range(80))
        assert not batch.log_chances.any()


@pytest.mark.usefixtures("_drawn")
@pytest.mark.parametrize("seed", range(3))
def test_drawn_candidates_are_sorted_unique_and_contain_the_targets(seed: int) -> None:
    for batch in sampler_of(some_reviews(seed=seed), seed, num_negatives=NUM_NEGATIVES).batches():
        assert (np.diff(batch.candidates) > 0).all()
        assert batch.candidates[0] >= 0
        assert batch.candidates[-1] < 80
        assert np.isin(batch.target_movies, batch.candidates).all()
        assert np.isfinite(batch.log_chances).all()
        assert (batch.log_chances <= 0).all()


@pytest.mark.usefixtures("_drawn")
def test_the_chances_of_candidates_are_how_often_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "NUM_TARGETS", 1)
    reviews = some_reviews(num_reviewers=160, most=8)
    sampler = sampler_of(reviews, num_negatives=NUM_NEGATIVES)
    came, said, num_batches = np.zeros(80), np.zeros(80), 0
    for _ in range(60):
        for batch in sampler.batches():
            if len(batch.reviewer_rows) == sampler.batch_size:
                came[batch.candidates] += 1
                said[batch.candidates] += np.exp(batch.log_chances)
                num_batches += 1
    assert num_batches > 500
    chances = said / np.maximum(came, 1)
    assert np.abs(came / num_batches - chances).mean() < 0.03
    assert np.corrcoef(came, chances)[0, 1] > 0.97


@pytest.mark.usefixtures("_drawn")
def test_equal_seeds_draw_equal_batches() -> None:
    reviews = some_reviews()
    samplers = (sampler_of(reviews, 5, num_negatives=NUM_NEGATIVES) for _ in range(2))
    for one, other in zip(*(sampler.batches() for sampler in samplers), strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("longest", [1000, 5])
def test_rating_batches_hold_each_reviewer_once_a_round(longest: int) -> None:
    reviews = some_reviews()
    residuals = np.arange(len(reviews), dtype=np.float32)
    sampler = RatingSampler(reviews, residuals, np.random.default_rng(0), longest)
    counts = np.bincount(reviews.reviewer_rows, minlength=60)
    for _ in range(2):
        seen: list[int] = []
        for batch in sampler.batches():
            seen += batch.reviewer_rows.tolist()
            sources = batch.residuals.astype(np.int64)
            rows = batch.reviewer_rows[batch.reviewer_places]
            np.testing.assert_array_equal(reviews.reviewer_rows[sources], rows)
            np.testing.assert_array_equal(reviews.movie_rows[sources], batch.movie_rows)
            np.testing.assert_array_equal(reviews.level_rows[sources], batch.level_rows)
            expected = np.minimum(counts[batch.reviewer_rows], longest)
            np.testing.assert_array_equal(np.bincount(batch.reviewer_places), expected)
            assert len(set(sources.tolist())) == len(sources)
        assert sorted(seen) == list(range(60))


def test_of_a_long_history_another_part_comes_each_round() -> None:
    reviews = some_reviews(num_reviewers=3)
    residuals = np.arange(len(reviews), dtype=np.float32)
    sampler, seen = (
        RatingSampler(reviews, residuals, np.random.default_rng(0), longest=5),
        set(),
    )
    for _ in range(100):
        for batch in sampler.batches():
            seen |= set(batch.residuals.astype(int).tolist())
    assert seen == set(range(len(reviews)))
