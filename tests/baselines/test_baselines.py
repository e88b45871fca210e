import numpy as np
import pytest

from engine.errors import ConfigError
from engine.model.heads import RatingPrediction
from pipelines.baselines import rankers, seed
from pipelines.baselines.registry import BASELINES, Ranker, Rater, fit_baseline
from pipelines.dataset.reviews import Reviews, make_reviews
from pipelines.dataset.splits import Split, hold_out_last
from pipelines.measuring.metrics import rmse
from pipelines.measuring.ranking import rank_held_out

QUICK = ("constants", "biases", "popularity", "item-knn", "ease")


def two_tastes(num_reviewers: int = 200, num_movies: int = 40, seed: int = 0) -> Reviews:
    """Half of the reviewers come to the first half of the movies and like them; so the other half."""
    generator = np.random.default_rng(seed)
    reviewers, movies, ratings = [], [], []
    for reviewer in range(num_reviewers):
        own = np.arange(num_movies // 2) + (reviewer % 2) * (num_movies // 2)
        other = (own + num_movies // 2) % num_movies
        chosen = np.concatenate([generator.permutation(own)[:10], generator.permutation(other)[:2]])
        reviewers += [reviewer] * len(chosen)
        movies += generator.permutation(chosen).tolist()
        ratings += [5.0 if movie in own else 1.0 for movie in movies[-len(chosen) :]]
    return make_reviews(
        np.array(reviewers),
        np.array(movies),
        np.array(ratings),
        np.arange(len(movies)),
        num_reviewers=num_reviewers,
        num_movies=num_movies,
    )


@pytest.fixture(scope="module")
def split() -> Split:
    return hold_out_last(two_tastes(), 0.2)


def ranker(name: str, reviews: Reviews) -> Ranker:
    model = fit_baseline(name, reviews, like_rating=4, seed=1)
    assert isinstance(model, Ranker)
    return model


def predict(name: str, reviews: Reviews) -> RatingPrediction:
    """Predicts the reviews that a model is fitted to."""
    model = fit_baseline(name, reviews, like_rating=4, seed=1)
    assert isinstance(model, Rater)
    prediction = model.predict(reviews.reviewer_rows, reviews.movie_rows)
    assert prediction is not None
    return prediction


def quality(model: Ranker, split: Split) -> float:
    liked = split.held_out.select(split.held_out.likes(4))
    return rank_held_out(model.score, split.train, liked).mean()["ndcg@10"]


@pytest.mark.parametrize("name", ["item-knn", "ease"])
def test_planted_tastes_are_found_by_what_looks_at_histories(name: str, split: Split) -> None:
    popular = ranker("popularity", split.train)
    assert quality(ranker(name, split.train), split) > quality(popular, split) + 0.1


@pytest.mark.parametrize("name", QUICK)
def test_every_baseline_answers_for_unknown_reviewers_and_movies(name: str, split: Split) -> None:
    train = split.train
    wider = Reviews(
        **(vars(train) | {"num_reviewers": train.num_reviewers + 1, "num_movies": train.num_movies + 1})
    )
    model = fit_baseline(name, wider, like_rating=4, seed=1)
    if isinstance(model, Ranker):
        scores = model.score(np.array([0, train.num_reviewers]))
        assert scores.shape == (2, train.num_movies + 1)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
    if isinstance(model, Rater):
        prediction = model.predict(np.array([train.num_reviewers, 0]), np.array([0, train.num_movies]))
        if prediction is not None:
            assert ((prediction.mean >= 1) & (prediction.mean <= 5)).all()


@pytest.mark.parametrize("name", ["item-knn", "ease"])
def test_who_has_no_history_gets_what_is_popular(name: str, split: Split) -> None:
    train = split.train.select(split.train.reviewer_rows != 3)
    popular = ranker("popularity", train)
    assert (ranker(name, train).score(np.array([3])) == popular.score(np.array([3]))).all()


def test_constants_are_the_best_ones_for_each_error() -> None:
    reviews = two_tastes()
    prediction = predict("constants", reviews)
    assert set(prediction.median.tolist()) == {5.0}
    assert prediction.mean == pytest.approx(reviews.ratings.mean())
    assert prediction.probabilities[0] == pytest.approx([2 / 12, 10 / 12])


def test_biases_find_generous_reviewers_and_good_movies() -> None:
    generator = np.random.default_rng(0)
    reviewers, movies = (part.ravel() for part in np.indices((60, 50)))
    generous, good = generator.normal(0, 0.5, 60), generator.normal(0, 0.5, 50)
    exact = np.clip(np.round(3 + generous[reviewers] + good[movies]), 1, 5)
    reviews = make_reviews(reviewers, movies, exact, None, num_reviewers=60, num_movies=50)
    prediction = predict("biases", reviews)
    assert rmse(prediction.mean, reviews.ratings) < 0.4 < float(reviews.ratings.std())


def test_item_neighbours_are_the_same_in_chunks(monkeypatch: pytest.MonkeyPatch, split: Split) -> None:
    whole = ranker("item-knn", split.train)
    monkeypatch.setattr(rankers, "_CHUNK", 7)
    chunked = ranker("item-knn", split.train)
    assert chunked.score(np.arange(9)) == pytest.approx(whole.score(np.arange(9)))


def test_item_neighbours_keep_only_the_nearest(monkeypatch: pytest.MonkeyPatch, split: Split) -> None:
    monkeypatch.setattr(rankers, "KNN_NEIGHBOURS", 3)
    model = rankers.ItemNeighbours(split.train)
    assert np.diff(model.weights.indptr).max() == 3  # type: ignore[union-attr]


def test_item_neighbours_follow_their_formula() -> None:
    reviews = make_reviews(
        np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2]), None, None, num_reviewers=2, num_movies=3
    )
    model = rankers.ItemNeighbours(reviews)
    expected = (1 / np.sqrt(2) + 1 / np.sqrt(3)) / (2 + 3)
    assert model.weights[0, 1] == pytest.approx(expected)
    assert model.weights[0, 0] == 0


def test_ease_is_refused_where_its_matrix_would_not_fit(
    monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    monkeypatch.setattr(rankers, "EASE_MAX_MOVIES", 39)
    with pytest.raises(ConfigError, match=r"refused above 39 movies.*40 have likes; leave it out"):
        fit_baseline("ease", split.train, like_rating=4, seed=1)


def test_ease_has_no_weight_from_a_movie_to_itself(split: Split) -> None:
    model = rankers.Ease(split.train, like_rating=4)
    assert np.diag(np.asarray(model.weights)).tolist() == [0] * 40


def test_an_unknown_model_is_named_with_those_that_there_are(split: Split) -> None:
    with pytest.raises(ConfigError, match="no model 'eese'; expected one of ncf, constants"):
        fit_baseline("eese", split.train, like_rating=4, seed=1)


def good_and_bad_movies(each: int) -> Reviews:
    """Draws 400 reviewers with `each` reviews: half of the movies are good, and some reviewers are strict."""
    generator = np.random.default_rng(0)
    reviewers = np.repeat(np.arange(400), each)
    movies = np.concatenate([generator.permutation(40)[:each] for _ in range(400)])
    ratings = 3.5 + 1.0 * (movies % 2) - 1.0 * (reviewers % 2) + generator.integers(0, 2, len(movies))
    times = np.arange(len(movies))
    return make_reviews(
        reviewers, movies, np.clip(ratings, 1, 5).round(), times, num_reviewers=400, num_movies=40
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["base", "final"])
def test_the_seeds_models_learn_planted_ratings_and_leave_keras_unchanged(name: str) -> None:
    pytest.importorskip("tensorflow")
    train, held_out = hold_out_last(good_and_bad_movies(10), 0.2)
    model = fit_baseline(name, train, like_rating=4, seed=1)
    assert isinstance(model, Ranker)
    assert isinstance(model, Rater)
    prediction = model.predict(held_out.reviewer_rows, held_out.movie_rows)
    assert prediction is not None
    constant = np.full(len(held_out), train.ratings.mean())
    assert rmse(prediction.mean, held_out.ratings) < 0.9 * rmse(constant, held_out.ratings)
    scores = model.score(held_out.reviewer_rows)[np.arange(len(held_out)), held_out.movie_rows]
    assert np.clip(scores, 1, 5) == pytest.approx(prediction.mean, abs=1e-5)


@pytest.mark.slow
def test_the_seeds_models_are_trained_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    monkeypatch.setattr(seed, "_MAX_EPOCHS", 2)
    monkeypatch.setattr(seed, "_MAX_STEPS", 1)
    model = seed.SeedBase(split.train, seed=1)
    assert len(model.curves["loss"]) == len(model.curves["validation"]) == 2


@pytest.mark.slow
def test_the_base_model_is_no_worse_than_a_constant_where_reviews_are_few() -> None:
    pytest.importorskip("tensorflow")
    train, held_out = hold_out_last(good_and_bad_movies(4), 0.25)
    model = seed.SeedBase(train, seed=1)
    predicted = model.predict(held_out.reviewer_rows, held_out.movie_rows)
    constant = np.full(len(held_out), train.ratings.mean())
    assert rmse(predicted.mean, held_out.ratings) < rmse(constant, held_out.ratings)
    assert predicted.mean.mean() == pytest.approx(train.ratings.mean(), abs=0.1)


@pytest.mark.parametrize(
    ("name", "module"), [("als", "implicit"), ("svd", "surprise"), ("svd++", "surprise")]
)
@pytest.mark.filterwarnings("ignore")
def test_peers_answer_where_they_are_installed(name: str, module: str, split: Split) -> None:
    pytest.importorskip(module)
    assert quality(ranker(name, split.train), split) > 0
    assert BASELINES[name].needs_ratings == (name != "als")


@pytest.mark.parametrize("name", ["als", "svd", "svd++"])
def test_peers_that_are_not_installed_are_a_clear_error(
    name: str, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for module in ("implicit", "implicit.als", "surprise"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install movie-engine\[peers\]"):
        fit_baseline(name, split.train, like_rating=4, seed=1)
