from dataclasses import replace

import numpy as np
import pytest
from random_models import LEVELS, NUM_MOVIES, NUM_REVIEWERS, random_model

from engine.model.scorer import Model
from engine.model.values import Blend
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.training.prediction_blend import blended, choose_rating_blend

START = replace(random_model(), blend=Blend())


def held_out(ratings: np.ndarray, generator: np.random.Generator) -> Reviews:
    return make_reviews(
        np.repeat(np.arange(NUM_REVIEWERS), 6),
        np.concatenate([generator.permutation(NUM_MOVIES)[:6] for _ in range(NUM_REVIEWERS)]),
        ratings.astype(float),
        None,
        num_reviewers=NUM_REVIEWERS,
        num_movies=NUM_MOVIES,
        levels=LEVELS,
    )


def random_reviews(seed: int) -> Reviews:
    generator = np.random.default_rng(seed)
    return held_out(generator.integers(1, 6, 6 * NUM_REVIEWERS), generator)


def log_loss(model: Model, reviews: Reviews) -> float:
    predicted = model.predict(reviews.reviewer_rows, reviews.movie_rows)
    assert predicted is not None
    own = predicted.probabilities[np.arange(len(reviews)), reviews.level_rows.astype(int)]
    return float(-np.log(own + 1e-7).mean())


@pytest.mark.parametrize(("rating", "sign"), [(1, -1), (5, 1)])
def test_ratings_that_moved_since_move_the_predictions_with_them(rating: int, sign: int) -> None:
    reviews = held_out(np.full(6 * NUM_REVIEWERS, rating), np.random.default_rng(1))
    blend = choose_rating_blend([START], [reviews], seed=0)
    assert sign * blend.location_offset > 0.05
    moved = blended(START, Blend(location_offset=blend.location_offset))
    means = [made.predict(np.arange(12), np.arange(12)) for made in (moved, START)]
    assert means[0] is not None
    assert means[1] is not None
    assert (sign * (means[0].mean - means[1].mean) > 0).all()


def test_a_blend_makes_the_reviews_that_it_was_chosen_on_no_less_likely() -> None:
    reviews = random_reviews(4)
    blend = choose_rating_blend([START], [reviews], seed=0)
    assert log_loss(blended(START, blend), reviews) < log_loss(START, reviews)
    assert choose_rating_blend([START], [reviews], seed=0) == blend


def test_what_several_models_say_together_counts() -> None:
    models = [START, replace(random_model(seed=1), blend=Blend())]
    reviews = [random_reviews(4), random_reviews(5)]
    together = choose_rating_blend(models, reviews, seed=0)

    def loss(blend: Blend) -> float:
        return sum(
            log_loss(blended(model, blend), found) for model, found in zip(models, reviews, strict=True)
        )

    alone = [choose_rating_blend([models[one]], [reviews[one]], seed=0) for one in (0, 1)]
    assert together not in alone
    assert loss(together) < loss(Blend())


def test_without_ratings_nothing_is_chosen() -> None:
    model = replace(random_model(rated=False), blend=Blend())
    assert choose_rating_blend([model], [random_reviews(4)], seed=0) == Blend()
    assert blended(model, Blend(like_weight=0.5)).blend.like_weight == 0.5
