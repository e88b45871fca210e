"""Lists for someone new, for a group and for the unknown, held against scoring every movie."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from engine import Engine
from engine.artifact.ids import IdTable
from engine.artifact.reader import Artifact
from engine.cli.main import main
from engine.errors import ConfigError, DataError, UnknownIdError
from engine.lists.groups import Group
from engine.model.histories import Histories
from engine.model.newcomers import newcomer
from engine.model.scorer import ALL, Model

pytestmark = pytest.mark.slow
ONE_BY_ONE: dict[str, Any] = {"all_variants": True, "because": False}


@pytest.fixture(scope="module")
def engine(sample_index: Path) -> Engine:
    return Engine.load(sample_index)


@pytest.fixture(scope="module")
def model(sample_index: Path) -> Model:
    return Model.open(Artifact.open(sample_index))


@pytest.fixture(scope="module")
def reviewers(sample_index: Path) -> list[str]:
    artifact = Artifact.open(sample_index)
    return list(IdTable(artifact.array("reviewer_ids"), artifact.array("reviewer_id_offsets")))


@pytest.fixture(scope="module")
def movies(sample_index: Path) -> list[str]:
    artifact = Artifact.open(sample_index)
    return list(IdTable(artifact.array("movie_ids"), artifact.array("movie_id_offsets")))


def ratings_of(model: Model, movies: list[str], reviewer_row: int) -> dict[str, float]:
    history = model.histories.of(reviewer_row)
    assert model.rating is not None
    levels = model.rating.levels[history.level_rows].tolist()
    return {movies[row]: level for row, level in zip(history.movie_rows.tolist(), levels, strict=True)}


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["recommend", *arguments])


def test_folding_a_known_reviewer_in_gives_much_the_same_list(
    engine: Engine, model: Model, reviewers: list[str], movies: list[str]
) -> None:
    overlaps = []
    for row in range(0, len(reviewers), 40):
        new = engine.recommend_for(ratings_of(model, movies, row), 10, **ONE_BY_ONE)
        known = engine.recommend(reviewers[row], 10, **ONE_BY_ONE)
        overlaps.append(len({item.movie_id for item in new} & {item.movie_id for item in known}) / 10)
    assert np.mean(overlaps) >= 0.8


def test_a_newcomer_is_scored_as_pooled_from_the_ratings(
    engine: Engine, model: Model, movies: list[str]
) -> None:
    ratings = ratings_of(model, movies, 7)
    side = newcomer(model, model.histories.of(7))
    scores = model.rescore(side, ALL).score
    for item in engine.recommend_for(ratings, 10, **ONE_BY_ONE):
        assert item.movie_id not in ratings
        assert item.score == pytest.approx(float(scores[movies.index(item.movie_id)]), abs=1e-4)


def test_lists_for_newcomers_take_every_option(engine: Engine, movies: list[str]) -> None:
    ratings = {movies[3]: 5, movies[9]: 4.4, movies[20]: 1}
    assert all(item.card["year"] >= 1950 for item in engine.recommend_for(ratings, 20, where="year >= 1950"))
    only = engine.recommend_for(ratings, 3, only=movies[:6], diversity=0.3)
    assert {item.movie_id for item in only} <= set(movies[:6]) - {movies[3]}
    assert movies[3] in {
        item.movie_id
        for item in engine.recommend_for(ratings, len(movies), include_seen=True, all_variants=True)
    }
    for name, number in (("diversity", 2), ("min_rating", 9)):
        with pytest.raises(ConfigError):
            engine.recommend_for(ratings, **{name: number})
    with pytest.raises(ConfigError, match="at least 1"):
        engine.recommend_for(ratings, 0)


@pytest.mark.parametrize("strategy", ["average", "least-misery"])
def test_a_group_is_scored_by_members_on_one_scale(
    engine: Engine, model: Model, reviewers: list[str], movies: list[str], strategy: str
) -> None:
    rows = [2, 30, 71]
    sides = [model.reviewer(row) for row in rows]
    seen = np.unique(np.concatenate([side.history.movie_rows for side in sides]))
    every = engine.recommend_group(
        [reviewers[row] for row in rows], len(movies), strategy=strategy, **ONE_BY_ONE
    )
    assert {item.movie_id for item in every} == set(movies) - {movies[row] for row in seen.tolist()}
    listed = [movies.index(item.movie_id) for item in every]
    combined = np.array([item.score for item in every])
    assert (np.diff(combined) <= 1e-6).all()
    probabilities = np.stack([model.rate(side, np.array(listed)) for side in sides])
    assert model.rating is not None
    means = (probabilities * model.rating.levels).sum(axis=-1)
    merged = means.mean(axis=0) if strategy == "average" else means.min(axis=0)
    np.testing.assert_allclose([item.predicted_rating for item in every], merged, atol=1e-4)
    for place, item in enumerate(every[:20]):
        members = item.to_dict()["members"]
        assert [member["reviewer_id"] for member in members] == [reviewers[row] for row in rows]
        np.testing.assert_allclose(
            [member["predicted_rating"] for member in members], means[:, place], atol=1e-4
        )


def test_a_group_of_one_gets_the_list_of_that_one(engine: Engine, reviewers: list[str]) -> None:
    for strategy in ("average", "least-misery"):
        alone = engine.recommend(reviewers[5], 10)
        group = engine.recommend_group([reviewers[5], reviewers[5]], 10, strategy=strategy)
        assert [item.movie_id for item in group] == [item.movie_id for item in alone]


def test_nobodys_scale_decides_for_a_group(engine: Engine, model: Model, reviewers: list[str]) -> None:
    """Scores of members are brought to mean 0 and spread 1 over the same movies."""
    sides = {reviewers[row]: model.reviewer(row) for row in (4, 50)}
    group = Group(engine.index.lists, sides, "average")
    compared = group.candidates(engine.index.lists.candidates.num_candidates)
    normalised = group._normalised([model.rescore(side, compared).score for side in sides.values()])
    np.testing.assert_allclose(normalised.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(normalised.std(axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(group.scores(compared).score, normalised.mean(axis=0), atol=1e-4)
    worst = Group(engine.index.lists, sides, "least-misery").scores(compared).score
    np.testing.assert_allclose(worst, normalised.min(axis=0), atol=1e-4)
    for row in (4, 50):
        alone = Group(engine.index.lists, {reviewers[row]: model.reviewer(row)}, "average")
        assert len(alone.seen_rows) <= len(group.seen_rows)


def test_groups_take_every_option(engine: Engine, reviewers: list[str], movies: list[str]) -> None:
    some = reviewers[:3]
    found = engine.recommend_group(some, 15, where="year >= 1950", min_rating=3.0, strategy="least-misery")
    for item in found:
        assert item.card["year"] >= 1950
        assert all(member["predicted_rating"] >= 3.0 for member in item.to_dict()["members"])
    varied = engine.recommend_group(some, 5, diversity=0.5)
    assert varied.variety is not None
    assert engine.recommend_group(some, 5, where="year > 3000").why_empty
    assert all(item.because is None for item in engine.recommend_group(some, 5, because=False))
    assert any(item.because for item in engine.recommend_group(some, 5))
    with pytest.raises(ConfigError, match="needs members"):
        engine.recommend_group([])
    with pytest.raises(ConfigError, match="strategy must be one of average, least-misery"):
        engine.recommend_group(some, strategy="most")
    with pytest.raises(UnknownIdError):
        engine.recommend_group([some[0], "nobody"])


def test_the_unknown_get_what_is_popular(
    engine: Engine, sample_index: Path, reviewers: list[str], movies: list[str]
) -> None:
    with pytest.raises(UnknownIdError):
        engine.recommend("nobody")
    known, unknown = engine.recommend_many([reviewers[0], "nobody"], 10, fallback="popular", **ONE_BY_ONE)
    assert (known.fallback, unknown.fallback) == (None, "popular")
    assert known == engine.recommend(reviewers[0], 10, **ONE_BY_ONE)
    popularity = Artifact.open(sample_index).array("movie_popularity")
    best = np.lexsort((np.arange(len(movies)), -popularity))[:10]
    assert [item.movie_id for item in unknown] == [movies[row] for row in best]
    old = engine.recommend("nobody", 5, fallback="popular", where="year < 1950")
    assert len(old) == 5
    assert all(item.card["year"] < 1950 for item in old)
    with pytest.raises(ConfigError, match="fallback must be one of error, popular"):
        engine.recommend("nobody", fallback="random")


def test_commands_for_the_new_the_many_and_the_unknown(
    sample_index: Path, tmp_path: Path, reviewers: list[str], movies: list[str]
) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(f"movie_id,rating\n{movies[1]},5\n{movies[2]},1\n")
    index = ("--index", str(sample_index))
    new = invoke("ratings", f"{movies[2]}=4", "X=3", "--from-file", str(file), *index, "--json", "-k", "3")
    assert new.exit_code == 0
    assert f'"{movies[2]}": 4.0' in new.stdout
    assert '"unknown_movies": [\n    "X"\n  ]' in new.stdout
    group = invoke("group", *reviewers[:2], *index, "--json", "-k", "2", "--strategy", "least-misery")
    assert group.stdout.count('"members"') == 2
    popular = invoke("reviewer", "nobody", *index, "--fallback", "popular", "--json", "-k", "2")
    assert '"fallback": "popular"' in popular.stdout
    assert "does not know reviewer 'nobody'" in popular.stderr
    for wrong in (
        ("ratings",),
        ("ratings", f"{movies[0]}=7"),
        ("ratings", movies[0]),
        ("ratings", "X=3"),
        ("ratings", "--from-file", str(tmp_path / "nowhere")),
    ):
        result = invoke(*wrong, *index)
        assert result.exit_code == 1, wrong
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""
    for wrong in (
        ("group", reviewers[0], "--strategy", "most"),
        ("reviewer", "nobody", "--fallback", "most"),
    ):
        result = invoke(*wrong, *index)
        assert result.exit_code == 2, wrong
        assert "most" in result.stderr
        assert result.stdout == ""


def test_views_are_enough_where_there_are_no_ratings(model: Model) -> None:
    side = newcomer(
        Model(
            relevance=model.relevance,
            rating=None,
            neighbours=model.neighbours,
            history_neighbours=model.history_neighbours,
            rating_neighbours=None,
            histories=Histories(
                model.histories.offsets, model.histories.movie_rows, 0 * model.histories.level_rows
            ),
            blend=model.blend,
        ),
        model.histories.of(3)._replace(level_rows=np.zeros(len(model.histories.of(3).movie_rows), np.int8)),
    )
    assert side.taste is None


def test_a_history_must_have_something_in_it(engine: Engine) -> None:
    with pytest.raises(DataError, match="No movie was given"):
        engine.recommend_for({})
