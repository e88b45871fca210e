import logging
import math
from functools import partial

import numpy as np
import pytest
from scipy.optimize import minimize

from engine.artifact.ids import IdTable, build_id_arrays
from engine.errors import DataError, UnknownIdError
from engine.model.heads import RatingHead, Tastes
from engine.model.histories import Histories, History
from engine.model.newcomers import BIAS_PENALTY, SCALE_PENALTY, rating_biases
from engine.questions.ratings import history_of

NUM_MOVIES, DIM = 40, 5
LEVELS = np.arange(1, 6, dtype=np.float32)
MOVIES = IdTable(*build_id_arrays([f"M{number:02}" for number in range(NUM_MOVIES)]))


def random_head(seed: int = 0) -> RatingHead:
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32) / 3

    return RatingHead(
        levels=LEVELS,
        movie_vectors=normal(NUM_MOVIES, DIM + 2),
        history_vectors=normal(NUM_MOVIES, 2 * DIM),
        reviewer_biases=np.zeros((3, 2), dtype=np.float32),
        movie_means=3 + normal(NUM_MOVIES),
        thresholds=np.array([-2.0, -1.0, 0.0, 1.5], dtype=np.float32),
        dot_weights=normal(DIM),
        kernels=[normal(3 * DIM, 4), normal(4, 2)],
        biases=[normal(4), normal(2)],
    )


def random_histories(lengths: list[int], seed: int = 1) -> Histories:
    generator = np.random.default_rng(seed)
    movies = np.concatenate([generator.permutation(NUM_MOVIES)[:length] for length in lengths])
    levels = generator.integers(0, 5, len(movies)).astype(np.int8)
    return Histories(np.concatenate([[0], np.cumsum(lengths)]), movies.astype(np.int32), levels)


def penalized_loss(head: RatingHead, history: History, own: np.ndarray) -> float:
    """Straight from the definition: each review from the others, one after the other."""
    loss = BIAS_PENALTY * own[0] ** 2 + SCALE_PENALTY * own[1] ** 2
    for place, level in enumerate(history.level_rows.tolist()):
        others = np.arange(len(history.level_rows)) != place
        rest = Histories.of_one(History(history.movie_rows[others], history.level_rows[others]))
        taste = head.tastes(None, rest)
        location, log_scale = head.locate(
            Tastes(taste.vectors, np.zeros(1), np.zeros(1)), history.movie_rows[[place]]
        )
        loss -= math.log(float(head.probabilities(location + own[0], log_scale + own[1])[0, level]))
    return loss


def test_biases_are_where_the_penalized_likelihood_is_highest() -> None:
    head, histories = random_head(), random_histories([1, 2, 7, 30])
    found = rating_biases(head, histories)
    for row in range(4):
        history = histories.of(row)
        best = minimize(partial(penalized_loss, head, history), np.zeros(2), method="Nelder-Mead")
        assert penalized_loss(head, history, found[row]) <= best.fun + 1e-3
        np.testing.assert_allclose(found[row], best.x, atol=0.02)


def test_many_newcomers_at_once_are_each_as_alone() -> None:
    head, histories = random_head(), random_histories([3, 0, 12, 1])
    together = rating_biases(head, histories)
    for row in range(4):
        alone = rating_biases(head, Histories.of_one(histories.of(row)))
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)
    np.testing.assert_array_equal(together[1], 0)
    assert rating_biases(head, histories.take(np.zeros(0, dtype=np.int64))).shape == (0, 2)


def test_who_rates_all_highest_is_generous() -> None:
    head = random_head()
    rows = np.arange(12, dtype=np.int32)
    for level, sign in ((4, 1), (0, -1)):
        history = History(rows, np.full(12, level, dtype=np.int8))
        assert sign * rating_biases(head, Histories.of_one(history))[0, 0] > 0.2


def test_a_history_keeps_the_order_and_takes_the_nearest_levels() -> None:
    history = history_of({"M07": 5, "M03": 1.2, "M09": 3.6}, MOVIES, random_head())
    assert history.movie_rows.tolist() == [7, 3, 9]
    assert history.level_rows.tolist() == [4, 0, 3]
    assert history_of(["M01", "M00"], MOVIES, None).movie_rows.tolist() == [1, 0]
    assert history_of({"M01": 9.0}, MOVIES, None).level_rows.tolist() == [0]


@pytest.mark.parametrize("rating", [0.0, 5.5, -1.0, math.nan, math.inf])
def test_a_rating_out_of_range_is_refused(rating: float) -> None:
    with pytest.raises(
        DataError, match=r"of movie 'M03' (is out of range; .*|must be a number) (go )?from 1 to 5"
    ):
        history_of({"M03": rating}, MOVIES, random_head())


def test_a_missing_rating_is_asked_for() -> None:
    with pytest.raises(DataError, match="without a rating"):
        history_of(["M03"], MOVIES, random_head())
    with pytest.raises(DataError, match="No movie was given"):
        history_of({}, MOVIES, random_head())


def test_unknown_movies_are_skipped_while_one_is_known(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        history = history_of({"X1": 5, "M03": 4, "X2": 5}, MOVIES, random_head())
    assert history.movie_rows.tolist() == [3]
    assert "Skipped 2 of the 3 movies given, which the index does not hold: X1, X2" in caplog.text
    with pytest.raises(UnknownIdError, match="No movie 'm03'") as caught:
        history_of({"m03": 5}, MOVIES, random_head())
    assert "M03" in caught.value.close_matches
