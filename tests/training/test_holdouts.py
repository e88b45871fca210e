from collections.abc import Callable

import numpy as np
import pytest

from engine.arrays import k_highest
from engine.config.sections import Config, load_config
from engine.model.histories import History
from engine.model.scorer import ALL
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.dataset.splits import in_order
from pipelines.neighbours.tables import CO_REVIEWS
from pipelines.training import holdouts
from pipelines.training.fit import first_blend, fit_model
from pipelines.training.holdouts import Holdout, train_holdouts
from pipelines.training.one_model import TrainedModel
from pipelines.work.checkpoints import NOTHING_KEPT

TINY = (
    *("relevance.embedding_dim=4", "relevance.max_rounds=2", "relevance.num_members=1"),
    *("rating.max_rounds=2", "rating.dim=4"),
)


def some_reviews(num_reviewers: int = 40, each: int = 6) -> Reviews:
    generator = np.random.default_rng(0)
    return make_reviews(
        np.repeat(np.arange(num_reviewers), each),
        np.concatenate([generator.permutation(60)[:each] for _ in range(num_reviewers)]),
        np.full(num_reviewers * each, 5.0),
        np.arange(num_reviewers * each),
        num_reviewers=num_reviewers,
        num_movies=60,
        levels=np.arange(1, 6, dtype=np.float32),
    )


def held_out_by(reviews: Reviews, config: Config) -> list[Holdout]:
    blend = first_blend(reviews, config)
    return train_holdouts(reviews, blend, config, NOTHING_KEPT)


def keys(reviews: Reviews) -> set[tuple[int, int]]:
    return set(zip(reviews.reviewer_rows.tolist(), reviews.movie_rows.tolist(), strict=True))


def test_few_likes_are_held_out_several_times_by_time_each_time_earlier_ones() -> None:
    reviews = some_reviews()
    found = held_out_by(reviews, load_config(assignments=TINY))
    assert len(found) == 4
    last = reviews.offsets()[1:]
    for number, holdout in enumerate(found):
        expected = reviews.select(last - 1 - number)
        assert keys(holdout.held_out) == keys(expected)
        kept = holdout.trained.model.histories
        assert (np.diff(kept.offsets) == 5 - number).all()
        assert set(holdout.trained.rounds) == set(holdout.trained.curves) == {"relevance", "rating"}
        assert CO_REVIEWS in holdout.trained.tables
        assert holdout.trained.content is None


def test_without_an_order_each_draw_holds_out_others() -> None:
    config = load_config(assignments=(*TINY, "split.order=none", "split.max_holdouts=3"))
    reviews = some_reviews()
    found = [keys(holdout.held_out) for holdout in held_out_by(in_order(reviews, config), config)]
    assert len(found) == 3
    assert all(len(one) == 40 for one in found)
    assert len(found[0] & found[1]) < 20
    assert len(found[1] & found[2]) < 20


@pytest.mark.parametrize(("enough", "expected"), [(59, 1), (61, 2)])
def test_many_likes_are_held_out_once(enough: int, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdouts, "ENOUGH_LIKES", enough)
    assert len(held_out_by(some_reviews(), load_config(assignments=TINY))) == expected


def test_nothing_is_validated_on_next_to_nobody() -> None:
    config = load_config(assignments=TINY)
    assert held_out_by(some_reviews(9), config) == []
    fitted = fit_model(some_reviews(9), config)
    assert fitted.findings.curves == {}
    assert fitted.findings.kind.form == "damped"


def test_reviews_run_out_before_the_holdouts_do() -> None:
    reviews = some_reviews(each=4)  # each time one goes, and of two none does
    assert len(held_out_by(reviews, load_config(assignments=TINY))) == 2


def test_a_build_takes_the_median_of_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = iter([3, 1, 1, 2])

    def begin(*given: object, **more: object) -> Callable[[], TrainedModel]:
        finish = real(*given, **more)
        if "held_out" not in more:
            return finish
        return lambda: finish()._replace(rounds={"relevance": next(rounds), "rating": 1})

    real: Callable[..., Callable[[], TrainedModel]] = holdouts.begin_model
    monkeypatch.setattr(holdouts, "begin_model", begin)
    config = load_config(assignments=TINY)
    assert fit_model(some_reviews(), config).findings.rounds == {"relevance": 2, "rating": 1}


def test_a_model_takes_in_what_metadata_makes_alike_where_that_helps() -> None:
    """Everyone likes movies of one kind, of which each is reviewed by few."""
    generator = np.random.default_rng(0)
    movies = [generator.permutation(300)[:5] + 300 * (row % 2) for row in range(120)]
    reviews = make_reviews(
        np.repeat(np.arange(120), 5),
        np.concatenate(movies),
        None,
        np.arange(600),
        num_reviewers=120,
        num_movies=600,
    )
    kinds = np.repeat(np.eye(2, dtype=np.float32), 300, axis=0)
    config = load_config(assignments=(*TINY, "neighbours.num_content_neighbours=7"))
    fitted = fit_model(reviews, config, features=kinds)
    assert fitted.findings.kind.content > 0
    table = fitted.model.history_neighbours
    assert table is not None
    sources = np.repeat(np.arange(600), np.diff(table.offsets))
    assert ((sources < 300) == (table.movie_rows < 300)).all()
    plain = fit_model(reviews, config).findings
    assert plain.kind.content == 0
    again = fit_model(reviews, config, features=kinds, findings=fitted.findings)
    assert again.findings == fitted.findings


def test_what_follows_what_is_learned_where_reviews_have_an_order() -> None:
    """Everyone goes through a circle of sixty movies in the same direction, from a place of their own."""
    generator = np.random.default_rng(0)
    starts = generator.integers(60, size=80)
    reviews = make_reviews(
        np.repeat(np.arange(80), 6),
        ((starts[:, None] + np.arange(6)) % 60).ravel(),
        None,
        np.arange(480),
        num_reviewers=80,
        num_movies=60,
    )
    model = fit_model(reviews, load_config(assignments=TINY)).model
    assert model.successors is not None
    assert model.blend.successor_weight > 0
    history = History(np.array([7, 8, 9], np.int32), np.zeros(3, np.int8))
    scores = model.rescore(model.reviewer(None, history), ALL).score
    assert scores[10] > scores[6]
    assert k_highest(scores, 4).tolist()[0] == 10


def test_without_an_order_nothing_follows_anything() -> None:
    config = load_config(assignments=(*TINY, "split.order=none"))
    fitted = fit_model(some_reviews(), config)
    assert fitted.model.successors is None
    assert fitted.model.blend.successor_weight == 0
