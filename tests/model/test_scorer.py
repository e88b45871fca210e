from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_models import BLEND, LEVELS, NUM_MOVIES, NUM_REVIEWERS, random_model

from engine.arrays import k_highest
from engine.artifact.layout import MODEL_SECTION
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.model.histories import History
from engine.model.neighbours import NeighbourTable
from engine.model.scorer import ALL, Model
from engine.model.values import Blend


@pytest.fixture(params=["ratings", "linear", "no-ratings"])
def model(request: pytest.FixtureRequest) -> Model:
    return random_model(rated=request.param != "no-ratings", linear=request.param == "linear")


def test_some_movies_score_as_among_all(model: Model) -> None:
    generator = np.random.default_rng(1)
    scores = model.score(range(NUM_REVIEWERS))
    assert scores.dtype == np.float32
    for reviewer_row in range(NUM_REVIEWERS):
        reviewer = model.reviewer(reviewer_row)
        every = model.rescore(reviewer, ALL)
        np.testing.assert_array_equal(every.score, scores[reviewer_row])
        for count in (0, 1, 7, NUM_MOVIES):
            rows = generator.permutation(NUM_MOVIES)[:count]
            some = model.rescore(reviewer, rows)
            np.testing.assert_allclose(some.score, scores[reviewer_row, rows], atol=1e-5)
            np.testing.assert_allclose(some.relevance, every.relevance[rows], atol=1e-5)
            if some.probabilities is not None and every.probabilities is not None:
                np.testing.assert_allclose(some.probabilities, every.probabilities[rows], atol=1e-5)


@pytest.mark.parametrize("k", [1, 3, NUM_MOVIES, NUM_MOVIES + 5])
@pytest.mark.parametrize("least", [1, 24])
@pytest.mark.parametrize("like_weight", [0.0, 0.5, 6.0])
def test_the_best_are_found_without_rating_all(
    model: Model, k: int, least: int, like_weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.scorer._LEAST_RATED", least)
    model = replace(model, blend=replace(model.blend, like_weight=like_weight))
    generator = np.random.default_rng(2)
    for reviewer_row in range(NUM_REVIEWERS):
        reviewer = model.reviewer(reviewer_row)
        for count in (0, 1, 7, NUM_MOVIES):
            rows = np.sort(generator.permutation(NUM_MOVIES)[:count])
            every = model.rescore(reviewer, rows)
            places, some = model.rescore_best(reviewer, rows, k)
            best = k_highest(every.score, k)
            np.testing.assert_array_equal(places[k_highest(some.score, k)], best)
            np.testing.assert_allclose(some.score, every.score[places], atol=1e-5)
            np.testing.assert_allclose(some.relevance, every.relevance[places], atol=1e-5)


def test_nobody_gets_no_scores(model: Model) -> None:
    assert model.score([]).shape == (0, NUM_MOVIES)


def test_without_ratings_a_score_is_relevance_and_nothing_is_predicted() -> None:
    model = random_model(rated=False)
    scores = model.rescore(model.reviewer(3), ALL)
    np.testing.assert_array_equal(scores.score, scores.relevance)
    assert scores.probabilities is None
    assert model.predict(np.array([1]), np.array([2])) is None
    with pytest.raises(ValueError, match="no ratings"):
        model.rate(model.reviewer(3), ALL)
    with pytest.raises(ValueError, match="no ratings"):
        model.like_probability(np.zeros((1, 5), np.float32))


def test_a_batch_of_predictions_is_that_of_single_ones() -> None:
    model, generator = random_model(), np.random.default_rng(2)
    reviewers, movies = generator.integers(0, NUM_REVIEWERS, 40), generator.integers(0, NUM_MOVIES, 40)
    batch = model.predict(reviewers, movies)
    assert batch is not None
    for place in range(40):
        single = model.predict(reviewers[[place]], movies[[place]])
        assert single is not None
        np.testing.assert_allclose(batch.probabilities[place], single.probabilities[0], atol=1e-5)
        assert batch.mean[place] == pytest.approx(single.mean[0], abs=1e-5)
        assert batch.median[place] == single.median[0]


def test_no_pairs_get_no_predictions() -> None:
    predicted = random_model().predict(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert predicted is not None
    assert predicted.probabilities.shape == (0, 5)


def test_a_prediction_is_what_the_list_shows() -> None:
    model = random_model()
    scores = model.rescore(model.reviewer(5), ALL)
    predicted = model.predict(np.full(NUM_MOVIES, 5), np.arange(NUM_MOVIES))
    assert predicted is not None
    assert scores.probabilities is not None
    np.testing.assert_allclose(predicted.probabilities, scores.probabilities, atol=1e-6)


def test_a_score_is_the_sum_of_its_weighted_parts(model: Model) -> None:
    reviewer = model.reviewer(4)
    found = model.rescore(reviewer, ALL)
    bare = model.relevance.movie_vectors @ reviewer.query
    relevance = bare + reviewer.near.at(ALL)
    np.testing.assert_allclose(found.relevance, relevance, atol=1e-4)
    if found.probabilities is not None:
        chance = found.probabilities[:, 3:].sum(axis=1)  # 4 and 5 stars
        np.testing.assert_allclose(found.score, relevance + BLEND.like_weight * np.log(chance), atol=1e-3)


def test_weights_of_zero_leave_the_relevance_alone(model: Model) -> None:
    still = replace(model, blend=Blend())
    reviewer = still.reviewer(4)
    expected = still.relevance.movie_vectors @ reviewer.query
    np.testing.assert_allclose(still.rescore(reviewer, ALL).score, expected, atol=1e-5)


def test_near_adds_up_the_faded_means_of_neighbours_and_successors(model: Model) -> None:
    assert model.successors is not None
    neighbours = model.history_neighbours or model.neighbours
    by_neighbours = faded_mean(model, neighbours, power=0.4)
    by_successors = faded_mean(model, model.successors, power=1.0)
    expected = BLEND.neighbour_weight * by_neighbours + BLEND.successor_weight * by_successors
    np.testing.assert_allclose(model.reviewer(7).near.at(ALL), expected, atol=1e-5)
    alone = replace(model, successors=None).reviewer(7).near
    np.testing.assert_allclose(alone.at(ALL), BLEND.neighbour_weight * by_neighbours, atol=1e-5)


def test_sums_over_long_histories_count_more_with_a_lower_length_power(model: Model) -> None:
    table = model.history_neighbours or model.neighbours
    (near, _) = model.near_tables
    mass = sum(age**-near.recency_power for age in range(1, len(model.histories.of(7).movie_rows) + 1))
    for power in (0.0, 0.5, 1.0):
        other = replace(model, successors=None, blend=replace(BLEND, length_power=power))
        expected = BLEND.neighbour_weight * faded_mean(model, table, power=0.4) * mass ** (1 - power)
        np.testing.assert_allclose(other.reviewer(7).near.at(ALL), expected, rtol=1e-4, atol=1e-6)


def faded_mean(model: Model, table: NeighbourTable, power: float) -> np.ndarray:
    """The mean of a table's weights over the history of reviewer 7, in which older reviews count less."""
    history, near, mass = model.histories.of(7), np.zeros(NUM_MOVIES), 0.0
    for age, (movie, level) in enumerate(
        zip(history.movie_rows[::-1], history.level_rows[::-1], strict=True), start=1
    ):
        liked = model.rating is None or LEVELS[level] >= BLEND.like_rating
        rows, weights = table.of(int(movie))
        near[rows] += age**-power * (1.0 if liked else BLEND.other_weight) * weights
        mass += age**-power
    return near / mass


def test_movies_rated_like_loved_ones_are_predicted_higher() -> None:
    model = random_model()
    reviewer = model.reviewer(6)
    assert reviewer.neighbour_ratings is not None
    above = reviewer.neighbour_ratings.at(ALL)
    without = replace(model, blend=replace(BLEND, rating_neighbour_weight=0.0))
    assert model.rating is not None
    means = [m.rating.summarize(m.rate(reviewer, ALL)).mean for m in (model, without) if m.rating]
    moved = means[0] - means[1]
    assert (moved[above > 0.01] > 0).all()
    assert (moved[above < -0.01] < 0).all()
    np.testing.assert_allclose(moved[above == 0], 0.0, atol=1e-5)


def test_a_higher_temperature_sharpens_ratings() -> None:
    model = random_model()
    cold = replace(model, blend=replace(BLEND, log_temperature=3.0))
    highest = [m.rate(m.reviewer(2), ALL).max(axis=1).mean() for m in (model, cold)]
    assert highest[1] > highest[0]


def test_the_lowest_rating_that_is_a_like_decides_the_chance_of_one() -> None:
    model, chances = random_model(), np.array([[0.1, 0.2, 0.3, 0.25, 0.15]], np.float32)
    for like_rating, expected in ((4.0, 0.4), (3.5, 0.4), (3.0, 0.7), (5.0, 0.15), (1.0, 1.0)):
        judged = replace(model, blend=replace(BLEND, like_rating=like_rating))
        assert judged.like_probability(chances)[0] == pytest.approx(expected, abs=1e-6)


def test_a_reviewer_may_bring_a_history_of_their_own(model: Model) -> None:
    history = History(np.array([3, 8], np.int32), np.array([0, 0], np.int8))
    scores = model.rescore(model.reviewer(None, history), ALL).score
    assert np.isfinite(scores).all()
    known = model.reviewer(2, model.histories.of(2))
    np.testing.assert_array_equal(model.rescore(known, ALL).score, model.score([2])[0])
    with pytest.raises(ValueError, match="needs a history"):
        model.reviewer(None)


def test_a_reviewer_without_reviews_is_scored_all_the_same(model: Model) -> None:
    reviewer = model.reviewer(0)
    assert len(reviewer.history.movie_rows) == 0
    assert not reviewer.near.at(ALL).any()
    assert np.isfinite(model.rescore(reviewer, ALL).score).all()


def test_the_interaction_weight_scales_what_is_beside_the_biases() -> None:
    model = random_model()
    head, taste = model.rating, model.reviewer(3).taste
    assert head is not None
    assert taste is not None
    biases, without, whole, half = (
        taste.biases + head.movie_vectors[:, -2],
        *(head.locate(taste, ALL, weight)[0] for weight in (0.0, 1.0, 0.5)),
    )
    np.testing.assert_allclose(without, biases, atol=1e-5)
    np.testing.assert_allclose(half, (without + whole) / 2, atol=1e-4)
    weighted = replace(model, blend=replace(Blend(), interaction_weight=0.5))
    expected = head.probabilities(half, head.locate(taste, ALL)[1])
    np.testing.assert_allclose(weighted.rate(weighted.reviewer(3), ALL), expected, atol=1e-4)


@pytest.mark.parametrize("doubt", [0.0, 3.0])
def test_chances_under_one_half_count_more_where_there_is_doubt(doubt: float) -> None:
    model = random_model()
    model = replace(model, blend=replace(model.blend, doubt=doubt))
    chances = np.zeros((3, 5), dtype=np.float32)
    chances[:, 0], chances[:, 4] = [0.8, 0.5, 0.1], [0.2, 0.5, 0.9]
    expected = [np.log(0.2) + doubt * np.log(0.4), np.log(0.5), np.log(0.9)]
    np.testing.assert_allclose(model.log_like(chances), expected, atol=1e-5)
    assert (model.log_like(chances) <= 0).all()


@pytest.mark.parametrize("is_older", [False, True])
def test_successors_are_written_and_an_older_index_opens_without_them(is_older: bool, tmp_path: Path) -> None:
    model = random_model()
    model = replace(model, successors=None) if is_older else model
    section = model.section()
    if is_older:
        del section["has_successors"], section["blend"]["successor_weight"]
    with ArtifactWriter(tmp_path / "index") as writer:
        for name, array in model.arrays().items():
            writer.add_array(name, array)
        writer.add_section(MODEL_SECTION, section)
    opened = Model.open(Artifact.open(tmp_path / "index"))
    assert (opened.successors is None) == is_older
    np.testing.assert_allclose(opened.score([3]), model.score([3]), atol=1e-5)
