import numpy as np
import pytest
from random_models import random_model

from engine.model.scorer import Model
from pipelines.dataset.movie_figures import popularity_of
from pipelines.evaluation.fold_figures import PopularFallback
from pipelines.measuring.ranking import top_of

POPULAR = np.array([3.0, 9.0, 3.0, 7.0] + [0.5] * 46, dtype=np.float32)


@pytest.fixture
def model() -> Model:
    """Returns a random model, whose first reviewer has reviewed nothing."""
    return random_model()


def test_unknown_reviewers_get_the_popular_list_and_others_their_own(model: Model) -> None:
    rows = np.array([1, 0, 4])
    ranker = PopularFallback(model, POPULAR)
    listed = ranker.top(rows, 5)
    assert listed[1].tolist() == [1, 3, 0, 2, 4]
    np.testing.assert_array_equal(listed[[0, 2]], top_of(model)(rows[[0, 2]], 5))
    np.testing.assert_array_equal(ranker.score(rows)[1], POPULAR)
    np.testing.assert_array_equal(ranker.score(rows)[[0, 2]], model.score(rows[[0, 2]]))


def test_a_list_longer_than_the_catalogue_ends_early(model: Model) -> None:
    listed = PopularFallback(model, POPULAR).top(np.array([0]), 60)
    assert sorted(listed[0, :50]) == list(range(50))
    assert (listed[0, 50:] == -1).all()


def test_likes_count_more_in_popularity_and_old_reviews_less(model: Model) -> None:
    histories = model.histories
    today = 100 * 86_400
    times = np.full(len(histories.movie_rows), today)
    assert model.rating is not None
    liked = model.rating.levels[histories.level_rows] >= model.blend.like_rating
    weights = np.where(liked, 1.0, model.blend.other_weight)
    expected = np.bincount(histories.movie_rows, weights, model.num_movies)
    fresh = popularity_of(model, histories, times, 10.0)
    np.testing.assert_allclose(fresh, expected, rtol=1e-6)
    times[::2] = today - 10 * 86_400
    weights[::2] /= 2
    expected = np.bincount(histories.movie_rows, weights, model.num_movies)
    aged = popularity_of(model, histories, times, 10.0)
    np.testing.assert_allclose(aged, expected, rtol=1e-6)
